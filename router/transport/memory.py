"""The in-memory twin of the transport: answers by calling a function. For tests and built-in providers."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from router.errors import UpstreamError
from router.transport.answer import Readable
from router.values import NO_HEADERS
from router.wire.http import HttpRequest


@dataclass
class MemoryResponse(Readable):
    """An answer made beforehand: `parts` are what arrives, one read each; an error among them is raised."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)
    parts: Iterable[bytes | UpstreamError] = ()

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Be read from the start: one answer may do for several requests, one after the other."""
        self._coming: Iterator[bytes | UpstreamError] = iter(self.parts)

    async def read_some(self) -> bytes:
        """See `HttpResponse.read_some`."""
        for part in self._coming:
            if isinstance(part, UpstreamError):
                raise part
            if part:
                return part
        return b""


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
        response = self._respond(request)
        response.begin()
        yield response
