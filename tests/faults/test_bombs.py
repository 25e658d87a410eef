"""What is small on the wire and large in memory is refused within a bound, whichever side sends it."""

import gzip
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import aiohttp
import pytest

from tests.support.gateway import row
from tests.support.one_provider import OPENAI, ROLE, environ_of, request, running
from tests.support.process import Running, started
from tests.support.upstream import Connection, Request, Script, Upstream, reply, upstream
from tests.support.wire import post, wire

MIB = 1024 * 1024
LIMIT = 8 * MIB
SIZE = 256 * MIB
"""Of what a bomb becomes: more than the limit, and than a gateway may grow by."""

ALLOWED = 96 * MIB
"""What a gateway may grow by while it refuses one: some copies of what its limit allows."""

ANSWER = reply({"choices": []})


@cache
def bomb(before: bytes) -> bytes:
    """`before` and SIZE spaces, squeezed to some MiB."""
    squeeze = zlib.compressobj(1, wbits=31)
    spaces = (squeeze.compress(b" " * MIB) for _ in range(SIZE // MIB))
    return squeeze.compress(before) + b"".join(spaces) + squeeze.flush()


def exploding(before: bytes, status: int, content_type: str) -> Script:
    async def script(request: Request, connection: Connection) -> None:
        headers = {"content_type": content_type, "content_encoding": "gzip"}
        await reply(bomb(before), status, **headers)(request, connection)

    return script


@asynccontextmanager
async def gateway_before(script: Script, tmp_path: Path) -> AsyncIterator[tuple[Running, Upstream]]:
    async with upstream(script) as provider:
        environ = environ_of(tmp_path, provider, [row("m", OPENAI)])
        environ["TRUNKLINE_MAX_BODY_BYTES"] = str(LIMIT)
        async with started("serve", state=tmp_path, **environ) as running:
            yield running, provider


async def ask(running: Running, *, stream: bool) -> tuple[int, bytes]:
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{running.url}/v1/chat/completions", json=request(stream=stream)) as response,
    ):
        return response.status, await response.read()


def peak(pid: int) -> int:
    """The most memory that a process has held, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


BOMBS = {
    "an answer": (exploding(b"", 200, "application/json"), False),
    "an answer to a stream": (exploding(b"", 200, "application/json"), True),
    "an error": (exploding(b"", 400, "application/json"), False),
    "an event": (exploding(ROLE + b"data: ", 200, "text/event-stream"), True),
    "a line": (exploding(ROLE, 200, "text/event-stream"), True),
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
async def test_a_providers_bomb_is_refused_within_the_memory_of_its_limit(tmp_path: Path) -> None:
    async with gateway_before(ANSWER, tmp_path) as (running, provider):
        assert (await ask(running, stream=False))[0] == 200
        before = peak(running.process.pid)
        for name, (script, stream) in BOMBS.items():
            provider.script = script
            status, body = await ask(running, stream=stream)

            assert status in (400, 502), name
            assert json.loads(body)["error"].keys() == {"message", "type", "param", "code"}
            assert peak(running.process.pid) - before < ALLOWED, name
        provider.script = ANSWER
        assert (await ask(running, stream=False))[0] == 200


async def test_a_clients_bomb_is_refused_unread(tmp_path: Path) -> None:
    body = gzip.compress(json.dumps(request()).encode())
    async with running(tmp_path, ANSWER) as (started_, provider), wire(started_.url) as client:
        for coding in ("gzip", "deflate", "br", "zstd", "gzip, identity"):
            await client.send(post(body, f"content-encoding: {coding}"))
            answer = await client.answer()
            assert (answer.status, answer.error["type"]) == (415, "invalid_request_error")
        await client.send(post(request()))
        assert (await client.answer()).status == 200

    assert len(provider.requests) == 1


async def endless_headers(request: Request, connection: Connection) -> None:
    await connection.raw(b"HTTP/1.1 200 OK\r\n")
    while True:
        await connection.raw(b"x-more: " + b"x" * 1000 + b"\r\n")


async def long_header(request: Request, connection: Connection) -> None:
    await connection.raw(b"HTTP/1.1 200 OK\r\nx-long: ")
    while True:
        await connection.raw(b"x" * 65536)


@pytest.mark.parametrize("script", [endless_headers, long_header])
async def test_a_provider_whose_headers_do_not_end_is_given_up(
    tmp_path: Path, script: Script
) -> None:
    async with running(tmp_path, script) as (started_, provider):
        status, _, body = await started_.post(request())
        assert (status, json.loads(body)["error"]["code"]) == (502, "upstream_unavailable")
        provider.script = ANSWER
        assert (await started_.post(request()))[0] == 200
