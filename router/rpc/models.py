"""The typed model service."""

from collections.abc import AsyncGenerator

from router.calls import Listing, Operation
from router.errors import InvalidRequestError
from router.rpc import codec, status
from router.rpc.door import Context, Door
from trunkline.v1 import model_service_pb2 as pb
from trunkline.v1 import model_service_pb2_grpc as pb_grpc


class ModelService(pb_grpc.ModelServiceServicer):
    """See `model_service.proto`."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def ListModels(
        self, request: pb.ListModelsRequest, context: Context
    ) -> pb.ListModelsResponse:
        """See `ModelService.ListModels` in the contract."""
        call = self._door.call(context, Operation.LIST_MODELS)
        response = pb.ListModelsResponse()
        async for event in self._door.events(context, call):
            if isinstance(event, Listing):
                try:
                    response = codec.list_models_response(
                        event.snapshot, request.page_size, request.page_token
                    )
                except InvalidRequestError as exc:
                    await status.abort(context, exc, (), forwards=False)
        return response

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.GetModelResponse:
        """See `ModelService.GetModel` in the contract."""
        call = self._door.call(context, Operation.GET_MODEL, name=request.id)
        response = pb.GetModelResponse()
        async for event in self._door.events(context, call):
            if isinstance(event, Listing) and event.model:
                response.model.CopyFrom(codec.model_message(event.model))
        return response

    async def WatchModels(
        self, request: pb.WatchModelsRequest, context: Context
    ) -> AsyncGenerator[pb.WatchModelsResponse, None]:
        """See `ModelService.WatchModels` in the contract."""
        del request
        call = self._door.call(context, Operation.WATCH_MODELS)
        async for event in self._door.events(context, call):
            if isinstance(event, Listing):
                yield codec.watch_models_response(event.snapshot)
