"""The typed chat service: a projection of OpenAI's JSON, through the same pipeline."""

from collections.abc import AsyncGenerator

from router.calls import Batch, Body, Operation
from router.rpc import codec
from router.rpc.door import Context, Door
from trunkline.v1 import chat_service_pb2 as pb
from trunkline.v1 import chat_service_pb2_grpc as pb_grpc


class ChatService(pb_grpc.ChatServiceServicer):
    """See `chat_service.proto`."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def CreateChatCompletion(
        self, request: pb.CreateChatCompletionRequest, context: Context
    ) -> pb.CreateChatCompletionResponse:
        """See `ChatService.CreateChatCompletion` in the contract."""
        call = self._door.call(
            context,
            Operation.CHAT,
            body=lambda: codec.params_to_json(request.params, stream=False),
        )
        response = pb.CreateChatCompletionResponse()
        async for event in self._door.events(context, call):
            if isinstance(event, Body):
                response.completion.CopyFrom(codec.completion_from_json(event.body))
        return response

    async def StreamChatCompletion(
        self, request: pb.StreamChatCompletionRequest, context: Context
    ) -> AsyncGenerator[pb.StreamChatCompletionResponse, None]:
        """See `ChatService.StreamChatCompletion` in the contract."""
        call = self._door.call(
            context,
            Operation.CHAT,
            body=lambda: codec.params_to_json(request.params, stream=True),
            is_stream=True,
        )
        async for event in self._door.events(context, call):
            if isinstance(event, Batch):
                for payload in event.chunks:
                    chunk = codec.chunk_from_json(payload)
                    if not _is_error(chunk):
                        yield pb.StreamChatCompletionResponse(chunk=chunk)


def _is_error(chunk: pb.ChatCompletionChunk) -> bool:
    """Whether a chunk is a provider's error frame: the call's status says it to typed callers."""
    return not chunk.choices and '"error"' in chunk.extra_json
