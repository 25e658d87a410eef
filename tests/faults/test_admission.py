"""What comes beyond a limit is refused at once, what is under way goes on, and all places come back."""

import asyncio
import json
import resource
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from edge.config import EdgeLimits
from edge.handlers import BaseHandler
from tests.support.gateway import Gateway
from tests.support.one_provider import PATIENCE, bounded, request, running
from tests.support.process import open_descriptors, started
from tests.support.upstream import Connection, Request, hang, reply
from tests.support.wire import Wire, eventually, post, wire

LIMITS = EdgeLimits()
KIB = 1024
HEALTHZ = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
ANSWER = reply({"choices": []})


async def refused(gateway: Gateway, limit: str) -> float:
    async with gateway.http.get(f"{gateway.url}/metrics") as response:
        lines = (await response.text()).splitlines()
    name = f'trunkline_edge_refused_total{{limit="{limit}"}} '
    return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))


async def wires(stack: AsyncExitStack, gateway: Gateway, count: int) -> list[Wire]:
    return [await stack.enter_async_context(wire(gateway.url)) for _ in range(count)]


async def test_a_request_beyond_the_limit_is_refused_before_its_body_and_all_others_go_on(
    tmp_path: Path,
) -> None:
    finish = asyncio.Event()

    async def wait(request: Request, connection: Connection) -> None:
        await finish.wait()
        await ANSWER(request, connection)

    async with (
        bounded(tmp_path, wait, replace(LIMITS, requests=2)) as (started, provider),
        AsyncExitStack() as stack,
    ):
        first, second, third, fourth = await wires(stack, started, 4)
        for client in (first, second):
            await client.send(post(request()))
        await eventually(lambda: len(provider.requests) == 2)

        await third.send(post(b"", length=100))
        answer = await third.answer()
        assert (answer.status, answer.error["type"]) == (503, "api_error")
        assert answer.error["code"] == "overloaded"
        assert answer.headers["retry-after"] == "1"
        assert answer.headers["connection"] == "close"
        await fourth.send(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await fourth.answer()).status == 503
        for path in ("/healthz", "/readyz", "/metrics"):
            async with started.http.get(started.url + path) as response:
                assert response.status == 200
        assert await refused(started, "requests") == 2

        finish.set()
        assert [(await client.answer()).status for client in (first, second)] == [200, 200]
        await fourth.send(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await fourth.answer()).status == 200

    assert len(provider.requests) == 2
    assert started.edge._admission.requests.taken == 0


async def test_places_of_clients_that_leave_are_given_back(tmp_path: Path) -> None:
    limits = replace(LIMITS, requests=3, held_bytes=300 * KIB)
    body = {**request(), "padding": "x" * 90 * KIB}
    async with bounded(tmp_path, hang, limits) as (started, provider):
        for seen in range(3, 13, 3):
            async with AsyncExitStack() as stack:
                for client in await wires(stack, started, 3):
                    await client.send(post(body))
                await eventually(lambda seen=seen: len(provider.requests) == seen)  # type: ignore[misc]
            await eventually(lambda: started.edge._admission.requests.taken == 0)
        assert started.edge._admission.held_bytes.taken == 0
        assert await refused(started, "requests") == await refused(started, "held_bytes") == 0


async def test_a_connection_beyond_the_limit_is_closed_at_once_and_others_are_served(
    tmp_path: Path,
) -> None:
    limits = replace(LIMITS, connections=3)
    async with bounded(tmp_path, ANSWER, limits) as (started, _), AsyncExitStack() as stack:
        first, *_ = await wires(stack, started, 3)
        for beyond in await wires(stack, started, 5):
            assert await beyond.rest() == b""
        await first.send(post(request()))
        assert (await first.answer()).status == 200

        first.leave()
        await eventually(lambda: started.edge._admission.connections.taken == 2)
        assert (await started.post(request()))[0] == 200
        assert await refused(started, "connections") == 5


async def test_bodies_that_fill_the_memory_are_bounded_whatever_they_say_of_their_length(
    tmp_path: Path,
) -> None:
    limits = replace(LIMITS, held_bytes=400 * KIB)
    async with bounded(tmp_path, ANSWER, limits) as (started, provider):
        held = started.edge._admission.held_bytes
        async with AsyncExitStack() as stack:
            one, other, early, late = await wires(stack, started, 4)
            for client in (one, other):
                await client.send(post(b"x" * 180 * KIB, length=190 * KIB))
            await eventually(lambda: held.taken == 360 * KIB)

            await early.send(post(b"", length=50 * KIB))
            assert (await early.answer()).error["code"] == "overloaded"
            head = post(b"").replace(b"content-length: 0", b"transfer-encoding: chunked")
            await late.send(head + b"%x\r\n" % (64 * KIB) + b"x" * 64 * KIB)
            assert (await late.answer()).error["code"] == "overloaded"
            assert held.taken <= 400 * KIB
            assert (await started.post(request()))[0] == 200

        await eventually(lambda: held.taken == 0)
        assert await refused(started, "held_bytes") == 2
        assert len(provider.requests) == 1


async def test_a_body_larger_than_all_that_may_be_held_is_refused_for_good(tmp_path: Path) -> None:
    limits = replace(LIMITS, held_bytes=64 * KIB)
    async with bounded(tmp_path, ANSWER, limits) as (started, _):
        status, _, body = await started.post({**request(), "padding": "x" * 70 * KIB})

    assert status == 413
    assert json.loads(body)["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/v1/models"])
async def test_a_body_that_nobody_reads_is_not_kept(tmp_path: Path, path: str) -> None:
    async with running(tmp_path, ANSWER) as (started, _), wire(started.url) as client:
        size = 512 * KIB
        head = f"GET {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {size}\r\n\r\n".encode()
        await client.send(head + b"x" * (size - 1))
        await eventually(lambda: len(started.edge._in_flight) == 1)
        (handler,) = started.edge._in_flight._requests
        assert isinstance(handler, BaseHandler)
        await eventually(lambda: handler._received == size - 1)

        assert handler._body == b""
        await asyncio.wait_for(client.send(b"x"), PATIENCE)
        assert (await client.answer()).status in (200, 404)


async def test_without_a_descriptor_left_clients_are_turned_away_and_served_again_afterwards(
    tmp_path: Path,
) -> None:
    async with started("serve", state=tmp_path) as gateway, AsyncExitStack() as stack:
        pid = gateway.process.pid
        known = await stack.enter_async_context(wire(gateway.url))
        await known.send(HEALTHZ)
        assert (await known.answer()).status == 200
        few = max(open_descriptors(pid)) + 5
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (few, hard))

        crowd = [await stack.enter_async_context(wire(gateway.url)) for _ in range(few)]
        served = [await client.is_served() for client in crowd]
        assert served.count(True) >= 1
        assert served.count(False) >= 10
        await known.send(HEALTHZ)
        assert (await known.answer()).status == 200

        for client in crowd:
            client.leave()
        async with asyncio.timeout(PATIENCE):
            while True:
                async with wire(gateway.url) as late:
                    if await late.is_served():
                        break
        gateway.process.terminate()
        status, log = await gateway.end()

    assert status == 0
    assert "Traceback" not in log
