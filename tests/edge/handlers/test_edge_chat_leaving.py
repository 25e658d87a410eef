import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.edge.fake_router import Context, FakeRouter, Stall, chunks
from tests.edge.running_edge import RawClient, RunningEdge, soon
from trunkline.v1.forward_service_pb2 import ForwardRequest, ForwardStreamResponse

PATH = "/v1/chat/completions"
STREAM = b'{"stream":true}'
JSON = {"content-type": "application/json"}
MIB = 1024 * 1024


@pytest.mark.parametrize("body", [b"{}", STREAM], ids=["unary", "stream"])
async def test_a_client_that_leaves_before_the_first_byte_cancels_the_call(
    edge: RunningEdge, router: FakeRouter, body: bytes
) -> None:
    stall = Stall()
    router.answer, router.stream = stall.answer, stall.stream
    client = await RawClient.connect(edge)
    await client.post(body)
    await soon(stall.entered.wait())

    client.leave()

    await soon(stall.cancelled.wait())
    assert await edge.app._in_flight.wait_empty(10)
    labels = {"route": PATH, "status": "499"}
    assert edge.count("trunkline_edge_requests_total", **labels) == 1


async def test_a_client_that_says_goodbye_cancels_the_call_too(
    edge: RunningEdge, router: FakeRouter
) -> None:
    stall = Stall()
    router.answer = stall.answer
    client = await RawClient.connect(edge)
    await client.post(b"{}")
    await soon(stall.entered.wait())

    client.writer.close()

    await soon(stall.cancelled.wait())


async def test_a_client_that_leaves_amid_a_stream_cancels_the_call(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    stall = Stall(chunks(b"{}"))
    router.stream = stall.stream

    async with http.post(edge.url + PATH, data=STREAM, headers=JSON) as response:
        await response.content.readuntil(b"\n\n")
        response.close()

    await soon(stall.cancelled.wait())
    assert await edge.app._in_flight.wait_empty(10)


class Flood:
    """A stream of 128 MB that counts what was taken from it."""

    MESSAGES = 2000
    CHUNK = b"x" * 64 * 1024

    def __init__(self) -> None:
        self.sent = 0
        self.ended = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def stream(
        self, request: ForwardRequest, context: Context
    ) -> AsyncIterator[ForwardStreamResponse]:
        try:
            for _ in range(self.MESSAGES):
                yield chunks(self.CHUNK)
                self.sent += 1
            yield chunks(done=True)
            self.ended.set()
        finally:
            self.cancelled.set()


@pytest.fixture
async def stuck(edge: RunningEdge, router: FakeRouter) -> AsyncIterator[tuple[Flood, RawClient]]:
    """A flood, and a client that has read nothing but the head of its answer."""
    flood = Flood()
    router.stream = flood.stream
    client = await RawClient.connect(edge, receive_buffer=64 * 1024)
    await client.post(STREAM)
    await client.read_head()
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(flood.ended.wait(), 1.0)
    yield flood, client
    client.leave()


async def test_a_client_that_stops_reading_stops_the_router(
    stuck: tuple[Flood, RawClient],
) -> None:
    flood, _ = stuck

    assert flood.sent * len(flood.CHUNK) < 64 * MIB


async def test_and_it_gets_all_of_it_when_it_reads_on(stuck: tuple[Flood, RawClient]) -> None:
    flood, client = stuck
    client.writer.transport.resume_reading()  # type: ignore[attr-defined]

    received = 0
    tail = b""
    while not tail.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n"):
        data = await soon(client.reader.read(MIB))
        assert data
        received += len(data)
        tail = tail[-64:] + data[-64:]

    assert received > flood.MESSAGES * len(flood.CHUNK)


async def test_a_client_that_leaves_without_reading_cancels_the_call(
    stuck: tuple[Flood, RawClient],
) -> None:
    flood, client = stuck

    client.leave()

    await soon(flood.cancelled.wait())
    assert flood.sent < flood.MESSAGES
