"""Chooses the transport by the scheme of the address: the network, or a provider that is built in."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

from router.transport.seam import HttpResponse, Transport
from router.wire.http import HttpRequest


class SchemeTransport:
    """Hands each request to the transport of its scheme; `otherwise` serves all schemes not named."""

    def __init__(self, by_scheme: Mapping[str, Transport], otherwise: Transport) -> None:
        self._by_scheme = by_scheme
        self._otherwise = otherwise

    def send(
        self, request: HttpRequest, *, connect_timeout: float
    ) -> AbstractAsyncContextManager[HttpResponse]:
        """See `Transport.send`."""
        scheme = request.url.partition(":")[0]
        transport = self._by_scheme.get(scheme, self._otherwise)
        return transport.send(request, connect_timeout=connect_timeout)
