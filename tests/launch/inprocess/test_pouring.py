"""Messages that are poured: given to a function in the turn in which they are written. In-process only."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import grpc
import pytest

from tests.launch.inprocess.conftest import Hanging, Way, failure_of, part, read_all, soon
from trunkline.v1.forward_service_pb2 import ForwardRequest, ForwardStreamResponse


class Sink:
    """Takes messages; `left` is what it lets wait."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.left: asyncio.Future[None] | None = None
        self.fault: Exception | None = None

    def __call__(self, message: Any) -> "asyncio.Future[None] | None":
        if self.fault is not None:
            raise self.fault
        self.chunks.extend(message.chunks)
        return self.left


async def test_all_messages_are_poured_in_their_order(local_way: Way) -> None:
    sink, call = Sink(), local_way.streamed(b"abc")
    await soon(call.pour(sink))

    assert sink.chunks == [b"a", b"b", b"c"]
    assert await call.code() is grpc.StatusCode.OK
    assert await soon(read_all(call)) == []


async def test_what_is_left_of_an_iteration_is_poured(local_way: Way) -> None:
    sink, call = Sink(), local_way.streamed(b"abc")
    async for first in call:
        assert first.chunks == [b"a"]
        for _ in range(10):
            await asyncio.sleep(0)  # the second one waits to be taken
        await soon(call.pour(sink))

    assert sink.chunks == [b"b", b"c"]


async def test_a_call_that_has_ended_pours_nothing(local_way: Way) -> None:
    sink, call = Sink(), local_way.streamed(b"")
    await soon(call.code())
    await soon(call.pour(sink))

    assert sink.chunks == []


async def test_the_next_message_waits_for_what_the_last_one_has_left(local_way: Way) -> None:
    written: list[int] = []

    async def stream(
        request: ForwardRequest, context: Any
    ) -> AsyncGenerator[ForwardStreamResponse, None]:
        for number in range(3):
            yield part(b"%d" % number)
            written.append(number)

    local_way.servicer.stream = stream
    sink, call = Sink(), local_way.streamed()
    sink.left = asyncio.get_running_loop().create_future()
    pouring = asyncio.create_task(call.pour(sink))
    for _ in range(20):
        await asyncio.sleep(0)
    assert (sink.chunks, written) == ([b"0"], [])

    left, sink.left = sink.left, None
    left.set_result(None)
    await soon(pouring)
    assert (sink.chunks, written) == ([b"0", b"1", b"2"], [0, 1, 2])


@pytest.mark.parametrize("begun", [False, True], ids=["first message", "later message"])
@pytest.mark.parametrize("waits", [False, True], ids=["at once", "while it waits"])
async def test_what_the_sink_raises_ends_the_call(
    local_way: Way, *, begun: bool, waits: bool
) -> None:
    hanging = Hanging(b"1", b"2", b"3")
    local_way.servicer.stream = hanging.stream
    sink, call = Sink(), local_way.streamed()
    if begun:
        await soon(anext(aiter(call)))
    fault = OSError("the client has left")
    if waits:
        sink.left = asyncio.get_running_loop().create_future()
        sink.left.set_exception(fault)
    else:
        sink.fault = fault

    with pytest.raises(OSError, match="has left"):
        await soon(call.pour(sink))
    assert await soon(call.code()) is grpc.StatusCode.CANCELLED


async def test_a_failure_comes_behind_what_was_written(local_way: Way) -> None:
    async def stream(
        request: ForwardRequest, context: Any
    ) -> AsyncGenerator[ForwardStreamResponse, None]:
        yield part(b"1")
        await context.abort(grpc.StatusCode.ABORTED, "no more")

    local_way.servicer.stream = stream
    sink, call = Sink(), local_way.streamed()
    failure = await failure_of(call.pour(sink))

    assert sink.chunks == [b"1"]
    assert (failure.code(), failure.details()) == (grpc.StatusCode.ABORTED, "no more")


async def test_a_deadline_ends_pouring_and_the_servicer(local_way: Way) -> None:
    hanging = Hanging(b"1")
    local_way.servicer.stream = hanging.stream
    sink, call = Sink(), local_way.streamed(timeout=3)
    failure = await failure_of(call.pour(sink))

    assert sink.chunks == [b"1"]
    assert failure.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await soon(hanging.cancelled.wait())


@pytest.mark.parametrize("how", ["task", "call"])
async def test_who_cancels_stops_the_servicer(local_way: Way, how: str) -> None:
    hanging = Hanging(b"1")
    local_way.servicer.stream = hanging.stream
    sink, call = Sink(), local_way.streamed()
    pouring = asyncio.create_task(call.pour(sink))
    await soon(hanging.entered.wait())
    if how == "task":
        pouring.cancel()
    else:
        call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await soon(pouring)
    await soon(hanging.cancelled.wait())
    assert sink.chunks == [b"1"]


async def test_a_servicer_that_waits_for_the_sink_is_ended_with_its_call(local_way: Way) -> None:
    sink, call = Sink(), local_way.streamed(b"abc")
    sink.left = asyncio.get_running_loop().create_future()
    await soon(anext(aiter(call)))
    pouring = asyncio.create_task(call.pour(sink))
    for _ in range(20):
        await asyncio.sleep(0)
    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await soon(pouring)
    assert sink.chunks == [b"b"]


async def test_messages_are_poured_or_read_by_one(local_way: Way) -> None:
    hanging = Hanging()
    local_way.servicer.stream = hanging.stream
    sink, call = Sink(), local_way.streamed()
    pouring = asyncio.create_task(call.pour(sink))
    await soon(hanging.entered.wait())
    with pytest.raises(grpc.aio.UsageError):
        await call.pour(sink)
    hanging.release.set()
    await soon(pouring)

    assert sink.chunks == [b"last"]
