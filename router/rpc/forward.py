"""The transparent service: OpenAI's HTTP API over gRPC."""

from collections.abc import AsyncGenerator, Callable
from typing import NamedTuple
from urllib.parse import unquote

from router.calls import Batch, Body, Call, Event, Listing, Operation
from router.errors import (
    InternalError,
    MethodNotAllowedError,
    ModelNotFoundError,
    PathNotFoundError,
    TrunklineError,
)
from router.routing.snapshot import entry
from router.rpc.door import Context, Door
from trunkline.v1 import forward_service_pb2 as pb
from trunkline.v1 import forward_service_pb2_grpc as pb_grpc

_JSON = "application/json"
_MODEL_PREFIX = "/v1/models/"

_ROUTES = {
    "/v1/models": ("GET", Operation.LIST_MODELS),
    "/v1/chat/completions": ("POST", Operation.CHAT),
    "/v1/embeddings": ("POST", Operation.EMBEDDINGS),
    "/v1/route:explain": ("POST", Operation.EXPLAIN),
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
    if path.startswith(_MODEL_PREFIX) and path != _MODEL_PREFIX:
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
        call = self._call(context, request, is_stream=False)
        del request  # from here on the body is held where it is needed
        return await self._door.answer(context, call, _whole, forwards=True)

    async def ForwardStream(
        self, request: pb.ForwardStreamRequest, context: Context
    ) -> AsyncGenerator[pb.ForwardStreamResponse, None]:
        """See `ForwardService.ForwardStream` in the contract."""
        call = self._call(context, request.request, is_stream=True)
        del request  # see above
        async for response in self._door.answers(context, call, _part, forwards=True):
            yield response

    def _call(self, context: Context, request: pb.ForwardRequest, *, is_stream: bool) -> Call:
        try:
            target = target_of(request.method, request.path)
            if is_stream and target.operation is not Operation.CHAT:
                msg = f"{request.method} {request.path[:200]} does not stream."
                raise MethodNotAllowedError(msg)
        except TrunklineError as exc:
            # Who may not call learns that, and not which paths there are.
            return self._door.call(context, Operation.REFUSE, body=_raising(exc))
        return self._door.call(
            context,
            target.operation,
            body=_Body(request),
            name=target.name,
            is_stream=is_stream,
        )


class _Body:
    """Gives a request's body once, and lets go of the request."""

    __slots__ = ("_request",)

    def __init__(self, request: pb.ForwardRequest) -> None:
        self._request: pb.ForwardRequest | None = request

    def __call__(self) -> bytes:
        request, self._request = self._request, None
        return request.body if request else b""


def _raising(error: TrunklineError) -> Callable[[], bytes]:
    def body() -> bytes:
        raise error

    return body


def _whole(event: Event) -> pb.ForwardResponse:
    match event:
        case Body(body):
            return pb.ForwardResponse(content_type=_JSON, body=body)
        case Listing(snapshot, model):
            body = entry(model) if model else snapshot.listing
            return pb.ForwardResponse(content_type=_JSON, body=body)
    raise InternalError("A stream came where a whole answer was asked for.")


def _part(event: Event) -> pb.ForwardStreamResponse:
    if isinstance(event, Batch):
        part = pb.ForwardStreamResponse(done=event.is_done)
        part.chunks.extend(event.chunks)  # quicker than by name
        return part
    raise InternalError("A whole answer came where a stream was asked for.")
