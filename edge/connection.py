"""A client's connection: carries HTTP/1.1 between a socket and Tornado's handlers.

Strategy: one request at a time. What comes is read only as far as the request that is being answered; what a
client sends ahead waits as bytes, and beyond `READ_AHEAD` in the socket. Whatever is written goes to the
system at once; what it does not take makes the next writer wait.

Tornado's own connection does the same through a stream of its own, with a task and a dozen futures for each
request.
"""

import asyncio
import contextlib
import socket
from asyncio import Future
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final, Protocol, cast

import structlog
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import StreamClosedError

from edge.deadlines import Deadlines
from edge.framing import END, Head, MalformedError, RequestReader, head_of_answer
from edge.status import refusal

_log = structlog.get_logger("trunkline.edge")

READ_AHEAD: Final = 64 * 1024
"""Bytes that a client may send ahead of its turn: beyond them its socket is not read. Within them it is,
since only who reads learns that the client has left."""

STEPS: Final = 256
"""Events that are handed on before others have their turn: a chunk may hold one byte."""

_KEEP_ALIVE: Final = (
    ("TCP_KEEPIDLE", 60),
    ("TCP_KEEPALIVE", 60),
    ("TCP_KEEPINTVL", 15),
    ("TCP_KEEPCNT", 4),
)
"""Options and their values, in seconds and probes: a client that vanished is noticed in two minutes. A
platform has those that it has; macOS calls the first one by the name of the second."""


class Serving(Protocol):
    """What a connection belongs to."""

    @property
    def heads(self) -> Deadlines:
        """Bounds waits for the next head."""

    @property
    def head_bytes(self) -> int:
        """How long a head may be."""

    def open(self, connection: "ClientConnection") -> bool:
        """Takes a new connection on; False if there is no room for it."""

    def begin(self, connection: "ClientConnection") -> HTTPMessageDelegate:
        """What takes the next request of a connection."""

    def forget(self, connection: "ClientConnection") -> None:
        """Lets go of a connection that is over."""


class ClientConnection(asyncio.Protocol, HTTPConnection):
    """One accepted connection, as the event loop and Tornado see it. Lives until its client or we leave."""

    _transport: asyncio.Transport

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._requests = RequestReader(serving.head_bytes)
        self._head: RequestStartLine | None = None
        self._delegate: HTTPMessageDelegate | None = None
        self._on_close: Callable[[], None] | None = None
        self._drained: Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._over: Future[None] = self._loop.create_future()
        # Of the request: a step of its handler or its answer is waited for; all of it is there; the client
        # asks before it sends the rest.
        self._is_held = False
        self._is_read = True
        self._is_awaited = False
        # Of its answer: the head has left; the body goes in chunks; another one may follow.
        self._is_begun = False
        self._is_chunked = False
        self._keeps_alive = True
        self._is_closing = False
        self._is_reading = True
        self._written = 0
        self._taken = 0
        self._moved = 0.0

    # As the event loop sees it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if not self._serving.open(self):
            self._end()
            return
        # What is written goes out at once, and whatever the system leaves makes the writer wait.
        self._transport.set_write_buffer_limits(0)
        with contextlib.suppress(OSError):  # the client may have left already
            set_options(transport.get_extra_info("socket"))
        self._expect()

    def data_received(self, data: bytes) -> None:
        self._requests.feed(data)
        self._go_on()

    def eof_received(self) -> None:
        # Nobody tells a client that has left from one that only has nothing more to send.
        self.close()

    def pause_writing(self) -> None:
        self._drained = self._loop.create_future()
        self._taken, self._moved = self._count_taken(), monotonic()

    def resume_writing(self) -> None:
        self._settle(None)
        if self._delegate is None:
            self._expect()
        self._go_on_later()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_closing = True
        self._serving.heads.end(self)
        self._settle(StreamClosedError(exc))
        on_close, self._on_close = self._on_close, None
        delegate, self._delegate = self._delegate, None
        if on_close is not None:
            on_close()
        elif delegate is not None and not self._is_read:
            delegate.on_connection_close()
        self._serving.forget(self)
        if not self._over.done():
            self._over.set_result(None)

    # Requests

    def _expect(self) -> None:
        """Waits for a head, and not for ever, from when the last answer has left."""
        if not self._is_closing:
            self._serving.heads.begin(self)

    def _go_on(self) -> None:
        """Hands on what came, as far as its turn has come."""
        left = STEPS
        while not (self._is_held or self._is_closing or self._drained):
            if not left:
                self._read_on(is_wanted=False)
                self._go_on_later()
                return
            left -= 1
            try:
                event = self._requests.next()
                if event is None:
                    break
                if isinstance(event, bytes):
                    self._hold(self._under_way().data_received(event))
                elif event is END:
                    self._finish_reading()
                else:
                    self._begin(event)
            except MalformedError as exc:
                self._refuse(str(exc))
            except Exception:  # noqa: BLE001 - nobody else would close a connection that has no deadline now
                _log.exception("request_failed")
                self.close()
        self._read_on(is_wanted=self._requests.waiting <= READ_AHEAD)

    def _go_on_later(self) -> None:
        """Likewise, once whoever is at it has given back what the next request may need."""
        if not self._is_closing:
            self._loop.call_soon(self._go_on)

    def _begin(self, head: Head) -> None:
        self._serving.heads.end(self)
        self._head = head.start_line
        self._keeps_alive = head.keeps_alive
        self._is_read = self._is_begun = self._is_chunked = False
        self._delegate = delegate = self._serving.begin(self)
        self._is_awaited = head.waits
        self._hold(delegate.headers_received(head.start_line, cast("HTTPHeaders", head.headers)))

    def _finish_reading(self) -> None:
        self._is_read = self._is_held = True
        self._under_way().finish()

    def _under_way(self) -> HTTPMessageDelegate:
        assert self._delegate is not None  # noqa: S101 (a body comes behind its head)
        return self._delegate

    def _hold(self, step: Awaitable[None] | None) -> None:
        """Reads on when the handler has done its step."""
        if step is None:
            self._invite()
        else:
            self._is_held = True
            asyncio.ensure_future(step).add_done_callback(self._release)

    def _release(self, step: "Future[None]") -> None:
        self._is_held = False
        if not step.cancelled() and (failure := step.exception()) is not None:
            _log.error("request_failed", exc_info=failure)
            self.close()
        self._invite()
        self._go_on()

    def _invite(self) -> None:
        """Tells a client that asks before it sends its body to go on, unless it is answered already."""
        if self._is_awaited and not (self._is_begun or self._is_closing):
            self._put(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._is_awaited = False

    def _refuse(self, why: str) -> None:
        """Answers what is no request, unless an answer is under way, and hears no more."""
        if not self._is_begun or self._is_read:
            failure = refusal("INVALID_REQUEST", f"This is no valid request: {why}")
            headers = {
                "content-type": "application/json",
                "connection": "close",
                "content-length": str(len(failure.body)),
            }
            self._put(head_of_answer(failure.status, "Bad Request", headers) + failure.body)
        self._end()

    def _read_on(self, *, is_wanted: bool) -> None:
        if is_wanted is not self._is_reading and not self._is_closing:
            self._is_reading = is_wanted
            if is_wanted:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    # Answers, as Tornado has them

    def write_headers(
        self,
        start_line: object,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
    ) -> "Future[None]":
        """Writes the head of the answer, and `chunk` behind it.

        `headers` are a dictionary, whatever Tornado calls them, and their names in lower case.
        Raises ValueError if a line of it would be two.
        """
        answer, request = cast("ResponseStartLine", start_line), self._head
        assert request is not None  # noqa: S101 (an answer comes behind its request)
        is_new = request.version == "HTTP/1.1"
        self._is_begun = True
        self._is_chunked = (
            is_new
            and answer.code not in (204, 304)
            and request.method != "HEAD"
            and "content-length" not in headers
        )
        if self._is_chunked:
            headers["transfer-encoding"] = "chunked"
        if headers.get("connection") == "close":
            self._keeps_alive = False
        if not (is_new or "content-length" in headers):
            self._keeps_alive = False  # the end of the connection is the end of the answer
        if not self._keeps_alive:
            headers["connection"] = "close"
        elif not is_new:
            headers["connection"] = "keep-alive"
        try:
            head = head_of_answer(answer.code, answer.reason, headers)
        except ValueError:
            self.close()  # what is written next would stand there without a head
            raise
        return self._promise(head + self._framed(chunk) if chunk else head)

    def write(self, chunk: bytes) -> "Future[None]":
        """Writes a piece of the body. The future ends when it has left, or with StreamClosedError."""
        return self._promise(self._framed(chunk))

    def send(self, chunk: bytes) -> "Future[None] | None":
        """Writes a piece of the body, of at least a byte; the shortest way, for streams.

        Returns None if it has left, as it nearly always has, else what waits for that. Raises
        StreamClosedError if the client is gone.
        """
        if self._is_closing:
            raise StreamClosedError
        # `_framed` and `_put`, without calling them for each chunk.
        data = b"%x\r\n%b\r\n" % (len(chunk), chunk) if self._is_chunked else chunk
        self._written += len(data)
        self._transport.write(data)
        return self._drained

    def finish(self) -> None:
        """The answer is complete. What the client has sent ahead has its turn now."""
        self._on_close = self._delegate = None
        if self._is_closing:
            return
        if self._is_chunked:
            self._put(b"0\r\n\r\n")
        if not (self._keeps_alive and self._is_read):
            self._end()
            return
        self._is_held = False
        if self._drained is None:
            self._expect()
        if self._requests.waiting or not self._is_reading:
            self._go_on_later()

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Has `callback` called when the client leaves before the answer is complete."""
        self._on_close = callback

    def close(self) -> None:
        """Closes the connection at once; what has not left is dropped."""
        self._is_closing = True
        self._transport.abort()

    async def wait_closed(self) -> None:
        """Waits until the connection is over."""
        await asyncio.shield(self._over)

    def stalled_seconds(self) -> float:
        """How long the client has taken nothing of what waits for it; 0 if nothing does."""
        if self._drained is None:
            return 0.0
        taken = self._count_taken()
        if taken != self._taken:
            self._taken, self._moved = taken, monotonic()
        return monotonic() - self._moved

    def _framed(self, chunk: bytes) -> bytes:
        if self._is_chunked and chunk:
            return b"%x\r\n%b\r\n" % (len(chunk), chunk)
        return chunk

    def _promise(self, data: bytes) -> "Future[None]":
        """Writes. The future ends when all has left, or with StreamClosedError."""
        if self._is_closing:
            return _done(self._loop, StreamClosedError())
        self._put(data)
        return self._drained or _done(self._loop, None)

    def _put(self, data: bytes) -> None:
        self._written += len(data)
        self._transport.write(data)

    def _count_taken(self) -> int:
        return self._written - self._transport.get_write_buffer_size()

    def _settle(self, failure: StreamClosedError | None) -> None:
        """Lets go who waits until all that was written has left."""
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            _resolve(drained, failure)

    def _end(self) -> None:
        """Closes the connection once all that was written has left."""
        self._is_closing = True
        self._transport.close()


def _done(loop: asyncio.AbstractEventLoop, failure: StreamClosedError | None) -> "Future[None]":
    future = loop.create_future()
    _resolve(future, failure)
    return future


def _resolve(future: "Future[None]", failure: StreamClosedError | None) -> None:
    if failure is None:
        future.set_result(None)
    else:
        future.set_exception(failure)
        future.exception()  # there may be nobody who waits


def set_options(connection: socket.socket) -> None:
    """Has the system notice a peer that vanishes without a word.

    Nagle's algorithm, which would hold a chunk back until the client has acknowledged the one before, event
    loops switch off by themselves.
    """
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE:
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
