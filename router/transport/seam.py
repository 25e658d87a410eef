"""The contract of a transport."""

from collections.abc import Awaitable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from router.wire.http import HttpRequest


class HttpResponse(Protocol):
    """An answer whose status and headers have arrived; its body is read once, whole or as it comes."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the headers by their names in lower case; of repeated ones the first."""
        ...

    async def read(self, limit: int) -> bytes:
        """Return the whole body, decompressed.

        Raises:
            UpstreamUnavailableError: if it is larger than `limit` bytes or cannot be decompressed.
            UpstreamTruncatedError: if the connection breaks off before its end.

        """
        ...

    def read_some(self) -> Awaitable[bytes]:
        """Return the next of the body, decompressed: what arrived together, at its end nothing.

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
