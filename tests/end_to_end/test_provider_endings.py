"""How a stream ends: complete, broken off, failed; never another way than the provider's own."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from structlog.testing import capture_logs

from tests.support.one_provider import (
    CONTENT,
    DONE,
    FINISH,
    PATIENCE,
    ROLE,
    content,
    error_of,
    event,
    frames,
    request,
    running,
)
from tests.support.typed import everything, streamed, stubs, until_failure
from tests.support.upstream import (
    Connection,
    Request,
    Script,
    drip,
    hang,
    hang_up,
    reset,
)

HALF_USAGE = b'data: {"choices":[],"usage":{"prompt_tok'
USAGE = event(choices=[], usage={"prompt_tokens": 3, "completion_tokens": 4})


def ended(logs: list[Any]) -> list[Any]:
    return [line for line in logs if line["event"] == "call_ended"]


@pytest.mark.parametrize(
    "script",
    [
        drip(ROLE, CONTENT, FINISH, then=reset),
        drip(ROLE, CONTENT, FINISH, then=hang_up),
        drip(ROLE, CONTENT, FINISH, then=hang),
        drip(ROLE, CONTENT, FINISH + HALF_USAGE),
        drip(ROLE, CONTENT, FINISH, HALF_USAGE, then=reset),
        drip(ROLE, CONTENT, FINISH, HALF_USAGE, then=hang),
        drip(ROLE, CONTENT, FINISH, USAGE, then=reset),
        drip(ROLE, CONTENT, FINISH),
    ],
    ids=[
        "reset",
        "hung up",
        "silent",
        "half a frame",
        "half a frame, reset",
        "half a frame, silent",
        "usage, reset",
        "in good order",
    ],
)
async def test_a_stream_that_is_complete_ends_well_whatever_becomes_of_its_connection(
    tmp_path: Path, script: Script
) -> None:
    environ = {"TRUNKLINE_TIMEOUTS__IDLE": "0.3"}
    async with running(tmp_path, script, **environ) as (started, _):
        with capture_logs() as logs:
            status, _, body = await started.post(request(stream=True))
            async with stubs(started.grpc) as client:
                chunks = await everything(client.chat.StreamChatCompletion(streamed()))

    assert status == 200
    assert body == ROLE + CONTENT + FINISH
    assert [len(message.chunk.choices) for message in chunks] == [1, 1, 1]
    assert [line["status"] for line in ended(logs)] == ["OK", "OK"]


@pytest.mark.parametrize("reason", [b'""', b"null"])
async def test_an_empty_finish_reason_does_not_complete_a_stream(
    tmp_path: Path, reason: bytes
) -> None:
    vague = FINISH.replace(b'"stop"', reason)
    async with running(tmp_path, drip(ROLE, CONTENT, vague)) as (started, _):
        status, _, body = await started.post(request(stream=True))

    assert status == 200
    assert frames(body)[2] == frames(vague)[0]
    assert error_of(frames(body)[-1])["code"] == "upstream_truncated"
    assert DONE not in body


@pytest.mark.parametrize("end", [b"", DONE], ids=["no end mark", "end mark"])
async def test_an_error_after_the_finish_is_a_recorded_failure(tmp_path: Path, end: bytes) -> None:
    error = event(error={"message": "too late", "type": "server_error", "param": None, "code": 500})
    script = drip(ROLE, CONTENT, FINISH, error + end)
    async with running(tmp_path, script) as (started, _):
        with capture_logs() as logs:
            status, _, body = await started.post(request(stream=True))
            async with stubs(started.grpc) as client:
                seen, failed = await until_failure(client.chat.StreamChatCompletion(streamed()))

    assert (status, body) == (200, ROLE + CONTENT + FINISH + error + end)
    assert [line["status"] for line in ended(logs)] == ["UPSTREAM_UNAVAILABLE"] * 2
    assert len(seen) == 3
    assert (failed.code, failed.message) == (grpc.StatusCode.UNAVAILABLE, "too late")
    assert failed.info.reason == "UPSTREAM_UNAVAILABLE"


async def test_a_chunk_without_choices_that_only_mentions_errors_arrives(tmp_path: Path) -> None:
    """Azure begins its streams so (prompt filter results), with an `error` of the filter's own inside."""
    results = [{"prompt_index": 0, "content_filter_results": {"error": {"code": "down"}}}]
    filtered = event(choices=[], prompt_filter_results=results, huge=10**4000)
    filtered = filtered.replace(b"1" + b"0" * 4000, b"1" + b"0" * 9000)
    script = drip(filtered, ROLE, CONTENT, FINISH, DONE)
    async with running(tmp_path, script) as (started, _):
        status, _, body = await started.post(request(stream=True))
        async with stubs(started.grpc) as client:
            chunks = await everything(client.chat.StreamChatCompletion(streamed()))

    assert (status, body) == (200, filtered + ROLE + CONTENT + FINISH + DONE)
    assert '"error"' in chunks[0].chunk.extra_json
    assert len(chunks) == 4


def misframed(first: bytes, go_on: asyncio.Event, *, head: dict[str, str], status: int) -> Script:
    """Send a first chunk, then, once told to, what is no chunk; and hold the connection open."""

    async def script(request: Request, connection: Connection) -> None:
        await connection.head(status, head)
        await connection.chunk(first)
        await go_on.wait()
        await connection.raw(b"zz\r\nno chunk\r\n")
        await connection.closed_by_peer()

    return script


async def test_malformed_framing_in_mid_stream_is_a_prompt_error_frame(tmp_path: Path) -> None:
    go_on = asyncio.Event()
    head = {"content-type": "text/event-stream"}
    script = misframed(ROLE + CONTENT, go_on, head=head, status=200)
    async with running(tmp_path, script) as (started, provider):
        url = f"{started.url}/v1/chat/completions"
        async with asyncio.timeout(PATIENCE):
            async with started.http.post(url, json=request(stream=True)) as response:
                body = await response.content.readexactly(len(ROLE + CONTENT))
                go_on.set()
                body += await response.content.read()
            await provider.left.wait()

    assert error_of(frames(body)[-1])["code"] == "upstream_truncated"
    assert DONE not in body


@pytest.mark.parametrize("status", [200, 500])
async def test_malformed_framing_in_a_whole_answer_is_a_prompt_error(
    tmp_path: Path, status: int
) -> None:
    go_on = asyncio.Event()
    go_on.set()
    head = {"content-type": "application/json"}
    script = misframed(b'{"error": "half', go_on, head=head, status=status)
    async with running(tmp_path, script) as (started, provider):
        async with asyncio.timeout(PATIENCE):
            got, _, body = await started.post(request())
            await provider.left.wait()

    assert got == 502
    assert error_of(body)["code"] == (
        "upstream_truncated" if status == 200 else "upstream_unavailable"
    )


async def test_framing_that_is_malformed_from_the_start_is_a_prompt_error(tmp_path: Path) -> None:
    async def script(request: Request, connection: Connection) -> None:
        await connection.head(200, {"content-type": "text/event-stream"})
        await connection.raw(b"zz\r\n")
        await connection.closed_by_peer()

    async with running(tmp_path, script) as (started, _), asyncio.timeout(PATIENCE):
        status, _, body = await started.post(request(stream=True))

    assert status == 502
    assert error_of(body)["code"] == "upstream_truncated"


async def test_a_connection_that_was_watched_once_serves_the_next_call(tmp_path: Path) -> None:
    whole = drip(content("one"), FINISH, DONE)
    async with running(tmp_path, whole) as (started, provider):
        for _ in range(3):
            status, _, body = await started.post(request(stream=True))
            assert (status, body.endswith(DONE)) == (200, True)

        assert len(provider.connections) == 1
