"""GET /v1/models and /v1/models/{id}: the list is the router's, the path goes there as it came."""

from edge.handlers.forwarding import ForwardingHandler
from trunkline.v1.forward_service_pb2 import ForwardRequest


class ModelsHandler(ForwardingHandler):
    """The list, or one model of it. Ids contain slashes, encoded or not."""

    async def answer(self) -> None:
        await self.forward(ForwardRequest(method="GET", path=self.request.path))
