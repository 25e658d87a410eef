"""Connections of our own in aiohttp's pool: what they keep, when they are used again, and how they end."""

import asyncio
import contextlib
import gc
import socket
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest

from router.errors import (
    UpstreamDisconnectedError,
    UpstreamTruncatedError,
    UpstreamUnavailableError,
)
from router.transport.http import AiohttpTransport
from router.transport.upstream import READ_AHEAD, Answer, UpstreamConnection
from router.wire.http import HttpRequest
from tests.support.one_provider import PATIENCE
from tests.support.upstream import (
    Connection,
    Request,
    drip,
    garbage,
    hang,
    hang_up,
    in_turn,
    reply,
    upstream,
)

LIMIT = 1_000_000


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    transport = AiohttpTransport()
    yield transport
    await transport.close()


async def fetch(transport: AiohttpTransport, url: str) -> bytes:
    async with transport.send(HttpRequest("POST", url, body=b"{}"), connect_timeout=5) as response:
        return await response.read(LIMIT)


async def test_the_pool_makes_connections_of_ours(transport: AiohttpTransport) -> None:
    async with upstream(reply(b"ok")) as provider:
        request = HttpRequest("POST", provider.url)
        async with transport.send(request, connect_timeout=5) as response:
            assert isinstance(response, Answer)


class Recorder(asyncio.Transport):
    """A transport that remembers what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []
        self.unsent = 0

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def close(self) -> None:
        self.told.append("close")

    def abort(self) -> None:
        self.told.append("abort")

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        self.told.append("write")

    def pause_reading(self) -> None:
        self.told.append("pause")

    def resume_reading(self) -> None:
        self.told.append("resume")


class Nobody:
    """A lease of no pool."""

    def release(self) -> None:
        pass

    def close(self) -> None:
        pass


async def test_a_connection_is_read_no_further_than_somebody_reads() -> None:
    connection, recorder = UpstreamConnection(asyncio.get_running_loop()), Recorder()
    connection.connection_made(recorder)
    answer = connection.send(b"", b"", Nobody())
    connection.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: 300000\r\n\r\n")
    connection.data_received(b"x" * READ_AHEAD)
    assert recorder.told == ["write"]

    connection.data_received(b"x")
    assert recorder.told == ["write", "pause"]

    assert len(await answer.read_some()) == READ_AHEAD + 1
    assert recorder.told == ["write", "pause", "resume"]

    connection.data_received(b"x" * (300_000 - READ_AHEAD - 1))  # the last of it: no need to wait
    assert recorder.told == ["write", "pause", "resume"]
    assert len(await answer.read_some()) == 300_000 - READ_AHEAD - 1
    assert await answer.read_some() == b""
    connection.connection_lost(None)


def asked(unsent: int = 0) -> tuple[UpstreamConnection, Answer, Recorder]:
    """A connection that was asked for something, and as much of it has not left."""
    connection, recorder = UpstreamConnection(asyncio.get_running_loop()), Recorder()
    connection.connection_made(recorder)
    answer = connection.send(b"", b"", Nobody())
    recorder.told.clear()
    recorder.unsent = unsent
    return connection, answer, recorder


@pytest.mark.parametrize("unsent", [0, 1])
async def test_a_connection_is_used_again_when_all_of_the_request_has_left(unsent: int) -> None:
    connection, _, recorder = asked(unsent)
    connection.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
    assert connection.should_close is bool(unsent)

    connection.close()
    assert recorder.told == ["abort" if unsent else "close"]


async def test_an_answer_under_way_ends_at_once_with_its_connection() -> None:
    connection, answer, recorder = asked()
    connection.data_received(b"HTTP/1.1 200 OK\r\n\r\nhalf")
    connection.close()
    assert recorder.told == ["abort"]

    connection.connection_lost(None)
    assert await answer.read_some() == b"half"
    with pytest.raises(UpstreamTruncatedError):
        await answer.read_some()


async def test_a_provider_that_hangs_up_is_not_sent_the_rest() -> None:
    connection, _, recorder = asked(unsent=1)
    connection.eof_received()
    assert recorder.told == ["abort"]


async def test_a_failure_leaves_nothing_for_the_garbage_collector(
    transport: AiohttpTransport,
) -> None:
    async with upstream(
        in_turn(reply(b"ok"), hang_up, garbage(), drip(b"half", then=hang_up))
    ) as p:
        await fetch(transport, p.url)  # what happens once
        gc.collect()
        gc.disable()
        try:
            for _ in range(3):
                with contextlib.suppress(UpstreamUnavailableError):
                    await fetch(transport, p.url)
            gc.set_debug(gc.DEBUG_SAVEALL)
            gc.collect()
            kinds = {type(one).__name__ for one in gc.garbage}
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()

    assert not kinds & {"Answer", "HttpRequest", "UpstreamConnection"}


async def test_nothing_is_sent_once_the_transport_is_closed(transport: AiohttpTransport) -> None:
    async with upstream(reply(b"ok")) as provider:
        await fetch(transport, provider.url)
        await transport.close()
        with pytest.raises(UpstreamDisconnectedError):
            await fetch(transport, provider.url)
        assert len(provider.requests) == 1


async def test_a_flood_comes_whole_and_its_connection_is_used_again(
    transport: AiohttpTransport,
) -> None:
    async def flood(request: Request, connection: Connection) -> None:
        await connection.head()
        for _ in range(500):
            await connection.chunk(b"x" * 65536)
        await connection.end()

    async with upstream(in_turn(flood, reply(b"ok"))) as provider:
        request, size = HttpRequest("POST", provider.url), 0
        async with transport.send(request, connect_timeout=5) as response:
            while piece := await response.read_some():
                size += len(piece)
                await asyncio.sleep(0)  # others may be quicker
        assert size == 500 * 65536
        assert await fetch(transport, provider.url) == b"ok"
        assert len(provider.connections) == 1


async def test_an_answer_can_be_read_when_its_connection_serves_another(
    transport: AiohttpTransport,
) -> None:
    async with upstream(in_turn(reply(b"first"), reply(b"second"))) as provider:
        request = HttpRequest("POST", provider.url)
        async with transport.send(request, connect_timeout=5) as response:
            assert await fetch(transport, provider.url) == b"second"
            assert await response.read_some() == b"first"
            assert await response.read_some() == b""
            assert await response.read_some() == b""
        assert len(provider.connections) == 1


@pytest.mark.parametrize(
    "stray", [b"x", b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n"]
)
async def test_what_comes_unasked_is_nobodys_answer(
    transport: AiohttpTransport, stray: bytes
) -> None:
    async def more(request: Request, connection: Connection) -> None:
        await reply(b"ok")(request, connection)
        await connection.raw(stray)
        await connection.closed_by_peer()

    async with upstream(more) as provider:
        assert await fetch(transport, provider.url) == b"ok"
        async with asyncio.timeout(PATIENCE):
            await provider.left.wait()  # we have closed it
        assert await fetch(transport, provider.url) == b"ok"
        assert len(provider.connections) == 2


async def test_what_stands_behind_an_answer_costs_the_connection(
    transport: AiohttpTransport,
) -> None:
    async def twice(request: Request, connection: Connection) -> None:
        await connection.raw(2 * b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await connection.closed_by_peer()

    async with upstream(twice) as provider:
        assert await fetch(transport, provider.url) == b"ok"
        assert await fetch(transport, provider.url) == b"ok"
        assert len(provider.connections) == 2


async def test_a_body_may_end_with_its_connection(transport: AiohttpTransport) -> None:
    async def lasting(request: Request, connection: Connection) -> None:
        await connection.raw(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        connection.is_over = True

    async with upstream(lasting) as provider:
        assert await fetch(transport, provider.url) == b"all of it"


async def test_a_reset_is_no_end_of_such_a_body(transport: AiohttpTransport) -> None:
    is_read = asyncio.Event()

    async def cut(request: Request, connection: Connection) -> None:
        await connection.raw(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        await is_read.wait()
        linger = b"\1\0\0\0\0\0\0\0"
        connected = connection._writer.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        connection.reset()

    async with upstream(cut) as provider:
        request = HttpRequest("POST", provider.url)
        async with transport.send(request, connect_timeout=5) as response:
            assert await response.read_some() == b"half"
            is_read.set()
            with pytest.raises(UpstreamTruncatedError):
                await response.read_some()
            with pytest.raises(UpstreamTruncatedError):
                await response.read_some()


async def test_who_gives_up_waiting_may_wait_again(transport: AiohttpTransport) -> None:
    is_given_up = asyncio.Event()

    async def late(request: Request, connection: Connection) -> None:
        await connection.head()
        await is_given_up.wait()
        await connection.chunk(b"late")
        await connection.end()

    async with upstream(late) as provider:
        request = HttpRequest("POST", provider.url)
        async with transport.send(request, connect_timeout=5) as response:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await response.read_some()
            is_given_up.set()
            assert await response.read(LIMIT) == b"late"


async def test_whoever_waits_is_told_when_the_transport_closes() -> None:
    transport = AiohttpTransport()
    async with upstream(in_turn(drip(b"first", then=hang), hang)) as provider:
        request = HttpRequest("POST", provider.url)
        async with transport.send(request, connect_timeout=5) as response:
            assert await response.read_some() == b"first"
            reading = asyncio.ensure_future(response.read_some())
            waiting = asyncio.ensure_future(fetch(transport, provider.url))
            provider.arrived.clear()
            async with asyncio.timeout(PATIENCE):
                await provider.arrived.wait()
                await transport.close()
                with pytest.raises(UpstreamTruncatedError):
                    await reading
                with pytest.raises(UpstreamDisconnectedError):
                    await waiting


async def test_a_head_without_an_end_is_no_answer(transport: AiohttpTransport) -> None:
    async def endless(request: Request, connection: Connection) -> None:
        await connection.raw(b"HTTP/1.1 200 OK\r\n")
        for _ in range(10_000):
            await connection.raw(b"x: " + b"y" * 1000 + b"\r\n")
        connection.is_over = True

    async with upstream(endless) as provider:
        with pytest.raises(UpstreamUnavailableError, match="not valid HTTP"):
            await fetch(transport, provider.url)
