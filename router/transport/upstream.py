"""A connection to a provider, from the event loop's transport to the answer that somebody reads.

Strategy: one task at most waits for an answer, first for its head, then for the next of its body; it waits
for a future that the connection resolves with what came. What nobody waits for is kept, and beyond
`READ_AHEAD` the connection is read no further. Connections live in aiohttp's pool: see `direct.py`.
"""

import asyncio
from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol, TypeVar, cast

from router.errors import (
    UpstreamDisconnectedError,
    UpstreamError,
    UpstreamTruncatedError,
    UpstreamUnavailableError,
)
from router.transport.answer import BROKE_OFF, FAILED, HUNG_UP, NOT_HTTP, Readable
from router.wire.http1 import MalformedError, Response, ResponseReader

READ_AHEAD: Final = 128 * 1024
"""Bytes of a body that wait for its reader."""


T = TypeVar("T")


class Lease(Protocol):
    """What the pool gives for a connection: somebody has it until one of these is called."""

    def release(self) -> None:
        """Give it back."""

    def close(self) -> None:
        """Close it, unless it was given back."""


class Answer(Readable):
    """The answer to one request; see `HttpResponse`. Its connection is free once all of it has come."""

    __slots__ = ("_broke", "_connection", "_headed", "_lease", "_loop", "_response", "_waiter")

    def __init__(
        self,
        connection: "UpstreamConnection",
        response: Response,
        loop: asyncio.AbstractEventLoop,
        lease: Lease,
    ) -> None:
        self._connection: UpstreamConnection | None = connection
        self._response = response
        self._loop = loop
        self._lease = lease
        self._headed: asyncio.Future[None] | None = loop.create_future()
        self._waiter: asyncio.Future[bytes] | None = None
        self._broke: Broke | None = None

    @property
    def status(self) -> int:
        return self._response.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._response.headers

    async def headed(self) -> None:
        """Wait for the head.

        Raises:
            UpstreamError: if there will be none.

        """
        if self._headed is not None:
            await self._headed

    def read_some(self) -> "asyncio.Future[bytes]":
        """See `HttpResponse.read_some`."""
        future: asyncio.Future[bytes] = self._loop.create_future()
        response = self._response
        if response.pieces:
            future.set_result(response.take())
            if self._connection is not None:
                self._connection.read_on()
        elif self._broke is not None:
            future.set_exception(self._broke.error())
        elif response.is_over:
            future.set_result(b"")
        else:
            self._waiter = future
        return future

    def close(self) -> None:
        """Read no more: a connection that is not at the end of the body ends with it."""
        self._response.pieces.clear()
        self._lease.close()

    def go_on(self) -> None:
        """Hand on what came. For the connection."""
        response, headed, waiter, broke = self._response, self._headed, self._waiter, self._broke
        if response.is_over or broke is not None:
            self._connection = None
            self._lease.release()
        if headed is not None:
            if response.status or broke is not None:
                self._headed = None
                _resolve(headed, None, None if response.status else broke)
        elif waiter is not None and (response.pieces or response.is_over or broke is not None):
            self._waiter = None
            if waiter.done():
                return  # whoever waited has given up
            if response.pieces:
                waiter.set_result(response.take())
            else:
                _resolve(waiter, b"", broke)

    def fail(self, broke: "Broke") -> None:
        """Nothing more comes. For the connection."""
        self._broke = broke
        self.go_on()


class Broke(NamedTuple):
    """How an answer broke off. Each who hears of it gets a new error: an old one holds all that it passed."""

    kind: type[UpstreamError]
    words: str
    cause: Exception | None = None

    def error(self) -> UpstreamError:
        """Return a new error."""
        error = self.kind(self.words)
        error.__cause__ = self.cause
        return error


def _resolve(future: "asyncio.Future[T]", value: T, broke: Broke | None) -> None:
    if future.done():
        return
    if broke is None:
        future.set_result(value)
    else:
        future.set_exception(broke.error())
        future.exception()  # there may be nobody who waits


class UpstreamConnection(asyncio.Protocol):
    """A connection, as the pool keeps it; one request at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._reader = ResponseReader()
        self._answer: Answer | None = None
        self._response = Response()
        self._is_paused = False
        self._is_left = False
        self._closed: asyncio.Future[None] | None = None
        self.transport: asyncio.Transport | None = None
        self.should_close = False

    # Requests

    def send(self, head: bytes, body: bytes, lease: Lease) -> Answer:
        """Send a request; `lease` is released once all of the answer has come, or nothing more will.

        Raises:
            UpstreamDisconnectedError: if the connection is gone.

        """
        if self.transport is None or not self.is_connected():
            raise UpstreamDisconnectedError(HUNG_UP)
        self.should_close = True  # until the answer is complete
        self._response = self._reader.begin()
        self._answer = Answer(self, self._response, self._loop, lease)
        self.transport.writelines((head, body))
        return self._answer

    def read_on(self) -> None:
        """Read further, should it have been too much."""
        if self._is_paused and self.transport is not None:
            self._is_paused = False
            self.transport.resume_reading()
            # TLS deciphers in the next turn, what it holds first; only then may it look for more.
            self._loop.call_soon(self._take_more)

    def _take_more(self) -> None:
        if not self._is_paused and self.transport is not None:
            _limit_ciphertext(self.transport, None)

    def _pause(self, transport: asyncio.Transport) -> None:
        self._is_paused = True
        transport.pause_reading()
        _limit_ciphertext(transport, 1)

    # As the event loop sees it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        answer, response, transport = self._answer, self._response, self.transport
        if answer is None or transport is None:
            self.abort()  # nobody has asked for anything
            return
        try:
            self._reader.feed(data)
        except MalformedError as exc:
            self._break_off(_malformed(response, exc))
            return
        if response.is_over:
            self._answer = None
            # Behind what has not left of this request, the next one would stay for as long.
            self.should_close = (
                self._reader.is_spoiled
                or not response.keeps_alive
                or transport.get_write_buffer_size() > 0
            )
        answer.go_on()
        if response.size > READ_AHEAD and not response.is_over:
            self._pause(transport)

    def eof_received(self) -> None:
        # What has not left by now is not waited for.
        if self.transport is not None and self.transport.get_write_buffer_size():
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self.should_close = True
        answer, self._answer = self._answer, None
        if answer is not None:
            # The end of a body is the provider's to say: not ours, and no accident's.
            if exc is None and not self._is_left and self._reader.finish():
                answer.go_on()
            else:
                answer.fail(_lost(self._response, exc))
        self._reader.close()
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)

    def _break_off(self, broke: Broke) -> None:
        answer, self._answer = self._answer, None
        self.abort()
        if answer is not None:
            answer.fail(broke)

    # As the pool sees it

    @property
    def closed(self) -> "asyncio.Future[None] | None":
        """What ends when the connection has; None if it is over and nobody has asked before."""
        if self._closed is None and self.transport is not None:
            self._closed = self._loop.create_future()
        return self._closed

    def is_connected(self) -> bool:
        """Return whether a request can be sent."""
        return self.transport is not None and not self.transport.is_closing()

    def close(self) -> None:
        """Close; whoever waits for an answer is told so."""
        # In good order only where nothing is under way: what has not left may never leave, and a provider
        # that is still sending would be heard out for half a minute (TLS).
        transport = self.transport
        if self._answer is not None or (transport and transport.get_write_buffer_size()):
            self.abort()
        elif transport is not None:
            self._is_left = self.should_close = True
            transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._is_left = self.should_close = True
        if self.transport is not None:
            self.transport.abort()


def _limit_ciphertext(transport: asyncio.Transport, most: int | None) -> None:
    """Bound what TLS takes from the socket and does not decipher; None: as it was.

    While reading is paused it must be no more than one read, behind which the socket is left alone, and so is
    its end: what lies there when uvloop hears of the end is lost, and an answer that ends with its connection
    would look whole (`SSLProtocol.eof_received`, uvloop 0.23).
    """
    limit = getattr(transport, "set_read_buffer_limits", None)
    if limit is not None:
        limit(high=most, low=None if most is None else 0)


def _malformed(response: Response, exc: MalformedError) -> Broke:
    cause = MalformedError(str(exc))  # without the frames that it came through
    if response.status:
        return Broke(UpstreamTruncatedError, BROKE_OFF, cause)
    return Broke(UpstreamUnavailableError, NOT_HTTP, cause)


def _lost(response: Response, exc: Exception | None) -> Broke:
    if response.status:
        return Broke(UpstreamTruncatedError, BROKE_OFF, exc)
    return Broke(UpstreamDisconnectedError, HUNG_UP if exc is None else FAILED, exc)
