"""Typed gRPC calls with a client that nobody has configured, and what their failures say."""

from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from trunkline.v1 import chat_service_pb2 as chat
from trunkline.v1 import chat_service_pb2_grpc as chat_grpc
from trunkline.v1 import failure_pb2, forward_service_pb2_grpc, model_service_pb2_grpc
from trunkline.v1 import forward_service_pb2 as forward


@dataclass(frozen=True)
class Stubs:
    """Every service of one router."""

    channel: grpc.aio.Channel
    chat: Any
    models: Any
    forward: Any


@asynccontextmanager
async def stubs(address: str, options: Sequence[tuple[str, Any]] = ()) -> AsyncIterator[Stubs]:
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        yield Stubs(
            channel,
            chat_grpc.ChatServiceStub(channel),
            model_service_pb2_grpc.ModelServiceStub(channel),
            forward_service_pb2_grpc.ForwardServiceStub(channel),
        )


def unary(said: str = "hi", model: str = "m", **fields: Any) -> chat.CreateChatCompletionRequest:
    return chat.CreateChatCompletionRequest(params=_params(said, model, fields))


def streamed(said: str = "hi", model: str = "m", **fields: Any) -> chat.StreamChatCompletionRequest:
    return chat.StreamChatCompletionRequest(params=_params(said, model, fields))


def _params(said: str, model: str, fields: dict[str, Any]) -> chat.ChatCompletionParams:
    message = chat.ChatMessage(role="user", content=said)
    return chat.ChatCompletionParams(model=model, messages=[message], **fields)


def http(method: str, path: str, body: bytes = b"") -> forward.ForwardRequest:
    return forward.ForwardRequest(method=method, path=path, body=body)


def posted(body: bytes) -> forward.ForwardRequest:
    return http("POST", "/v1/chat/completions", body)


@dataclass(frozen=True)
class Failed:
    """A call's failure: the status as every client sees it, and its details."""

    code: grpc.StatusCode
    message: str
    details: Status
    info: ErrorInfo
    retry: RetryInfo | None
    forwarded: bytes
    trailers: dict[str, str | bytes]

    @property
    def everything(self) -> str:
        """All that was said, to look for what must not be."""
        return f"{self.message}{self.details}{self.info}{self.forwarded!r}{self.trailers}"


async def failure_of(call: Awaitable[object]) -> Failed:
    """Wait for a call to fail; give what it says."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return read(caught.value)


def read(error: grpc.aio.AioRpcError) -> Failed:
    trailers = dict(error.trailing_metadata() or ())
    packed = trailers.get("grpc-status-details-bin", b"")
    details = Status.FromString(packed if isinstance(packed, bytes) else b"")
    info, retry, passed = ErrorInfo(), RetryInfo(), failure_pb2.ForwardFailure()
    has_retry = False
    for detail in details.details:
        if not (detail.Unpack(info) or detail.Unpack(passed)):
            has_retry = detail.Unpack(retry) or has_retry
    return Failed(
        error.code(),
        error.details() or "",
        details,
        info,
        retry if has_retry else None,
        passed.body,
        trailers,
    )


async def everything(call: Any) -> list[Any]:
    """Read a stream to its end; also one that has been read from before."""
    seen: list[Any] = []
    await _read_into(seen, call)
    return seen


async def code_of(call: Any) -> grpc.StatusCode:
    """Read a stream to its end, whatever it is; give its code."""
    with suppress(grpc.aio.AioRpcError):
        await everything(call)
    code: grpc.StatusCode = await call.code()
    return code


async def until_failure(call: Any) -> tuple[list[Any], Failed]:
    """Read a stream that fails; give what came before, and the failure."""
    seen: list[Any] = []
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _read_into(seen, call)
    return seen, read(caught.value)


async def _read_into(seen: list[Any], call: Any) -> None:
    while (message := await call.read()) is not grpc.aio.EOF:
        seen.append(message)
