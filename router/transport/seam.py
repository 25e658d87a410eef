"""The contract of a transport."""

from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from router.wire.http import HttpRequest


class Chunks(Protocol):
    """What an asynchronous generator is to who reads it."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    def __anext__(self) -> Awaitable[bytes]: ...

    def aclose(self) -> Awaitable[None]: ...


class HttpResponse(Protocol):
    """An answer whose status and headers have arrived; its body is read at most once."""

    status: int
    headers: Mapping[str, str]
    """Header names in lower case; of repeated headers the first."""

    async def read(self, limit: int) -> bytes:
        """Return the whole body, decompressed.

        Raises:
            UpstreamUnavailableError: if it is larger than `limit` bytes or cannot be decompressed.
            UpstreamTruncatedError: if the connection breaks off before its end.

        """
        ...

    def chunks(self) -> Chunks:
        """Yield the body as it arrives, decompressed; what arrived together comes together.

        Raises:
            UpstreamTruncatedError: if the connection breaks off before the body's end.
            UpstreamUnavailableError: if it cannot be decompressed.

        """
        ...


class Transport(Protocol):
    """Sends requests. Lives as long as the application."""

    def send(
        self, request: HttpRequest, *, connect_timeout: float
    ) -> AbstractAsyncContextManager[HttpResponse]:
        """Send `request` and give the answer once its head has arrived; leaving the context ends it.

        Redirects are never followed. Cancelling the caller closes the connection.

        Raises:
            UpstreamUnavailableError: if no answer can be had, also if no connection is made within
                `connect_timeout` seconds: an address that does not answer is not reachable.

        """
        ...
