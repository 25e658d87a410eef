import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from tornado.httputil import HTTPInputError
from tornado.iostream import StreamClosedError

from edge.deadlines import Deadlines
from edge.streams import ClientStream, set_options
from tests.edge.running_edge import soon
from tests.support.wire import eventually


@pytest.fixture
async def pair() -> AsyncIterator[tuple[ClientStream, socket.socket]]:
    """A stream, and the socket of its client."""
    ours, theirs = socket.socketpair()
    stream = ClientStream(ours, Deadlines(60))
    yield stream, theirs
    stream.close()
    theirs.close()


Pair = tuple[ClientStream, socket.socket]


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\n\n",
        b"GET / HTTP/1.1\r\nhost: x\n\n",
        b"GET / HTTP/1.1\r\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\ry: z\r\n\r\n",
    ],
)
async def test_a_head_with_other_line_ends_than_cr_lf_is_refused(pair: Pair, head: bytes) -> None:
    stream, client = pair
    client.sendall(head)

    with pytest.raises(HTTPInputError):
        await soon(stream.read_until_regex(b"\r?\n\r?\n", 1000))


async def test_a_head_with_line_ends_as_they_should_be_is_read_as_it_is(pair: Pair) -> None:
    stream, client = pair
    client.sendall(b"\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\nrest")

    head = await soon(stream.read_until_regex(b"\r?\n\r?\n", 1000))

    assert head == b"\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n"


async def test_a_stream_stands_still_while_its_client_takes_nothing_and_no_longer(
    pair: Pair,
) -> None:
    stream, client = pair
    assert stream.stalled_seconds() == 0
    written = stream.write(b"x" * 4 * 1024 * 1024)
    began = stream._moved
    await eventually(lambda: stream.stalled_seconds() > 0.01)
    assert stream._moved == began

    client.setblocking(False)
    while not written.done():
        await soon(asyncio.get_running_loop().sock_recv(client, 65536))
    assert stream._moved > began
    assert stream.stalled_seconds() == 0


async def test_a_client_has_left_once_its_side_is_closed_whatever_it_sent_before(
    pair: Pair,
) -> None:
    stream, client = pair
    assert not stream.has_left()
    client.sendall(b"more")
    assert not stream.has_left()

    assert await soon(stream.read_bytes(4)) == b"more"
    client.shutdown(socket.SHUT_WR)
    assert stream.has_left()

    stream.close()
    assert stream.has_left()


def test_a_peer_that_vanishes_is_noticed_within_two_minutes() -> None:
    with socket.socket() as sock:
        set_options(sock)

        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        values = [
            sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
            for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
            if hasattr(socket, name)
        ]
        assert values in ([60, 15, 4], [15, 4], [])


async def test_nothing_waits_for_a_full_packet_whatever_tornado_sets() -> None:
    with socket.socket() as sock:
        set_options(sock)
        ClientStream(sock, Deadlines(60)).set_nodelay(False)

        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


async def test_what_the_system_takes_at_once_needs_no_waiting(pair: Pair) -> None:
    stream, client = pair

    assert stream.send(b"x" * 1000) is None
    assert client.recv(2000) == b"x" * 1000


async def test_what_is_sent_arrives_in_order_when_a_client_takes_it_late(pair: Pair) -> None:
    stream, client = pair
    client.setblocking(False)
    parts = [b"a", b"b" * 4_000_000, b"c" * 1000, b"d" * 4_000_000, b"e"]

    waits = [stream.send(part) for part in parts]
    expected, received = b"".join(parts), b""
    loop = asyncio.get_running_loop()
    while len(received) < len(expected):
        received += await soon(loop.sock_recv(client, 1_000_000))

    assert received == expected
    assert waits[0] is None
    for wait in waits[1:]:
        assert wait is not None
        await soon(wait)
    assert stream.send(b"again") is None


async def send_thrice(stream: ClientStream) -> None:
    for _ in range(3):
        wait = stream.send(b"x")
        if wait is not None:
            await soon(wait)


async def test_a_send_to_a_client_that_has_left_says_so(pair: Pair) -> None:
    stream, client = pair
    client.close()

    with pytest.raises(StreamClosedError):
        await send_thrice(stream)
