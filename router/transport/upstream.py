"""A connection to a provider, from the event loop's transport to the answer that somebody reads.

Strategy: one task at most waits for an answer, first for its head, then for the next of its body; it waits
for a future that the connection resolves with what came. What nobody waits for is kept, and beyond
`READ_AHEAD` the connection is read no further. Connections live in aiohttp's pool: see `direct.py`.
"""

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol, cast

from router.errors import (
    UpstreamDisconnectedError,
    UpstreamError,
    UpstreamTruncatedError,
    UpstreamUnavailableError,
)
from router.transport.answer import whole
from router.wire.http1 import MalformedError, Response, ResponseReader

READ_AHEAD: Final = 128 * 1024
"""Bytes of a body that wait for its reader."""


class Lease(Protocol):
    """What the pool gives for a connection: somebody has it until one of these is called."""

    def release(self) -> None:
        """Give it back."""

    def close(self) -> None:
        """Close it, unless it was given back."""


class Answer:
    """The answer to one request; see `HttpResponse`. Its connection is free once all of it has come."""

    __slots__ = ("_connection", "_failure", "_headed", "_lease", "_loop", "_response", "_waiter")

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
        self._headed: asyncio.Future[None] = loop.create_future()
        self._waiter: asyncio.Future[bytes] | None = None
        self._failure: UpstreamError | None = None

    @property
    def status(self) -> int:
        return self._response.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._response.headers

    def headed(self) -> "asyncio.Future[None]":
        """Return what ends when the head is there, or with an `UpstreamError` if there will be none."""
        return self._headed

    def read_some(self) -> "asyncio.Future[bytes]":
        """See `HttpResponse.read_some`."""
        future: asyncio.Future[bytes] = self._loop.create_future()
        response = self._response
        if response.pieces:
            future.set_result(response.take())
            if self._connection is not None:
                self._connection.read_on()
        elif self._failure is not None:
            future.set_exception(self._failure)
        elif response.is_over:
            future.set_result(b"")
        else:
            self._waiter = future
        return future

    async def read(self, limit: int) -> bytes:
        """See `HttpResponse.read`."""
        return await whole(self, limit)

    def close(self) -> None:
        """Read no more: a connection that is not at the end of the body ends with it."""
        self._lease.close()

    def go_on(self) -> None:
        """Hand on what came. For the connection."""
        response, headed, waiter = self._response, self._headed, self._waiter
        if response.is_over or self._failure is not None:
            self._connection = None
            self._lease.release()
        if not headed.done():
            if response.status:
                headed.set_result(None)
            elif self._failure is not None:
                headed.set_exception(self._failure)
                headed.exception()  # there may be nobody who waits
        elif waiter is not None:
            if not response.pieces and not response.is_over and self._failure is None:
                return
            self._waiter = None
            if waiter.done():
                return  # whoever waited has given up
            if response.pieces:
                waiter.set_result(response.take())
            elif self._failure is not None:
                waiter.set_exception(self._failure)
            else:
                waiter.set_result(b"")

    def fail(self, failure: UpstreamError) -> None:
        """Nothing more comes. For the connection."""
        self._failure = failure
        self.go_on()


class UpstreamConnection(asyncio.Protocol):
    """A connection, as the pool keeps it; one request at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._reader = ResponseReader()
        self._answer: Answer | None = None
        self._response = Response()
        self._is_paused = False
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
            raise UpstreamDisconnectedError("The provider hung up without an answer.")
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

    # As the event loop sees it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        answer, response = self._answer, self._response
        if answer is None:
            self.abort()  # nobody has asked for anything
            return
        try:
            self._reader.feed(data)
        except MalformedError as exc:
            self._break_off(_malformed(response, exc))
            return
        if response.is_over:
            self._answer = None
            self.should_close = self._reader.is_spoiled or not response.keeps_alive
        answer.go_on()
        if response.size > READ_AHEAD and not response.is_over and self.transport is not None:
            self._is_paused = True
            self.transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self.should_close = True
        answer, self._answer = self._answer, None
        if answer is not None:
            if self._reader.finish() and exc is None:
                answer.go_on()
            else:
                answer.fail(_lost(self._response, exc))
        self._reader.close()
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)

    def _break_off(self, failure: UpstreamError) -> None:
        answer, self._answer = self._answer, None
        self.abort()
        if answer is not None:
            answer.fail(failure)

    # As the pool sees it

    @property
    def closed(self) -> "asyncio.Future[None] | None":
        """What ends when the connection has; None if it is over."""
        if self._closed is None and self.transport is not None:
            self._closed = self._loop.create_future()
        return self._closed

    def is_connected(self) -> bool:
        """Return whether a request can be sent."""
        return self.transport is not None and not self.transport.is_closing()

    def close(self) -> None:
        """Close; whoever waits for an answer is told when it has come about."""
        self.should_close = True
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """Close at once."""
        self.should_close = True
        if self.transport is not None:
            self.transport.abort()


def _malformed(response: Response, exc: MalformedError) -> UpstreamError:
    kind = UpstreamTruncatedError if response.status else UpstreamUnavailableError
    error = kind(_BROKE_OFF if response.status else "The provider's answer is not valid HTTP.")
    error.__cause__ = exc
    return error


def _lost(response: Response, exc: Exception | None) -> UpstreamError:
    if response.status:
        error: UpstreamError = UpstreamTruncatedError(_BROKE_OFF)
    elif exc is None:
        error = UpstreamDisconnectedError("The provider hung up without an answer.")
    else:
        error = UpstreamDisconnectedError("The connection to the provider failed.")
    error.__cause__ = exc
    return error


_BROKE_OFF: Final = "The provider's answer broke off."
