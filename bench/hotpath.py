"""Drives the hot path without sockets, in one process: what `bench.instructions` counts.

    router-unary, router-stream    the pipeline: account, authenticate, dispatch, an OpenAI-style provider
    gateway-unary, gateway-stream  the same from the bytes of a request to those of its answer

Between the tiers stands the in-process channel. A provider's connection is the real one, on a transport that
answers by itself; the pool is not there. All runs begin with a few requests of each kind, so that what
happens once cancels out.
"""

import argparse
import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, closing
from time import perf_counter
from typing import Any, Final

from prometheus_client import CollectorRegistry

from edge.app import EdgeApp
from edge.config import EdgeConfig
from edge.connection import ClientConnection
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
from router.transport.answer import decoded
from router.transport.seam import HttpResponse
from router.transport.upstream import UpstreamConnection
from router.values import Deployment, Dialect, Endpoint, Provider, Secret
from router.wire.http import HttpRequest
from trunkline.v1 import forward_service_pb2_grpc

WARM_UP: Final = 3
CHUNKS: Final = 40
_HEADERS: Final = "host: 127.0.0.1:8080\r\ncontent-type: application/json\r\n"

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


def _head(kind: str, framing: str) -> bytes:
    lines = (
        *("HTTP/1.1 200 OK", "date: Thu, 01 Oct 2026 10:00:00 GMT", f"content-type: {kind}"),
        *("openai-processing-ms: 100", "x-request-id: req_1", "x-ratelimit-limit-requests: 10000"),
        *("x-ratelimit-remaining-requests: 9999", "server: cloudflare", framing),
    )
    return "\r\n".join((*lines, "", "")).encode()


_STREAMED: Final = (
    _head("text/event-stream", "transfer-encoding: chunked"),
    *(b"%x\r\n%b\r\n" % (len(part), part) for part in _PARTS),
    b"0\r\n\r\n",
)
_AT_ONCE: Final = (_head("application/json", f"content-length: {len(_WHOLE)}") + _WHOLE,)


class _Provider(asyncio.Transport):
    """What is under a connection to a provider: answers each request, read by read."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self.connection = UpstreamConnection(loop)
        self.connection.connection_made(self)

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        _, body = list_of_data
        reads = _STREAMED if b'"stream": true' in body else _AT_ONCE
        self._read(iter(reads))

    def _read(self, reads: Iterator[bytes]) -> None:
        if (data := next(reads, None)) is not None:
            self._loop.call_soon(self._read_one, data, reads)

    def _read_one(self, data: bytes, reads: Iterator[bytes]) -> None:
        self.connection.data_received(data)
        self._read(reads)


class _Network:
    """The transport without its pool: one connection for all, and its lease."""

    def __init__(self) -> None:
        self._provider: _Provider | None = None

    @asynccontextmanager
    async def send(
        self, request: HttpRequest, *, connect_timeout: float
    ) -> AsyncIterator[HttpResponse]:
        """See `Transport.send`."""
        del connect_timeout
        if self._provider is None:
            self._provider = _Provider(asyncio.get_running_loop())
        answer = self._provider.connection.send(b"", request.body, self)
        await answer.headed()
        yield decoded(answer)

    def release(self) -> None:
        """Nothing: whoever comes next has it."""

    def close(self) -> None:
        """See `release`."""


async def _unsigned(provider: Provider, request: HttpRequest) -> HttpRequest:
    raise AssertionError(f"{provider.name} needs no signature: {request.url}")


def _pipeline() -> Stage:
    """Return the router's pipeline as `router.app` composes it: the one place that knows constructors."""
    metrics = CollectorRegistry()
    world = World(
        transport=_Network(),
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


class _Socket(asyncio.Transport):
    """What is under a client's connection: takes the answers and drops them."""

    def __init__(self) -> None:
        super().__init__({"socket": socket.socket()})
        self.status = b""
        self.done = asyncio.Event()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Everything is taken at once."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        written = bytes(data)
        if not self.status:
            self.status = written[9:12]
            self.is_stream = b"transfer-encoding: chunked" in written
        if not self.is_stream or written.endswith(b"0\r\n\r\n"):
            self.done.set()


async def _edge(pipeline: Stage, listed: Snapshot) -> EdgeApp:
    server = InProcessServer(handed_over=FORWARDED)
    service = ForwardService(Door(pipeline, lambda: listed))
    forward_service_pb2_grpc.add_ForwardServiceServicer_to_server(service, server)
    await server.start()
    return EdgeApp(EdgeConfig(), server.open_channel(), CollectorRegistry())


class _Client:
    """A client that keeps its connection."""

    def __init__(self, app: EdgeApp) -> None:
        self._socket = _Socket()
        self._connection = ClientConnection(app._server)  # noqa: SLF001 (in place of a port)
        self._connection.connection_made(self._socket)

    async def ask(self, body: bytes) -> None:
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\n{_HEADERS}content-length: {len(body)}\r\n\r\n"
        )
        self._socket.status = b""
        self._socket.done.clear()
        self._connection.data_received(head.encode() + body)
        await self._socket.done.wait()
        if self._socket.status != b"200":
            raise RuntimeError(f"the gateway answered {self._socket.status.decode()}")

    def close(self) -> None:
        self._connection.connection_lost(None)
        self._socket.get_extra_info("socket").close()


async def drive(counts: Mapping[str, int]) -> None:
    """Do as many requests of each kind as `counts` says."""
    pipeline, listed = _pipeline(), _snapshot()
    client = _Client(await _edge(pipeline, listed))
    ways: dict[str, Callable[[], Awaitable[None]]] = {
        "router-unary": lambda: _through_router(pipeline, listed, UNARY, stream=False),
        "router-stream": lambda: _through_router(pipeline, listed, STREAM, stream=True),
        "gateway-unary": lambda: client.ask(UNARY),
        "gateway-stream": lambda: client.ask(STREAM),
    }
    with closing(client):
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
