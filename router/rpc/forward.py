"""The transparent service: OpenAI's HTTP API over gRPC."""

from collections.abc import AsyncGenerator
from typing import NamedTuple
from urllib.parse import unquote

from router.calls import Batch, Body, Listing, Operation
from router.errors import (
    MethodNotAllowedError,
    ModelNotFoundError,
    PathNotFoundError,
    TrunklineError,
)
from router.routing.snapshot import entry
from router.rpc import status
from router.rpc.door import Context, Door
from trunkline.v1 import forward_service_pb2 as pb
from trunkline.v1 import forward_service_pb2_grpc as pb_grpc

_JSON = "application/json"
_MODEL_PREFIX = "/v1/models/"

_ROUTES = {
    "/v1/models": ("GET", Operation.LIST_MODELS),
    "/v1/chat/completions": ("POST", Operation.CHAT),
}


class Target(NamedTuple):
    """What a method and a path ask for; `name` is the model's."""

    operation: Operation
    name: str = ""


def target_of(method: str, path: str) -> Target:
    """Return what `method` and `path` ask for.

    Raises:
        PathNotFoundError: if there is no such path.
        MethodNotAllowedError: if the path has another method.
        ModelNotFoundError: if the path names a model in bytes that are not UTF-8.

    """
    if path.startswith(_MODEL_PREFIX):
        allowed, operation = "GET", Operation.GET_MODEL
    elif path in _ROUTES:
        allowed, operation = _ROUTES[path]
    else:
        msg = f"Unknown request URL: {method} {path[:200]}."
        raise PathNotFoundError(msg)
    if method != allowed:
        msg = f"Not allowed to {method} on {path[:200]}: use {allowed}."
        raise MethodNotAllowedError(msg)
    try:
        name = unquote(path[len(_MODEL_PREFIX) :], errors="strict")
    except UnicodeDecodeError as exc:
        msg = "The model's name is not UTF-8."
        raise ModelNotFoundError(msg, param="model") from exc
    return Target(operation, name if operation is Operation.GET_MODEL else "")


class ForwardService(pb_grpc.ForwardServiceServicer):
    """See `forward_service.proto`."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def Forward(self, request: pb.ForwardRequest, context: Context) -> pb.ForwardResponse:
        """See `ForwardService.Forward` in the contract."""
        try:
            target = target_of(request.method, request.path)
        except TrunklineError as exc:
            await status.abort(context, exc, (), forwards=True)
        call = self._door.call(
            context, target.operation, body=lambda: request.body, name=target.name
        )
        body = b""
        async for event in self._door.events(context, call, forwards=True):
            match event:
                case Body(body):
                    pass
                case Listing(snapshot, model):
                    body = entry(model) if model else snapshot.listing
        return pb.ForwardResponse(content_type=_JSON, body=body)

    async def ForwardStream(
        self, request: pb.ForwardStreamRequest, context: Context
    ) -> AsyncGenerator[pb.ForwardStreamResponse, None]:
        """See `ForwardService.ForwardStream` in the contract."""
        inner = request.request
        try:
            target = target_of(inner.method, inner.path)
            if target.operation is not Operation.CHAT:
                msg = f"{inner.method} {inner.path[:200]} does not stream."
                raise MethodNotAllowedError(msg)
        except TrunklineError as exc:
            await status.abort(context, exc, (), forwards=True)
        call = self._door.call(context, target.operation, body=lambda: inner.body, is_stream=True)
        async for event in self._door.events(context, call, forwards=True):
            if isinstance(event, Batch):
                yield pb.ForwardStreamResponse(chunks=event.chunks, done=event.is_done)
