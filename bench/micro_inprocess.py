"""Measures calls through the in-process channel against a loopback gRPC channel, same servicer, same loop.

    .venv/bin/python bench/micro_inprocess.py

Prints CPU microseconds of the process, median and best of the rounds, and how many times less than
loopback the median is. `servicer alone` is what the servicer and the messages cost themselves,
`alone, in a task` the same with a task of its own (launch/inprocess/__init__.py says why it has one). The
last tables are what launch/inprocess/passing.py decides on.
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

CALLS, MESSAGES, ROUNDS = 200, 500, 15

BODY = b"x" * 1000
ASKED = (
    ("x-request-id", "req_0123456789"),
    ("authorization", "Bearer 0123456789"),
    ("x-trunkline-strict", "true"),
)
TOLD = (("x-request-id", "req_0123456789"), ("x-trunkline-generation", "1"))


Once = Callable[[], Awaitable[int]]
"""Does something a number of times, and returns the number."""


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


async def measure(ways: dict[str, Once]) -> dict[str, list[float]]:
    """Give the microseconds of each way, sorted, for one of the things that it does and counts."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    # Round by round, so that what else the machine does meets all ways alike.
    for _ in range(ROUNDS):
        for name, once in ways.items():
            started = time.process_time()
            count = await once()
            took[name].append((time.process_time() - started) / count * 1e6)
    return {name: sorted(rounds) for name, rounds in took.items()}


def unary_through(stub: ForwardServiceStub) -> Once:
    async def once() -> int:
        for _ in range(CALLS):
            request = ForwardRequest(method="POST", path="/v1/chat/completions", body=BODY)
            call = stub.Forward(request, timeout=600, metadata=ASKED)
            await call
            await call.initial_metadata()
        return CALLS

    return once


def stream_through(stub: ForwardServiceStub) -> Once:
    async def once() -> int:
        async for _ in stub.ForwardStream(ForwardStreamRequest(), timeout=600, metadata=ASKED):
            pass
        return MESSAGES

    return once


def unary_alone(servicer: Servicer) -> Once:
    async def once() -> int:
        for _ in range(CALLS):
            request = ForwardRequest(method="POST", path="/v1/chat/completions", body=BODY)
            await servicer.Forward(request, NoContext())
            grpc.aio.Metadata(*TOLD)
        return CALLS

    return once


def unary_in_a_task(servicer: Servicer) -> Once:
    async def once() -> int:
        for _ in range(CALLS):
            request = ForwardRequest(method="POST", path="/v1/chat/completions", body=BODY)
            await asyncio.create_task(servicer.Forward(request, NoContext()))
            grpc.aio.Metadata(*TOLD)
        return CALLS

    return once


def stream_alone(servicer: Servicer) -> Once:
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
        "in-process, handed over": InProcessServer(handed_over=FORWARDED),
        "in-process, copied": InProcessServer(max_message_bytes=2**26),
        "loopback gRPC": real,
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


async def compare(title: str, ways: dict[str, Once]) -> None:
    """Print one table; the first way is the floor, the last one the reference."""
    took = await measure(ways)
    floor, *_, reference = [statistics.median(rounds) for rounds in took.values()]
    print(f"\n{title:<28}{'median':>10}{'best':>10}{'beyond':>10}{'less':>8}")
    for name, rounds in took.items():
        median = statistics.median(rounds)
        print(
            f"  {name:<26}{median:10.2f}{rounds[0]:10.2f}{median - floor:10.2f}"
            f"{reference / median:7.1f}x"
        )


def copies(size: int, times: int) -> dict[str, Once]:
    """Give the ways to copy a message of `size` bytes that is measured on the way."""
    message = ForwardRequest(body=bytes(size))

    async def by_reference() -> int:
        return times

    async def written_and_parsed() -> int:
        for _ in range(times):
            ForwardRequest.FromString(message.SerializeToString())
        return times

    async def copied_and_measured() -> int:
        for _ in range(times):
            message.ByteSize()
            ForwardRequest().CopyFrom(message)
        return times

    return {
        "handed over": by_reference,
        "ByteSize, CopyFrom": copied_and_measured,
        "SerializeToString, parsed": written_and_parsed,
    }


async def main() -> None:
    """Measure and print."""
    servicer = Servicer()
    async with AsyncExitStack() as stack:
        stubs = await open_stubs(servicer, stack)
        alone = {
            "servicer alone": unary_alone(servicer),
            "alone, in a task": unary_in_a_task(servicer),
        }
        stream = {
            "servicer alone": stream_alone(servicer),
            **{name: stream_through(stub) for name, stub in stubs.items()},
        }
        unary = {name: unary_through(stub) for name, stub in stubs.items()}
        await compare("unary call", {**alone, **unary})
        await compare("streamed message, at once", stream)
        servicer.waits = True
        await compare("streamed message, one by one", stream)
    for size, times in ((200, 2000), (64 * 2**20, 1)):
        await compare(f"copy of {size:,} bytes", copies(size, times))


if __name__ == "__main__":
    uvloop.run(main())
