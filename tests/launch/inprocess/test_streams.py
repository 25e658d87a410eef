"""Streams as readers and servicers see them, over a loopback gRPC channel and in-process: the same."""

import asyncio
import gc
from collections.abc import AsyncGenerator
from typing import Any

import grpc
import pytest

from tests.launch.inprocess.conftest import (
    Hanging,
    Way,
    failure_of,
    opened,
    part,
    read_all,
    soon,
)
from trunkline.v1.forward_service_pb2 import ForwardRequest, ForwardStreamResponse


async def test_a_stream_is_iterated_to_its_end(way: Way) -> None:
    call = way.streamed(b"abc", timeout=600)

    assert await soon(read_all(call)) == [b"a", b"b", b"c"]
    assert await call.code() is grpc.StatusCode.OK
    assert await soon(read_all(call)) == []
    assert await soon(call.read()) is grpc.aio.EOF


async def test_a_stream_is_read_to_its_end(way: Way) -> None:
    call = way.streamed(b"ab")

    assert (await soon(call.read())).chunks == [b"a"]
    assert (await soon(call.read())).chunks == [b"b"]
    assert await soon(call.read()) is grpc.aio.EOF
    assert await soon(call.read()) is grpc.aio.EOF
    assert call.done()


async def test_iterating_and_reading_one_stream_do_not_mix(way: Way) -> None:
    hanging = Hanging(b"1", b"2")
    way.servicer.stream = hanging.stream
    read, iterated = way.streamed(), way.streamed()
    await soon(read.read())
    await soon(anext(aiter(iterated)))

    with pytest.raises(grpc.aio.UsageError):
        await read_all(read)
    with pytest.raises(grpc.aio.UsageError):
        await iterated.read()


async def test_a_stream_may_be_empty(way: Way) -> None:
    call = way.streamed(b"")

    assert await soon(read_all(call)) == []
    assert tuple(await call.initial_metadata()) == ()


async def test_metadata_of_a_stream_is_there_before_its_first_message(way: Way) -> None:
    hanging = Hanging()

    async def stream(
        request: ForwardRequest, context: Any
    ) -> AsyncGenerator[ForwardStreamResponse, None]:
        await context.send_initial_metadata((("a", "1"),))
        context.set_trailing_metadata((("t", "1"),))
        async for response in hanging.stream(request, context):
            yield response

    way.servicer.stream = stream
    call = way.streamed()

    assert tuple(await soon(call.initial_metadata())) == (("a", "1"),)
    assert not call.done()
    hanging.release.set()
    assert await soon(read_all(call)) == [b"last"]
    assert tuple(await call.trailing_metadata()) == (("t", "1"),)


async def test_a_stream_that_fails_gives_first_what_it_has(way: Way) -> None:
    async def stream(
        request: ForwardRequest, context: Any
    ) -> AsyncGenerator[ForwardStreamResponse, None]:
        yield part(b"1")
        await context.abort(grpc.StatusCode.ABORTED, "no more", (("t", "1"),))

    way.servicer.stream = stream
    chunks: list[bytes] = []
    call = way.streamed()
    failure = await failure_of(read_all(call, chunks))

    assert chunks == [b"1"]
    assert (failure.code(), failure.details()) == (grpc.StatusCode.ABORTED, "no more")
    assert tuple(failure.trailing_metadata()) == (("t", "1"),)
    assert await soon(read_all(call)) == []


async def test_a_stream_cancelled_by_its_reader_stops_its_servicer(way: Way) -> None:
    hanging = Hanging(b"1", b"2")
    way.servicer.stream = hanging.stream
    call = way.streamed()
    assert (await soon(anext(aiter(call)))).chunks == [b"1"]
    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await anext(aiter(call))
    with pytest.raises(StopAsyncIteration):
        await anext(aiter(call))
    assert await call.code() is grpc.StatusCode.CANCELLED


async def test_a_servicer_that_waits_to_give_a_message_is_closed(way: Way) -> None:
    closed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    async def stream(
        request: ForwardRequest, context: Any
    ) -> AsyncGenerator[ForwardStreamResponse, None]:
        try:
            while True:
                yield part(b"x" * 100_000)
        except BaseException as exc:
            closed.set_result(exc)
            raise

    way.servicer.stream = stream
    call = way.streamed()
    await soon(call.read())
    call.cancel()
    gc.collect()

    assert isinstance(await soon(closed), GeneratorExit | asyncio.CancelledError)


async def test_a_servicer_is_closed_before_it_is_said_to_have_ended(local_way: Way) -> None:
    order: list[str] = []
    ended = asyncio.Event()

    def say_ended(context: Any) -> None:
        order.append("ended")
        ended.set()

    async def stream(
        request: ForwardRequest, context: Any
    ) -> AsyncGenerator[ForwardStreamResponse, None]:
        context.add_done_callback(say_ended)
        try:
            while True:
                yield part(b"x")
        finally:
            order.append("closed")

    local_way.servicer.stream = stream
    call = local_way.streamed()
    await soon(call.read())
    call.cancel()
    await soon(ended.wait())

    assert order == ["closed", "ended"]


async def test_messages_that_nobody_has_read_by_the_deadline_are_not_read_any_more(
    way: Way,
) -> None:
    hanging = Hanging(b"1", b"2", b"3")
    way.servicer.stream = hanging.stream
    call = way.streamed(timeout=0.3)
    ended = asyncio.Event()
    call.add_done_callback(lambda _: ended.set())
    await soon(call.read())
    await soon(ended.wait())

    assert (await failure_of(call.read())).code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_servicer_is_one_message_ahead_of_its_reader_at_most(local_way: Way) -> None:
    given = 0

    async def stream(
        request: ForwardRequest, context: Any
    ) -> AsyncGenerator[ForwardStreamResponse, None]:
        nonlocal given
        for _ in range(50):
            given += 1
            yield part(b"x")

    local_way.servicer.stream = stream
    call = local_way.streamed()
    for taken in range(1, 51):
        await soon(call.read())
        for _ in range(10):
            await asyncio.sleep(0)
        assert given <= taken + 1
    assert await soon(call.read()) is grpc.aio.EOF


async def test_a_message_is_written_or_read_by_one_at_a_time(local_way: Way) -> None:
    refused = asyncio.Event()

    async def stream(
        request: ForwardRequest, context: Any
    ) -> AsyncGenerator[ForwardStreamResponse, None]:
        writing = asyncio.create_task(context.write(part(b"1")))
        await asyncio.sleep(0)
        with pytest.raises(grpc.aio.UsageError):
            await context.write(part(b"2"))
        refused.set()
        await writing
        await asyncio.Event().wait()
        yield part(b"never")

    local_way.servicer.stream = stream
    call = local_way.streamed()
    await soon(refused.wait())
    assert (await soon(call.read())).chunks == [b"1"]
    reading = asyncio.create_task(call.read())
    await asyncio.sleep(0)
    with pytest.raises(grpc.aio.UsageError):
        await call.read()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


async def test_streams_of_requests_are_refused_when_called() -> None:
    async with opened("inprocess") as way:
        for make in (way.channel.stream_unary, way.channel.stream_stream):
            with pytest.raises(NotImplementedError):
                make("/any.Service/Method")(iter(()))
