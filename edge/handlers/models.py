"""GET /v1/models and /v1/models/{id}: the list is the router's, the path goes there as it came."""

from urllib.parse import quote

from edge.handlers.forwarding import ForwardingHandler
from trunkline.v1.forward_service_pb2 import ForwardRequest

# Everything printable stays as it is: only what no URL may hold is encoded.
_SAFE = "".join(map(chr, range(0x21, 0x7F)))


class ModelsHandler(ForwardingHandler):
    """The list, or one model of it. Ids contain slashes, encoded or not."""

    async def answer(self) -> None:
        # Tornado reads the request line as Latin-1, so this restores the bytes that were sent.
        path = quote(self.request.path.encode("latin-1"), safe=_SAFE)
        await self.forward(ForwardRequest(method="GET", path=path))
