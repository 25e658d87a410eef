"""A slow, silent or gone client costs no more than its time; the call to its provider ends with it."""

import asyncio
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from edge.config import EdgeLimits
from tests.support.one_provider import CONTENT, DONE, FINISH, PATIENCE, ROLE, bounded, request
from tests.support.upstream import Connection, Request, drip, hang, reply
from tests.support.wire import eventually, post, wire

LIMITS = EdgeLimits()
ANSWER = reply({"choices": []})


async def test_headers_that_drip_are_cut_by_their_whole_time(tmp_path: Path) -> None:
    limits = replace(LIMITS, header_seconds=0.5)
    async with (
        bounded(tmp_path, ANSWER, limits) as (started, provider),
        wire(started.url) as client,
    ):
        await client.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-drip: ")

        assert await client.drip(b"x") == b""
        assert (await started.post(request()))[0] == 200
        assert len(provider.requests) == 1
        assert started.edge._admission.connections.taken == 1


async def test_a_connection_that_says_nothing_is_closed(tmp_path: Path) -> None:
    limits = replace(LIMITS, header_seconds=0.2)
    async with bounded(tmp_path, ANSWER, limits) as (started, _), wire(started.url) as client:
        await client.send(post(request()))
        assert (await client.answer()).status == 200

        assert await client.rest() == b""


@pytest.mark.parametrize("framing", ["content-length: 9000", "transfer-encoding: chunked"])
async def test_bodies_that_drip_are_cut_by_their_whole_time(tmp_path: Path, framing: str) -> None:
    limits = replace(LIMITS, body_seconds=0.5)
    async with (
        bounded(tmp_path, ANSWER, limits) as (started, provider),
        wire(started.url) as client,
    ):
        await client.send(post(b"").replace(b"content-length: 0", framing.encode()))

        assert await client.drip(b"1\r\nx\r\n" if "chunked" in framing else b"x") == b""
        assert (await started.post(request()))[0] == 200
        assert len(provider.requests) == 1
        await eventually(lambda: len(started.edge._in_flight) == 0)
        assert started.edge._admission.held_bytes.taken == 0


async def test_a_head_over_the_limit_is_cut_before_it_is_whole(tmp_path: Path) -> None:
    limits = replace(LIMITS, header_bytes=8192)
    async with bounded(tmp_path, ANSWER, limits) as (started, provider):
        async with wire(started.url) as client:
            await client.send(b"GET / HTTP/1.1\r\nhost: x\r\nx-long: " + b"x" * 8192)
            assert (await client.rest()).startswith(b"HTTP/1.1 400 ")
        async with wire(started.url) as client:
            await client.send(post(request(), "x-long: " + "x" * 7000))
            assert (await client.answer()).status == 200

    assert len(provider.requests) == 1


async def flood(request: Request, connection: Connection) -> None:
    """Send 100 MiB, or as much as is taken."""
    await connection.head(200, {"content-type": "text/event-stream"})
    data = b'data: {"choices":[{"index":0,"delta":{"content":"' + b"x" * 65536 + b'"}}]}\n\n'
    for _ in range(1600):
        await connection.chunk(data)
    await connection.chunk(FINISH + DONE)
    await connection.end()


async def test_a_client_that_never_reads_its_stream_is_cut_and_its_provider_with_it(
    tmp_path: Path,
) -> None:
    limits = replace(LIMITS, stall_seconds=0.5)
    async with (
        bounded(tmp_path, flood, limits) as (started, provider),
        wire(started.url, receive_buffer=65536) as client,
    ):
        await client.send(post(request(stream=True)))
        await client.until(b"data:")
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]

        await asyncio.wait_for(provider.left.wait(), PATIENCE)
        provider.script = ANSWER
        assert (await started.post(request()))[0] == 200
        await eventually(lambda: started.edge._admission.requests.taken == 0)
        async with started.http.get(f"{started.url}/metrics") as response:
            text = await response.text()

    assert 'trunkline_edge_refused_total{limit="stall_seconds"} 1.0' in text


async def test_a_client_that_never_reads_its_answers_is_cut(tmp_path: Path) -> None:
    limits = replace(LIMITS, stall_seconds=0.5)
    large = reply({"choices": [], "padding": "x" * 2**22})
    async with (
        bounded(tmp_path, large, limits) as (started, _),
        wire(started.url, receive_buffer=65536) as client,
    ):
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await client.send(post(request()) * 3)

        await eventually(lambda: started.edge._admission.connections.taken == 1)
        await eventually(lambda: started.edge._admission.connections.taken == 0)
        await eventually(lambda: len(started.edge._in_flight) == 0)


@pytest.mark.parametrize("before", [(), (ROLE, CONTENT)])
async def test_a_client_that_sent_more_than_its_request_and_left_is_noticed(
    tmp_path: Path, before: tuple[bytes, ...]
) -> None:
    limits = replace(LIMITS, stall_seconds=1)
    script = drip(*before, then=hang) if before else hang
    async with bounded(tmp_path, script, limits) as (started, provider):
        async with wire(started.url) as client:
            await client.send(post(request(stream=True)) + b"GET")
            await asyncio.wait_for(provider.arrived.wait(), PATIENCE)

        await asyncio.wait_for(provider.left.wait(), PATIENCE)
        provider.script = ANSWER
        assert (await started.post(request()))[0] == 200


async def test_what_a_client_sent_ahead_before_it_left_is_never_begun(tmp_path: Path) -> None:
    limits = replace(LIMITS, stall_seconds=1)
    async with bounded(tmp_path, hang, limits) as (started, provider):
        async with wire(started.url) as client:
            await client.send(post(request()) * 5)
            await asyncio.wait_for(provider.arrived.wait(), PATIENCE)

        await asyncio.wait_for(provider.left.wait(), PATIENCE)
        await eventually(lambda: started.edge._admission.connections.taken == 0)
        await eventually(lambda: len(started.edge._in_flight) == 0)
        provider.script = ANSWER
        assert (await started.post(request()))[0] == 200

    assert len(provider.requests) == 2


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_closes_its_sending_side_counts_as_gone(
    tmp_path: Path, *, stream: bool
) -> None:
    async with bounded(tmp_path, hang, LIMITS) as (started, provider), wire(started.url) as client:
        await client.send(post(request(stream=stream)))
        await asyncio.wait_for(provider.arrived.wait(), PATIENCE)
        client.writer.write_eof()

        await asyncio.wait_for(provider.left.wait(), PATIENCE)
        assert await client.rest() == b""


async def test_the_system_asks_after_every_client_whether_it_is_still_there(tmp_path: Path) -> None:
    async with bounded(tmp_path, ANSWER, LIMITS) as (started, _), wire(started.url) as client:
        await client.send(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await client.answer()).status == 200
        (connection,) = started.edge._server._open
        accepted = connection._transport.get_extra_info("socket")

        assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        if hasattr(socket, "TCP_KEEPIDLE"):
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
