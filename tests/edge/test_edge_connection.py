import asyncio
import socket
from collections.abc import AsyncIterator, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import StreamClosedError

from edge.config import EdgeLimits
from edge.connection import READ_AHEAD, STEPS, ClientConnection, set_options
from edge.deadlines import Deadlines
from tests.edge.fake_router import FakeRouter
from tests.edge.running_edge import RawClient, RunningEdge, StartEdge, soon
from tests.support.wire import eventually

ASK = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
OK = ResponseStartLine("", 200, "OK")


class Taker(HTTPMessageDelegate):
    """Takes a request, and is answered for by the test."""

    def __init__(self) -> None:
        self.line: RequestStartLine | None = None
        self.body = b""
        self.is_whole = False
        self.was_left = False
        self.step: asyncio.Future[None] | None = None

    def headers_received(self, start_line: object, headers: HTTPHeaders) -> None:
        assert isinstance(start_line, RequestStartLine)
        self.line = start_line

    def data_received(self, chunk: bytes) -> "asyncio.Future[None] | None":
        self.body += chunk
        return self.step

    def finish(self) -> None:
        self.is_whole = True

    def on_connection_close(self) -> None:
        self.was_left = True


@dataclass
class Host:
    """What a connection belongs to: takes requests, and has room or not."""

    heads: Deadlines
    head_bytes: int = 8192
    has_room: bool = True
    taken: list[Taker] = field(default_factory=list)
    forgotten: list[ClientConnection] = field(default_factory=list)
    prepared: Callable[[Taker], None] = lambda _: None

    def open(self, _: ClientConnection) -> bool:
        return self.has_room

    def begin(self, _: ClientConnection) -> HTTPMessageDelegate:
        taker = Taker()
        self.prepared(taker)
        self.taken.append(taker)
        return taker

    def forget(self, connection: ClientConnection) -> None:
        self.forgotten.append(connection)


@dataclass
class Pair:
    host: Host
    connection: ClientConnection
    client: socket.socket

    async def send(self, data: bytes) -> None:
        await soon(asyncio.get_running_loop().sock_sendall(self.client, data))

    async def receive(self, size: int) -> bytes:
        loop, found = asyncio.get_running_loop(), b""
        while len(found) < size:
            found += (more := await soon(loop.sock_recv(self.client, size - len(found))))
            if not more:
                break
        return found

    async def ask(self, data: bytes = ASK) -> Taker:
        count = len(self.host.taken)
        await self.send(data)
        await eventually(lambda: len(self.host.taken) > count and self.host.taken[-1].is_whole)
        return self.host.taken[-1]


async def connected(host: Host) -> Pair:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
    client.setblocking(False)
    accepted.setblocking(False)
    loop = asyncio.get_running_loop()
    _, connection = await loop.connect_accepted_socket(lambda: ClientConnection(host), accepted)
    return Pair(host, connection, client)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    made = await connected(Host(Deadlines(60)))
    yield made
    made.client.close()
    made.connection.close()
    await soon(made.connection.wait_closed())
    made.host.heads.stop()


def answer(connection: ClientConnection, body: bytes = b"", *, then: str = "") -> None:
    """Writes a whole answer."""
    headers = HTTPHeaders({"content-length": str(len(body))})
    if then:
        headers["connection"] = then
    _ = connection.write_headers(OK, headers, body)
    connection.finish()


async def test_a_request_is_taken_and_its_answer_sent(pair: Pair) -> None:
    taker = await pair.ask()
    answer(pair.connection, b"done")

    assert taker.line == ("POST", "/", "HTTP/1.1")
    assert taker.body == b"hi"
    expected = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone"
    assert await pair.receive(len(expected)) == expected


async def test_what_is_sent_ahead_waits_for_its_turn(pair: Pair) -> None:
    await pair.ask(ASK + ASK)
    assert len(pair.host.taken) == 1

    answer(pair.connection)

    await eventually(lambda: len(pair.host.taken) == 2 and pair.host.taken[1].is_whole)


async def test_more_than_a_little_that_is_sent_ahead_is_not_read(pair: Pair) -> None:
    await pair.ask()
    sending = asyncio.create_task(pair.send(ASK * 500_000))

    await eventually(lambda: pair.connection._requests.waiting > READ_AHEAD)
    assert not pair.connection._is_reading
    assert pair.connection._requests.waiting < 20 * READ_AHEAD
    sending.cancel()
    await asyncio.wait([sending])


async def test_a_body_is_read_as_its_taker_gets_on_with_it(pair: Pair) -> None:
    step = asyncio.get_running_loop().create_future()
    pair.host.prepared = lambda taker: setattr(taker, "step", step)
    await pair.send(ASK[:-1])
    await eventually(lambda: bool(pair.host.taken) and pair.host.taken[0].body == b"h")
    await pair.send(b"i")
    await eventually(lambda: pair.connection._requests.waiting == 1)

    step.set_result(None)

    await eventually(lambda: pair.host.taken[0].body == b"hi" and pair.host.taken[0].is_whole)


async def test_a_body_of_tiny_chunks_lets_others_have_their_turn(pair: Pair) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    pair.connection.data_received(head + b"1\r\na\r\n" * 10_000 + b"0\r\n\r\n")

    assert 0 < len(pair.host.taken[0].body) <= STEPS
    assert not pair.connection._is_reading
    await eventually(lambda: pair.host.taken[0].is_whole)
    assert pair.host.taken[0].body == b"a" * 10_000
    assert pair.connection._is_reading


async def test_whoever_waits_for_the_next_request_holds_nothing_of_the_last(pair: Pair) -> None:
    await pair.ask()
    answer(pair.connection)

    assert pair.connection._requests._data == b""


async def test_whoever_asks_before_it_sends_is_told_to(pair: Pair) -> None:
    ready = asyncio.get_running_loop().create_future()
    head = ASK[:-4] + b"Expect: 100-continue\r\n\r\n"
    pair.host.prepared = lambda taker: setattr(taker, "headers_received", lambda *_: ready)
    await pair.send(head)
    await eventually(lambda: len(pair.host.taken) == 1)

    ready.set_result(None)
    assert await pair.receive(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
    await pair.send(b"hi")
    await eventually(lambda: pair.host.taken[0].is_whole)


async def test_an_answer_in_front_of_the_body_costs_the_connection(pair: Pair) -> None:
    await pair.send(ASK[:-1])
    await eventually(lambda: bool(pair.host.taken) and pair.host.taken[0].body == b"h")

    answer(pair.connection)

    expected = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    assert await pair.receive(len(expected) + 1) == expected
    await soon(pair.connection.wait_closed())


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (b"HTTP/1.1", b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"),
        (b"HTTP/1.0", b"Connection: close\r\n\r\nabc"),
        (b"HTTP/1.0\r\nConnection: keep-alive", b"Connection: close\r\n\r\nabc"),
    ],
)
async def test_a_stream_has_the_framing_that_its_client_knows(
    pair: Pair, version: bytes, expected: bytes
) -> None:
    await pair.ask(ASK.replace(b"HTTP/1.1", version))
    _ = pair.connection.write_headers(OK, HTTPHeaders(), b"a")
    _ = pair.connection.write(b"")
    assert pair.connection.send(b"bc") is None
    pair.connection.finish()

    expected = b"HTTP/1.1 200 OK\r\n" + expected
    assert await pair.receive(len(expected)) == expected


async def test_an_answer_that_says_so_closes_its_connection(pair: Pair) -> None:
    await pair.ask(ASK + ASK)
    answer(pair.connection, b"x", then="close")

    assert (await pair.receive(1000)).endswith(b"Connection: close\r\n\r\nx")
    assert len(pair.host.taken) == 1


async def test_garbage_behind_a_request_is_told_when_its_turn_has_come(pair: Pair) -> None:
    await pair.ask(ASK + b"garbage\r\n\r\n")
    answer(pair.connection, b"first")
    said = await pair.receive(100_000)

    first, _, second = said.partition(b"first")
    assert first.startswith(b"HTTP/1.1 200 ")
    assert second.startswith(b"HTTP/1.1 400 ")
    assert b'"type":"invalid_request_error"' in second


@pytest.mark.parametrize("ahead", [b"", ASK])
async def test_a_fault_in_who_takes_a_request_closes_the_connection(
    pair: Pair, logs: list[MutableMapping[str, Any]], ahead: bytes
) -> None:
    if ahead:
        await pair.ask(ahead)
    pair.host.prepared = lambda taker: setattr(taker, "headers_received", None)
    await pair.send(ASK)
    if ahead:
        answer(pair.connection)

    await soon(pair.connection.wait_closed())
    assert logs.pop()["event"] == "request_failed"


async def test_an_answer_that_cannot_be_written_closes_the_connection(pair: Pair) -> None:
    await pair.ask()
    headers = HTTPHeaders()
    headers["x-a"] = "\N{EURO SIGN}"

    with pytest.raises(ValueError, match="codec"):
        _ = pair.connection.write_headers(OK, headers, b"a")
    await soon(pair.connection.wait_closed())
    assert await pair.receive(1) == b""


async def test_garbage_within_an_answered_body_ends_the_connection_without_a_word(
    pair: Pair,
) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    await pair.send(head + b"1\r\na\r\n")
    await eventually(lambda: bool(pair.host.taken) and pair.host.taken[0].body == b"a")
    _ = pair.connection.write_headers(OK, HTTPHeaders({"content-length": "2"}), b"o")
    await pair.send(b"garbage\r\n")

    assert (await pair.receive(1000)).endswith(b"\r\n\r\no")
    await soon(pair.connection.wait_closed())
    assert pair.host.taken[0].was_left


async def test_what_is_sent_arrives_in_order_when_a_client_takes_it_late(pair: Pair) -> None:
    await pair.ask()
    parts = [b"a", b"b" * 16_000_000, b"c" * 1000, b"d" * 100_000, b"e"]
    size = sum(map(len, parts))
    _ = pair.connection.write_headers(OK, HTTPHeaders({"content-length": str(size)}))

    waits = [pair.connection.send(part) for part in parts]
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
    assert await pair.receive(len(head) + size) == head + b"".join(parts)

    assert waits[0] is None
    for wait in waits[1:]:
        assert wait is not None
        await soon(wait)
    assert pair.connection.send(b"again") is None


async def test_the_next_request_waits_until_the_answer_has_left(pair: Pair) -> None:
    await pair.ask(ASK + ASK)
    answer(pair.connection, b"x" * 16_000_000)
    assert pair.connection._drained is not None
    assert len(pair.host.taken) == 1

    await pair.receive(16_000_000)
    await eventually(lambda: len(pair.host.taken) == 2)


async def test_a_connection_stands_still_while_its_client_takes_nothing_and_no_longer(
    pair: Pair,
) -> None:
    await pair.ask()
    assert pair.connection.stalled_seconds() == 0
    written = pair.connection.write_headers(OK, HTTPHeaders(), b"x" * 16_000_000)
    pair.connection.stalled_seconds()
    began = pair.connection._moved
    await eventually(lambda: pair.connection.stalled_seconds() > 0.01)
    assert pair.connection._moved == began

    await pair.receive(15_000_000)
    await eventually(
        lambda: pair.connection.stalled_seconds() == 0 or pair.connection._moved > began
    )
    await pair.receive(1_000_000)
    await soon(written)
    assert pair.connection.stalled_seconds() == 0


async def test_whoever_waits_learns_that_the_client_has_left(pair: Pair) -> None:
    await pair.ask()
    left: list[bool] = []
    pair.connection.set_close_callback(lambda: left.append(True))
    written = pair.connection.write_headers(OK, HTTPHeaders(), b"x" * 16_000_000)
    pair.client.close()

    with pytest.raises(StreamClosedError):
        await soon(written)
    with pytest.raises(StreamClosedError):
        pair.connection.send(b"x")
    with pytest.raises(StreamClosedError):
        await soon(pair.connection.write(b"x"))
    assert left == [True]
    assert pair.host.forgotten == [pair.connection]


async def test_a_client_that_leaves_within_its_body_is_told_to_whom_took_it(pair: Pair) -> None:
    await pair.send(ASK[:-1])
    await eventually(lambda: bool(pair.host.taken) and pair.host.taken[0].body == b"h")
    pair.client.close()

    await eventually(lambda: pair.host.taken[0].was_left)


async def test_a_connection_without_room_is_closed_at_once() -> None:
    pair = await connected(Host(Deadlines(60), has_room=False))

    assert await pair.receive(1) == b""
    pair.client.close()
    await soon(pair.connection.wait_closed())
    assert len(pair.host.heads) == 0


async def test_a_head_is_waited_for_between_requests_and_not_within(pair: Pair) -> None:
    assert len(pair.host.heads) == 1
    await pair.ask()
    assert len(pair.host.heads) == 0
    answer(pair.connection)
    assert len(pair.host.heads) == 1


async def test_the_wait_for_a_head_begins_when_the_answer_before_it_has_left(pair: Pair) -> None:
    await pair.ask()
    answer(pair.connection, b"x" * 16_000_000)
    assert len(pair.host.heads) == 0

    await pair.receive(16_000_000)
    await eventually(lambda: len(pair.host.heads) == 1)


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


async def test_nothing_waits_for_a_full_packet(pair: Pair) -> None:
    accepted = pair.connection._transport.get_extra_info("socket")

    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


async def test_requests_that_follow_each_other_need_one_place_alone(
    start_edge: StartEdge, router: FakeRouter
) -> None:
    router.will_answer(b"y" * 3_900_000)
    edge = await start_edge(limits=EdgeLimits(requests=1))
    client = await RawClient.connect(edge, receive_buffer=4096)
    for _ in range(2):
        await client.post(b"{}")

    assert [(await client.read_answer()).status for _ in range(2)] == [200, 200]
    client.leave()


async def test_an_old_client_is_not_told_to_go_on(edge: RunningEdge, router: FakeRouter) -> None:
    router.will_answer(b"{}")
    client = await RawClient.connect(edge)
    head = (
        b"POST /v1/chat/completions HTTP/1.0\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"
    )
    await client.send(head + b"{}")

    assert (await client.read_rest()).startswith(b"HTTP/1.1 200 ")
    client.leave()


async def test_a_tunnel_is_refused_at_the_cost_of_its_connection(edge: RunningEdge) -> None:
    client = await RawClient.connect(edge)
    await client.send(b"CONNECT inside:443 HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\n")

    rest = await client.read_rest()
    assert rest.startswith(b"HTTP/1.1 405 ")
    assert rest.count(b"HTTP/1.1 ") == 1
    client.leave()


async def test_an_offer_of_another_protocol_is_passed_over(
    edge: RunningEdge, router: FakeRouter
) -> None:
    router.will_answer(b"{}")
    client = await RawClient.connect(edge)
    for _ in range(2):
        await client.post(b"{}", "connection: Upgrade, HTTP2-Settings", "upgrade: h2c")
        assert (await client.read_answer()).status == 200
    client.leave()
