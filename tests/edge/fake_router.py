"""A router that says what a test tells it to: a real grpc.aio server on a free port."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from trunkline.v1.failure_pb2 import ForwardFailure
from trunkline.v1.forward_service_pb2 import (
    ForwardRequest,
    ForwardResponse,
    ForwardStreamRequest,
    ForwardStreamResponse,
)
from trunkline.v1.forward_service_pb2_grpc import (
    ForwardServiceServicer,
    add_ForwardServiceServicer_to_server,
)
from trunkline.v1.model_service_pb2 import (
    GetModelRequest,
    GetModelResponse,
    ListModelsRequest,
    ListModelsResponse,
    WatchModelsRequest,
    WatchModelsResponse,
)
from trunkline.v1.model_service_pb2_grpc import (
    ModelServiceServicer,
    add_ModelServiceServicer_to_server,
)
from trunkline.v1.status_pb2 import RouterStatus

Context = grpc.aio.ServicerContext[Any, Any]
Unary = Callable[[ForwardRequest, Context], Awaitable[ForwardResponse]]
Streaming = Callable[[ForwardRequest, Context], AsyncIterator[ForwardStreamResponse]]


@dataclass
class Seen:
    """One call as it arrived."""

    rpc: str
    request: ForwardRequest
    metadata: dict[str, str | bytes]
    seconds: float | None


@dataclass
class FakeRouter(ForwardServiceServicer, ModelServiceServicer):
    """`answer` and `stream` are the script; `seen` is what came."""

    answer: Unary | None = None
    stream: Streaming | None = None
    status: RouterStatus | None = field(
        default_factory=lambda: RouterStatus(serves_list=True, generation=7)
    )
    health: int = HealthCheckResponse.SERVING
    keys: frozenset[str] = frozenset()
    tells_last: bool = False
    seen: list[Seen] = field(default_factory=list)
    port: int = 0

    def will_answer(
        self, body: bytes = b'{"ok":true}', kind: str = "application/json", **metadata: str
    ) -> None:
        async def answer(request: ForwardRequest, context: Context) -> ForwardResponse:
            pairs = tuple((name.replace("_", "-"), value) for name, value in metadata.items())
            if self.tells_last:
                context.set_trailing_metadata(pairs)
            else:
                await context.send_initial_metadata(pairs)
            return ForwardResponse(content_type=kind, body=body)

        self.answer = answer

    def will_stream(self, *messages: ForwardStreamResponse, **metadata: str) -> None:
        async def stream(
            request: ForwardRequest, context: Context
        ) -> AsyncIterator[ForwardStreamResponse]:
            pairs = tuple((name.replace("_", "-"), value) for name, value in metadata.items())
            await context.send_initial_metadata(pairs)
            for message in messages:
                yield message

        self.stream = stream

    def will_fail(self, failure: "Failure") -> None:
        async def answer(request: ForwardRequest, context: Context) -> NoReturn:
            await failure.abort(context)

        async def stream(
            request: ForwardRequest, context: Context
        ) -> AsyncIterator[ForwardStreamResponse]:
            for _ in range(1):
                await failure.abort(context)
            yield ForwardStreamResponse()

        self.answer = answer
        self.stream = stream

    async def start(self) -> grpc.aio.Server:
        server = grpc.aio.server()
        add_ForwardServiceServicer_to_server(self, server)
        add_ModelServiceServicer_to_server(self, server)
        server.add_generic_rpc_handlers((_health_service(self._check),))
        self.port = server.add_insecure_port(f"127.0.0.1:{self.port}")
        await server.start()
        return server

    async def Forward(self, request: ForwardRequest, context: Context) -> ForwardResponse:
        self._see("Forward", request, context)
        if missing := _missing(request):
            await missing.abort(context)
        assert self.answer is not None, "an unexpected unary call"
        return await self.answer(request, context)

    async def ForwardStream(
        self, request: ForwardStreamRequest, context: Context
    ) -> AsyncIterator[ForwardStreamResponse]:
        self._see("ForwardStream", request.request, context)
        assert self.stream is not None, "an unexpected streaming call"
        async for message in self.stream(request.request, context):
            yield message

    async def ListModels(self, request: ListModelsRequest, context: Context) -> ListModelsResponse:
        self._see("ListModels", ForwardRequest(), context)
        assert request.page_size == 1
        if self.keys and self.seen[-1].metadata.get("authorization") not in self.keys:
            await Failure(grpc.StatusCode.UNAUTHENTICATED, "INVALID_API_KEY", "No such key.").abort(
                context
            )
        return ListModelsResponse()

    async def GetModel(self, request: GetModelRequest, context: Context) -> GetModelResponse:
        raise NotImplementedError

    def WatchModels(
        self, request: WatchModelsRequest, context: Context
    ) -> AsyncIterator[WatchModelsResponse]:
        raise NotImplementedError

    async def _check(self, request: HealthCheckRequest, context: Context) -> HealthCheckResponse:
        if self.status is not None:
            context.set_trailing_metadata(
                (("trunkline-status-bin", self.status.SerializeToString()),)
            )
        return HealthCheckResponse(status=self.health)

    def _see(self, rpc: str, request: ForwardRequest, context: Context) -> None:
        metadata = dict(context.invocation_metadata() or ())
        self.seen.append(Seen(rpc, request, metadata, context.time_remaining()))


def _health_service(check: Any) -> grpc.GenericRpcHandler:
    # By hand: the health package's servicer is typed for synchronous code only.
    handler = grpc.unary_unary_rpc_method_handler(
        check,
        request_deserializer=HealthCheckRequest.FromString,
        response_serializer=HealthCheckResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": handler})


@dataclass
class Failure:
    """A failed call, as a router tells it."""

    grpc_code: grpc.StatusCode
    reason: str
    message: str
    info: dict[str, str] = field(default_factory=dict)
    retry_seconds: float | None = None
    body: bytes = b""
    headers: tuple[tuple[str, str | bytes], ...] = ()

    def details(self) -> bytes:
        details = [ErrorInfo(reason=self.reason, domain="trunkline", metadata=self.info)]
        packed = [_pack(detail) for detail in details]
        if self.retry_seconds is not None:
            delay = Duration()
            delay.FromNanoseconds(round(self.retry_seconds * 1e9))
            packed.append(_pack(RetryInfo(retry_delay=delay)))
        if self.body:
            packed.append(_pack(ForwardFailure(body=self.body)))
        code = self.grpc_code.value[0]
        return Status(code=code, message=self.message, details=packed).SerializeToString()

    async def abort(self, context: Context) -> NoReturn:
        details: tuple[str, str | bytes] = ("grpc-status-details-bin", self.details())
        metadata = (details, *self.headers)
        await context.abort(self.grpc_code, self.message, metadata)
        raise AssertionError


NOTHING_THERE = Failure(grpc.StatusCode.NOT_FOUND, "NOT_FOUND", "Nothing is there.")
WRONG_METHOD = Failure(grpc.StatusCode.UNIMPLEMENTED, "METHOD_NOT_ALLOWED", "Not this way.")


def _missing(request: ForwardRequest) -> Failure | None:
    """What a router says of paths and methods that there are not."""
    if not request.path:
        return None
    is_models = request.path == "/v1/models" or re.fullmatch(r"/v1/models/.+", request.path)
    if not is_models and request.path not in ("/v1/chat/completions", "/v1/embeddings"):
        return NOTHING_THERE
    return None if request.method == ("GET" if is_models else "POST") else WRONG_METHOD


def _pack(message: Any) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed


def chunks(*payloads: bytes, done: bool = False) -> ForwardStreamResponse:
    return ForwardStreamResponse(chunks=payloads, done=done)


class Stall:
    """A call that hangs until it is released or cancelled, and says when it began and when it ended so."""

    def __init__(self, *first: ForwardStreamResponse) -> None:
        self._first = first
        self.entered = asyncio.Event()
        self.release = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def answer(self, request: ForwardRequest, context: Context) -> ForwardResponse:
        await self._hang()
        return ForwardResponse(content_type="application/json", body=b"{}")

    async def stream(
        self, request: ForwardRequest, context: Context
    ) -> AsyncIterator[ForwardStreamResponse]:
        for message in self._first:
            yield message
        await self._hang()
        yield ForwardStreamResponse(done=True)

    async def _hang(self) -> None:
        self.entered.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
