"""Drives the hot path without sockets, in one process: what `bench.instructions` counts.

    router-unary, router-stream    the pipeline: account, authenticate, dispatch, an OpenAI-style provider
    gateway-unary, gateway-stream  the same behind the edge's handlers and the router's service

Between the tiers stands the in-process channel; the provider is the transport's twin in memory. All runs
begin with a few requests of each kind, so that what happens once cancels out.
"""

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from types import SimpleNamespace
from typing import Any, Final, cast

from prometheus_client import CollectorRegistry
from tornado.httputil import HTTPHeaders, RequestStartLine

from edge.app import EdgeApp
from edge.config import EdgeConfig
from launch import logs
from launch.config import LogConfig
from launch.inprocess import FORWARDED, InProcessServer
from router.calls import Call, CallRecord, Operation, Stage
from router.config import AdmissionConfig
from router.dispatch import Dispatcher, Journal, Limits, World
from router.pipeline import Account, Admit, Authenticate, fold
from router.routing.health import HealthBook
from router.routing.snapshot import Model, Snapshot
from router.rpc.door import Door
from router.rpc.forward import ForwardService
from router.transport.memory import MemoryResponse, MemoryTransport
from router.values import Deployment, Dialect, Endpoint, Provider, Secret
from router.wire.http import HttpRequest
from trunkline.v1 import forward_service_pb2_grpc

WARM_UP: Final = 3
CHUNKS: Final = 40

Pairs = tuple[tuple[str, str], ...]


def _body(**fields: object) -> bytes:
    messages = [{"role": "user", "content": "How long is the coast of an island? " * 8}]
    return json.dumps({"model": "m", "messages": messages, **fields}).encode()


UNARY: Final = _body()
STREAM: Final = _body(stream=True)


def _event(delta: Mapping[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    fields = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "choices": [choice],
    }
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


_PARTS: Final = (
    _event({"role": "assistant", "content": ""}),
    *(_event({"content": f" word {number}"}) for number in range(CHUNKS)),
    _event({}, "stop"),
    b"data: [DONE]\n\n",
)

_WHOLE: Final = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "It depends on the rule. " * 50},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": 200, "total_tokens": 209},
    }
).encode()


def _respond(request: HttpRequest) -> MemoryResponse:
    is_stream = b'"stream": true' in request.body
    kind = "text/event-stream" if is_stream else "application/json"
    return MemoryResponse(200, {"content-type": kind}, parts=_PARTS if is_stream else (_WHOLE,))


async def _unsigned(provider: Provider, request: HttpRequest) -> HttpRequest:
    raise AssertionError(f"{provider.name} needs no signature: {request.url}")


def _pipeline() -> Stage:
    """Return the router's pipeline as `router.app` composes it: the one place that knows constructors."""
    metrics = CollectorRegistry()
    world = World(
        transport=MemoryTransport(_respond),
        book=HealthBook(lambda: 0.5),
        journal=Journal(metrics),
        limits=Limits(request=1_000_000, answer=1_000_000),
        sign=_unsigned,
        clock=lambda: 1_700_000_000.5,
        random=lambda: 0.5,
    )
    wrappers = (Account(metrics), Authenticate(()), Admit(AdmissionConfig(), metrics))
    return fold(wrappers, Dispatcher(world).chat)


def _snapshot() -> Snapshot:
    key = Secret("key-of-ours-" + "x" * 152)  # as long as those of OpenAI
    provider = Provider("p", "http://host", key, key_variable="P_API_KEY", secrets=(key,))
    deployment = Deployment(
        model="m",
        upstream_model="up",
        provider=provider,
        dialect=Dialect.OPENAI,
        endpoint=Endpoint.CHAT,
        path="/v1/chat/completions",
    )
    model = Model("m", 1, "p", "", (deployment,))
    return Snapshot(generation=1, models=(model,), by_name={"m": model})


async def _through_router(pipeline: Stage, listed: Snapshot, body: bytes, *, stream: bool) -> None:
    call = Call(
        operation=Operation.CHAT,
        request_id="r",
        credential=None,
        snapshot=listed,
        deadline=asyncio.get_running_loop().time() + 600,
        record=CallRecord(started=perf_counter()),
        body=lambda: body,
        is_stream=stream,
    )
    async for _ in pipeline(call):
        pass


class _Stream:
    """The socket under a connection."""

    def set_nodelay(self, value: object) -> None:
        """There is nothing to set."""

    def set_close_callback(self, callback: object) -> None:
        """It never closes by itself."""

    def close(self) -> None:
        raise AssertionError("no deadline passes here")


class _Connection:
    """A client's connection as Tornado's handlers see it; takes the answer and drops it."""

    def __init__(self) -> None:
        self.stream = _Stream()
        self.context = SimpleNamespace(remote_ip="127.0.0.1", protocol="http", address=None)
        self.done = asyncio.get_running_loop().create_future()
        self.status = 0

    def set_close_callback(self, callback: object) -> None:
        del callback

    def write_headers(
        self, start_line: Any, headers: object, chunk: bytes | None = None
    ) -> Awaitable[None]:
        del headers, chunk
        self.status = start_line.code
        return _ready()

    def write(self, chunk: bytes) -> Awaitable[None]:
        del chunk
        return _ready()

    def finish(self) -> None:
        self.done.set_result(None)


def _ready() -> "asyncio.Future[None]":
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future


async def _edge(pipeline: Stage, listed: Snapshot) -> EdgeApp:
    server = InProcessServer(handed_over=FORWARDED)
    service = ForwardService(Door(pipeline, lambda: listed))
    forward_service_pb2_grpc.add_ForwardServiceServicer_to_server(service, server)
    await server.start()
    return EdgeApp(EdgeConfig(), server.open_channel(), CollectorRegistry())


async def _through_gateway(app: EdgeApp, body: bytes) -> None:
    connection = _Connection()
    delegate = app._server.start_request(object(), cast("Any", connection))  # noqa: SLF001 (in place of a port)
    headers = {"host": "h", "content-type": "application/json", "content-length": str(len(body))}
    for step in (
        delegate.headers_received(
            RequestStartLine("POST", "/v1/chat/completions", "HTTP/1.1"), HTTPHeaders(headers)
        ),
        delegate.data_received(body),
    ):
        if step is not None:
            await step
    delegate.finish()
    await connection.done
    if connection.status != 200:
        raise RuntimeError(f"the gateway answered {connection.status}")


async def drive(counts: Mapping[str, int]) -> None:
    """Do as many requests of each kind as `counts` says."""
    pipeline, listed = _pipeline(), _snapshot()
    app = await _edge(pipeline, listed)
    ways: dict[str, Callable[[], Awaitable[None]]] = {
        "router-unary": lambda: _through_router(pipeline, listed, UNARY, stream=False),
        "router-stream": lambda: _through_router(pipeline, listed, STREAM, stream=True),
        "gateway-unary": lambda: _through_gateway(app, UNARY),
        "gateway-stream": lambda: _through_gateway(app, STREAM),
    }
    for name, way in ways.items():
        for _ in range(WARM_UP + counts.get(name, 0)):
            await way()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", nargs="*", metavar="KIND=COUNT")
    pairs = (text.split("=") for text in parser.parse_args().counts)
    logs.set_up(LogConfig(format="json"))
    asyncio.run(drive({name: int(count) for name, count in pairs}))


if __name__ == "__main__":
    main()
