"""The typed embedding service: a projection of OpenAI's JSON, through the same pipeline."""

from router.calls import Body, Event, Operation
from router.rpc import codec
from router.rpc.door import Context, Door
from trunkline.v1 import embedding_service_pb2 as pb
from trunkline.v1 import embedding_service_pb2_grpc as pb_grpc


class EmbeddingService(pb_grpc.EmbeddingServiceServicer):
    """See `embedding_service.proto`."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def CreateEmbedding(
        self, request: pb.CreateEmbeddingRequest, context: Context
    ) -> pb.CreateEmbeddingResponse:
        """See `EmbeddingService.CreateEmbedding` in the contract."""
        call = self._door.call(
            context,
            Operation.EMBEDDINGS,
            body=lambda: codec.embedding_params_to_json(request.params),
        )
        return await self._door.answer(context, call, _whole)


def _whole(event: Event) -> pb.CreateEmbeddingResponse:
    body = event.body if isinstance(event, Body) else b""
    return pb.CreateEmbeddingResponse(embeddings=codec.embeddings_from_json(body))
