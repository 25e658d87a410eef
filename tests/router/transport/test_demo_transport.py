"""The built-in provider as it is performed, by a clock of the test's own."""

import asyncio
import json
from typing import Any

import pytest

from router.errors import UpstreamTruncatedError, UpstreamUnavailableError
from router.providers.demo import answer
from router.transport.seam import HttpResponse, Transport
from router.transport.timed import TimedTransport
from router.wire.http import HttpRequest


class Clock:
    """Remembers how long was slept, and sleeps not at all."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)

    def now(self) -> float:
        return 1_700_000_000.9


def request(model: str, said: str = "hello world", **fields: Any) -> HttpRequest:
    messages = [{"role": "user", "content": said}]
    body = {"model": f"demo/{model}", "messages": messages, **fields}
    return HttpRequest("POST", "demo://builtin/v1/chat/completions", body=json.dumps(body).encode())


def transport(clock: Clock | None = None) -> TimedTransport:
    clock = clock or Clock()
    return TimedTransport(answer, clock.sleep, clock.now)


async def test_a_body_is_read_whole() -> None:
    async with transport().send(request("echo"), connect_timeout=1) as response:
        body = json.loads(await response.read(10_000))

    assert (response.status, response.headers["content-type"]) == (200, "application/json")
    assert body["choices"][0]["message"]["content"] == "hello world"
    assert body["created"] == 1_700_000_000


async def test_a_body_over_the_limit_is_refused() -> None:
    async with transport().send(request("echo"), connect_timeout=1) as response:
        with pytest.raises(UpstreamUnavailableError):
            await response.read(10)


async def test_a_stream_comes_in_its_parts() -> None:
    async with transport().send(request("echo", stream=True), connect_timeout=1) as response:
        parts = await parts_of(response)

    assert len(parts) == 5
    assert parts[-1] == b"data: [DONE]\n\n"


async def test_slow_waits_before_each_part() -> None:
    clock = Clock()
    sending = transport(clock).send(request("slow", "slow 0.5", stream=True), connect_timeout=1)
    async with sending as response:
        first = await response.read_some()

    assert first.startswith(b"data: ")
    assert clock.slept == [0.5]


async def test_truncated_breaks_off_a_body() -> None:
    async with transport().send(request("truncated"), connect_timeout=1) as response:
        with pytest.raises(UpstreamTruncatedError):
            await response.read(10_000)


async def test_truncated_breaks_off_a_stream_after_some_content() -> None:
    parts: list[bytes] = []

    async def collect() -> None:
        sending = transport().send(request("truncated", stream=True), connect_timeout=1)
        async with sending as response:
            await parts_of(response, parts)

    with pytest.raises(UpstreamTruncatedError):
        await collect()

    assert b"This" in b"".join(parts)
    assert b"[DONE]" not in b"".join(parts)


async def parts_of(response: HttpResponse, into: list[bytes] | None = None) -> list[bytes]:
    """What comes, also where an error follows."""
    parts = [] if into is None else into
    while part := await response.read_some():
        parts.append(part)
    return parts


async def test_an_error_has_its_status_and_when_to_come_back() -> None:
    async with transport().send(request("error", "429"), connect_timeout=1) as response:
        body = json.loads(await response.read(10_000))

    assert (response.status, response.headers["retry-after"]) == (429, "1")
    assert body["error"]["code"] == "rate_limit_exceeded"


async def test_a_wait_can_be_cancelled() -> None:
    is_waiting = asyncio.Event()

    async def wait_for_ever(seconds: float) -> None:
        is_waiting.set()
        await asyncio.Event().wait()

    async def call() -> None:
        sending = TimedTransport(answer, wait_for_ever).send(request("slow"), connect_timeout=1)
        async with sending as response:
            await response.read(10_000)

    async with asyncio.timeout(5):
        task = asyncio.create_task(call(), name="call")
        await is_waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def test_it_is_a_transport() -> None:
    seam: Transport = TimedTransport(answer)

    assert callable(seam.send)
