"""The typed chat service: a projection of OpenAI's JSON, through the same pipeline."""

from collections.abc import AsyncGenerator
from typing import Final

from router.calls import Batch, Body, Event, Operation
from router.rpc import codec
from router.rpc.codec import members
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
        return await self._door.answer(context, call, _whole)

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
        async for chunks in self._door.answers(context, call, _chunks):
            for chunk in chunks:
                yield pb.StreamChatCompletionResponse(chunk=chunk)


def _whole(event: Event) -> pb.CreateChatCompletionResponse:
    body = event.body if isinstance(event, Body) else b""
    return pb.CreateChatCompletionResponse(completion=codec.completion_from_json(body))


def _chunks(event: Event) -> list[pb.ChatCompletionChunk]:
    payloads = event.chunks if isinstance(event, Batch) else ()
    chunks = map(codec.chunk_from_json, payloads)
    return [chunk for chunk in chunks if not _is_error(chunk)]


def _is_error(chunk: pb.ChatCompletionChunk) -> bool:
    """Whether a chunk is a provider's error frame: the call's status says it to typed callers."""
    if chunk.choices or '"error"' not in chunk.extra_json:
        return False
    # Not read as values: a number in it may be longer than Python reads.
    return members.split(chunk.extra_json.encode()).get("error", b"null") not in _NOTHING


_NOTHING: Final = frozenset({b"null", b"false", b"0", b'""', b"{}", b"[]"})
"""What an `error` member says that is there and says nothing."""
