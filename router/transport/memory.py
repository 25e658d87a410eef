"""The in-memory twin of the transport: answers by calling a function. For tests and built-in providers."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from router.errors import UpstreamError, UpstreamUnavailableError
from router.values import NO_HEADERS
from router.wire.http import HttpRequest


@dataclass
class MemoryResponse:
    """An answer made beforehand: `parts` are what arrives, one read each; an error among them is raised."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)
    parts: Iterable[bytes | UpstreamError] = ()

    async def read(self, limit: int) -> bytes:
        """See `HttpResponse.read`."""
        body = b"".join([part async for part in self.chunks()])
        if len(body) > limit:
            msg = f"The provider's answer is larger than {limit} bytes."
            raise UpstreamUnavailableError(msg)
        return body

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """See `HttpResponse.chunks`."""
        for part in self.parts:
            if isinstance(part, UpstreamError):
                raise part
            yield part


class MemoryTransport:
    """Answers each request by `respond`, and remembers the requests in `sent`."""

    def __init__(self, respond: Callable[[HttpRequest], MemoryResponse]) -> None:
        self._respond = respond
        self.sent: list[HttpRequest] = []

    @asynccontextmanager
    async def send(
        self, request: HttpRequest, *, connect_timeout: float
    ) -> AsyncIterator[MemoryResponse]:
        """See `Transport.send`."""
        del connect_timeout
        self.sent.append(request)
        yield self._respond(request)
