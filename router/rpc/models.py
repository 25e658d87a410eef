"""The typed model service."""

from collections.abc import AsyncGenerator

from router.calls import Event, Listing, Operation
from router.errors import InternalError
from router.rpc import codec
from router.rpc.door import Context, Door
from trunkline.v1 import model_service_pb2 as pb
from trunkline.v1 import model_service_pb2_grpc as pb_grpc


class ModelService(pb_grpc.ModelServiceServicer):
    """See `model_service.proto`."""

    def __init__(self, door: Door, standing: codec.StandingOf) -> None:
        self._door = door
        self._standing = standing

    async def ListModels(
        self, request: pb.ListModelsRequest, context: Context
    ) -> pb.ListModelsResponse:
        """See `ModelService.ListModels` in the contract."""

        def page(event: Event) -> pb.ListModelsResponse:
            snapshot = _listing(event).snapshot
            return codec.list_models_response(
                snapshot, self._standing, request.page_size, request.page_token
            )

        call = self._door.call(context, Operation.LIST_MODELS)
        return await self._door.answer(context, call, page)

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.GetModelResponse:
        """See `ModelService.GetModel` in the contract."""

        def one(event: Event) -> pb.GetModelResponse:
            model = _listing(event).model
            message = codec.model_message(model, self._standing) if model else None
            return pb.GetModelResponse(model=message)

        call = self._door.call(context, Operation.GET_MODEL, name=request.id)
        return await self._door.answer(context, call, one)

    async def WatchModels(
        self, request: pb.WatchModelsRequest, context: Context
    ) -> AsyncGenerator[pb.WatchModelsResponse, None]:
        """See `ModelService.WatchModels` in the contract."""
        del request

        def state(event: Event) -> pb.WatchModelsResponse:
            return codec.watch_models_response(_listing(event).snapshot, self._standing)

        call = self._door.call(context, Operation.WATCH_MODELS)
        async for response in self._door.answers(context, call, state):
            yield response


def _listing(event: Event) -> Listing:
    if isinstance(event, Listing):
        return event
    raise InternalError("A model operation answered with something else.")
