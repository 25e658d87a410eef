"""The typed route service: what explains where a request would go."""

from google.protobuf import json_format

from router.calls import Body, Event, Operation
from router.rpc import codec
from router.rpc.door import Context, Door
from trunkline.v1 import route_service_pb2 as pb
from trunkline.v1 import route_service_pb2_grpc as pb_grpc


class RouteService(pb_grpc.RouteServiceServicer):
    """See `route_service.proto`."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def ExplainRoute(
        self, request: pb.ExplainRouteRequest, context: Context
    ) -> pb.ExplainRouteResponse:
        """See `RouteService.ExplainRoute` in the contract."""
        call = self._door.call(
            context,
            Operation.EXPLAIN,
            body=lambda: codec.params_to_json(request.params, stream=False),
        )
        return await self._door.answer(context, call, _whole)


def _whole(event: Event) -> pb.ExplainRouteResponse:
    body = event.body if isinstance(event, Body) else b"{}"
    return pb.ExplainRouteResponse(explanation=json_format.Parse(body, pb.RouteExplanation()))
