"""The same servicers behind two kinds of channel: what holds for the one must hold for the other."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import grpc
import pytest

from launch.inprocess import FORWARDED, InProcessServer
from trunkline.v1.forward_service_pb2 import (
    ForwardRequest,
    ForwardResponse,
    ForwardStreamRequest,
    ForwardStreamResponse,
)
from trunkline.v1.forward_service_pb2_grpc import (
    ForwardServiceServicer,
    ForwardServiceStub,
    add_ForwardServiceServicer_to_server,
)

T = TypeVar("T")

PATIENCE = 90.0
"""Seconds after which something that should happen is taken as not happening."""

LIMIT = 1024 * 1024
"""Of a message, in bytes."""

COPYING = ("grpc", "inprocess")
WAYS = (*COPYING, "handed over")


async def soon(awaitable: Awaitable[T]) -> T:
    return await asyncio.wait_for(awaitable, PATIENCE)


async def echo(request: ForwardRequest, context: Any) -> ForwardResponse:
    return ForwardResponse(content_type="text/plain", body=request.body)


async def echo_chunks(
    request: ForwardRequest, context: Any
) -> AsyncGenerator[ForwardStreamResponse, None]:
    for byte in request.body:
        yield part(bytes([byte]))


async def failure_of(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await soon(call)
    return caught.value


async def read_all(call: Any, into: list[bytes] | None = None) -> list[bytes]:
    chunks = [] if into is None else into
    async for response in call:
        chunks.extend(response.chunks)
    return chunks


def part(chunk: bytes) -> ForwardStreamResponse:
    return ForwardStreamResponse(chunks=[chunk])


@dataclass
class Servicer(ForwardServiceServicer):
    """`answer` and `stream` are its script."""

    answer: Callable[[ForwardRequest, Any], Awaitable[ForwardResponse]] = echo
    stream: Callable[[ForwardRequest, Any], AsyncGenerator[ForwardStreamResponse, None]] = (
        echo_chunks
    )
    calls: int = 0

    async def Forward(self, request: ForwardRequest, context: Any) -> ForwardResponse:
        self.calls += 1
        return await self.answer(request, context)

    async def ForwardStream(
        self, request: ForwardStreamRequest, context: Any
    ) -> AsyncIterator[ForwardStreamResponse]:
        self.calls += 1
        async with aclosing(self.stream(request.request, context)) as responses:
            async for response in responses:
                yield response


@dataclass
class Way:
    """A servicer and a channel to it, of one kind."""

    kind: str
    servicer: Servicer
    server: grpc.aio.Server
    channel: grpc.aio.Channel
    stub: Any = field(init=False)

    def __post_init__(self) -> None:
        self.stub = ForwardServiceStub(self.channel)

    def unary(self, body: bytes = b"", **options: Any) -> Any:
        return self.stub.Forward(ForwardRequest(body=body), **options)

    def streamed(self, body: bytes = b"", **options: Any) -> Any:
        message = ForwardStreamRequest(request=ForwardRequest(body=body))
        return self.stub.ForwardStream(message, **options)


@asynccontextmanager
async def opened(kind: str, *add: Callable[[grpc.aio.Server], None]) -> AsyncIterator[Way]:
    """Give a started server with what `add` adds, and a channel to it."""
    options = (
        ("grpc.max_receive_message_length", LIMIT),
        ("grpc.max_send_message_length", LIMIT),
    )
    server: grpc.aio.Server
    if kind == "grpc":
        server = grpc.aio.server(options=options)
        port = server.add_insecure_port("127.0.0.1:0")
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options)
    else:
        handed_over = FORWARDED if kind == "handed over" else frozenset()
        server = InProcessServer(max_message_bytes=LIMIT, handed_over=handed_over)
        channel = server.open_channel()
    servicer = Servicer()
    add_ForwardServiceServicer_to_server(servicer, server)
    for register in add:
        register(server)
    await server.start()
    try:
        yield Way(kind, servicer, server, channel)
    finally:
        await channel.close()
        await server.stop(None)


@pytest.fixture(params=WAYS)
async def way(request: pytest.FixtureRequest) -> AsyncIterator[Way]:
    """Each kind of channel; handed over: without copies of messages."""
    async with opened(request.param) as way:
        yield way


@pytest.fixture(params=COPYING)
async def copying_way(request: pytest.FixtureRequest) -> AsyncIterator[Way]:
    """Each kind of channel that knows the bytes of its messages."""
    async with opened(request.param) as way:
        yield way


@pytest.fixture(params=WAYS[1:])
async def local_way(request: pytest.FixtureRequest) -> AsyncIterator[Way]:
    """What is promised of an in-process channel alone."""
    async with opened(request.param) as way:
        yield way


class Hanging:
    """A servicer's script that hangs after `first`, and says when it began and how it ended."""

    def __init__(self, *first: bytes) -> None:
        self._first = first
        self.entered = asyncio.Event()
        self.release = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.called_back = asyncio.Event()
        self.context: Any = None

    async def answer(self, request: ForwardRequest, context: Any) -> ForwardResponse:
        await self._hang(context)
        return ForwardResponse(body=request.body)

    async def stream(
        self, request: ForwardRequest, context: Any
    ) -> AsyncGenerator[ForwardStreamResponse, None]:
        for chunk in self._first:
            yield part(chunk)
        await self._hang(context)
        yield part(b"last")

    async def _hang(self, context: Any) -> None:
        self.context = context
        context.add_done_callback(self._call_back)
        self.entered.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    def _call_back(self, context: Any) -> None:
        assert context is self.context
        self.called_back.set()
