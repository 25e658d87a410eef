"""Measures calls through the in-process channel against a loopback gRPC channel, same servicer, same loop.

    .venv/bin/python bench/micro_inprocess.py

Prints medians in microseconds, and how many times faster than loopback. `servicer alone` is what the servicer
and the messages cost themselves; `in its caller's task` is the floor of a design without a task of its own
for the servicer (launch/inprocess/__init__.py says why it is not taken).
"""

import asyncio
import statistics
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import grpc
import uvloop

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

CALLS, MESSAGES, ROUNDS = 1000, 1000, 9

BODY = b"x" * 1000
ASKED = (
    ("x-request-id", "req_0123456789"),
    ("authorization", "Bearer 0123456789"),
    ("x-trunkline-strict", "true"),
)
TOLD = (("x-request-id", "req_0123456789"), ("x-trunkline-generation", "1"))


class Servicer(ForwardServiceServicer):
    """Answers at once; its streams wait for the loop before each message if `waits`, as for a socket."""

    waits = False

    async def Forward(self, request: ForwardRequest, context: Any) -> ForwardResponse:
        await context.send_initial_metadata(TOLD)
        return ForwardResponse(content_type="application/json", body=request.body)

    async def ForwardStream(
        self, request: ForwardStreamRequest, context: Any
    ) -> AsyncGenerator[ForwardStreamResponse, None]:
        await context.send_initial_metadata(TOLD)
        for _ in range(MESSAGES):
            if self.waits:
                await asyncio.sleep(0)
            yield ForwardStreamResponse(chunks=(BODY[:200],))


class NoContext:
    """Stands in for a context where a servicer is called directly."""

    async def send_initial_metadata(self, metadata: object) -> None:
        pass


async def median(once: Callable[[], Awaitable[int]]) -> float:
    """CPU microseconds of this process for one of the things that `once` does and counts."""
    rounds = []
    for _ in range(ROUNDS):
        started = time.process_time()
        count = await once()
        rounds.append((time.process_time() - started) / count * 1e6)
    return statistics.median(rounds)


def unary_through(stub: ForwardServiceStub) -> Callable[[], Awaitable[int]]:
    async def once() -> int:
        for _ in range(CALLS):
            request = ForwardRequest(method="POST", path="/v1/chat/completions", body=BODY)
            call = stub.Forward(request, timeout=600, metadata=ASKED)
            await call
            await call.initial_metadata()
        return CALLS

    return once


def stream_through(stub: ForwardServiceStub) -> Callable[[], Awaitable[int]]:
    async def once() -> int:
        async for _ in stub.ForwardStream(ForwardStreamRequest(), timeout=600, metadata=ASKED):
            pass
        return MESSAGES

    return once


def unary_alone(servicer: Servicer) -> Callable[[], Awaitable[int]]:
    async def once() -> int:
        for _ in range(CALLS):
            request = ForwardRequest(method="POST", path="/v1/chat/completions", body=BODY)
            await servicer.Forward(request, NoContext())
            grpc.aio.Metadata(*TOLD)
        return CALLS

    return once


def stream_alone(servicer: Servicer) -> Callable[[], Awaitable[int]]:
    async def once() -> int:
        async for _ in servicer.ForwardStream(ForwardStreamRequest(), NoContext()):
            pass
        return MESSAGES

    return once


async def open_stubs(servicer: Servicer, stack: AsyncExitStack) -> dict[str, ForwardServiceStub]:
    """Give a stub for each way to the servicer."""
    stubs = {}
    real = grpc.aio.server()
    servers: dict[str, grpc.aio.Server] = {
        "loopback gRPC": real,
        "in-process, copied": InProcessServer(max_message_bytes=2**26),
        "in-process, handed over": InProcessServer(handed_over=FORWARDED),
    }
    port = real.add_insecure_port("127.0.0.1:0")
    for name, server in servers.items():
        add_ForwardServiceServicer_to_server(servicer, server)
        await server.start()
        stack.push_async_callback(server.stop, None)
        channel = (
            server.open_channel()
            if isinstance(server, InProcessServer)
            else grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        )
        await stack.enter_async_context(channel)
        stubs[name] = ForwardServiceStub(channel)
    return stubs


async def compare(
    title: str, alone: Callable[[], Awaitable[int]], ways: dict[str, Callable[[], Awaitable[int]]]
) -> None:
    """Print one table."""
    floor = await median(alone)
    print(f"\n{title}\n  {'servicer alone':<26}{floor:8.2f} us")
    reference = 0.0
    for name, way in ways.items():
        took = await median(way)
        reference = reference or took
        print(
            f"  {name:<26}{took:8.2f} us{took - floor:+9.2f} us beyond it{reference / took:8.1f} x"
        )


async def main() -> None:
    """Measure and print."""
    servicer = Servicer()
    async with AsyncExitStack() as stack:
        stubs = await open_stubs(servicer, stack)
        unary = {name: unary_through(stub) for name, stub in stubs.items()}
        stream = {name: stream_through(stub) for name, stub in stubs.items()}
        await compare("unary call", unary_alone(servicer), unary)
        await compare("streamed message, at once", stream_alone(servicer), stream)
        servicer.waits = True
        await compare("streamed message, one by one", stream_alone(servicer), stream)


if __name__ == "__main__":
    uvloop.run(main())
