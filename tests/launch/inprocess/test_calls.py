"""Calls as callers and servicers see them, over a loopback gRPC channel and in-process: the same."""

import asyncio
import contextvars
import gc
from typing import Any

import grpc
import pytest

from tests.launch.inprocess.conftest import Hanging, Way, failure_of, read_all, soon
from trunkline.v1.forward_service_pb2 import ForwardRequest, ForwardResponse

PAIRS = (("a", "1"), ("a", "2"), ("b-bin", b"\x00\xff"), ("c", b"bytes"), ("d", " spaced "))
AS_READ = (("a", "1"), ("a", "2"), ("b-bin", b"\x00\xff"), ("c", "bytes"), ("d", " spaced "))


async def test_an_answer_comes_with_metadata_before_and_behind_it(way: Way) -> None:
    async def answer(request: ForwardRequest, context: Any) -> ForwardResponse:
        await context.send_initial_metadata(PAIRS)
        context.set_trailing_metadata(PAIRS)
        return ForwardResponse(body=request.body)

    way.servicer.answer = answer
    call = way.unary(b"hello")

    assert (await soon(call)).body == b"hello"
    assert tuple(await call.initial_metadata()) == AS_READ
    assert tuple(await call.trailing_metadata()) == AS_READ
    assert await call.code() is grpc.StatusCode.OK
    assert (await call.details(), await call.debug_error_string()) == ("", "")
    assert (call.done(), call.cancelled(), call.cancel()) == (True, False, False)
    assert (await soon(call)).body == b"hello"


async def test_a_servicer_that_says_nothing_gives_empty_metadata(way: Way) -> None:
    call = way.unary()
    await soon(call)

    assert isinstance(await call.initial_metadata(), grpc.aio.Metadata)
    assert tuple(await call.initial_metadata()) == tuple(await call.trailing_metadata()) == ()


async def test_a_servicer_sees_who_calls_with_what_and_until_when(way: Way) -> None:
    seen: list[Any] = []

    async def answer(request: ForwardRequest, context: Any) -> ForwardResponse:
        given = tuple(pair for pair in context.invocation_metadata() if pair.key != "user-agent")
        seen.append((given, context.time_remaining(), context.peer(), context.auth_context()))
        seen.append((context.done(), context.cancelled(), context.code()))
        return ForwardResponse()

    way.servicer.answer = answer
    call = way.unary(timeout=600, metadata=PAIRS)
    assert 590 < call.time_remaining() < 601
    await soon(call)
    unbounded = way.unary(metadata=grpc.aio.Metadata(*PAIRS))
    assert unbounded.time_remaining() is None
    await soon(unbounded)

    (pairs, remaining, peer, auth), state, (again, none, *_), _ = seen
    assert pairs == again == AS_READ
    assert 590 < remaining < 601
    assert none is None
    assert isinstance(peer, str)
    assert isinstance(auth, dict)
    assert state == (False, False, None)


@pytest.mark.parametrize(
    "pair", [("A", "x"), ("a b", "x"), ("", "x"), ("a", "\u00f6"), ("a", "x\ny")]
)
async def test_metadata_that_cannot_travel_fails_the_call(
    way: Way, pair: tuple[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises((grpc.aio.InternalError, grpc.aio.AioRpcError)):
        await soon(way.unary(metadata=(pair,)))

    assert way.servicer.calls == 0


async def test_an_abort_tells_code_details_and_trailing_metadata(way: Way) -> None:
    raised: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    async def answer(request: ForwardRequest, context: Any) -> ForwardResponse:
        await context.send_initial_metadata((("i", "1"),))
        try:
            await context.abort(grpc.StatusCode.NOT_FOUND, "n\u00f6 %", (("t-bin", b"\xff"),))
        except BaseException as exc:
            raised.set_result(exc)
            raise
        return ForwardResponse()

    way.servicer.answer = answer
    call = way.unary()
    failure = await failure_of(call)

    assert failure.code() is await call.code() is grpc.StatusCode.NOT_FOUND
    assert failure.details() == await call.details() == "n\u00f6 %"
    assert tuple(failure.initial_metadata()) == (("i", "1"),)
    assert tuple(failure.trailing_metadata()) == (("t-bin", b"\xff"),)
    assert failure.debug_error_string() == "NOT_FOUND:n\u00f6 %"
    assert isinstance(await soon(raised), grpc.aio.AbortError)


async def test_what_comes_after_an_abort_that_was_held_back_is_not_sent(
    way: Way, caplog: pytest.LogCaptureFixture
) -> None:
    raised: list[type] = []
    ended = asyncio.Event()

    async def answer(request: ForwardRequest, context: Any) -> ForwardResponse:
        context.add_done_callback(lambda _: ended.set())
        for step in (
            context.abort(grpc.StatusCode.ABORTED, "first"),
            context.abort(grpc.StatusCode.ABORTED, "second"),
            context.send_initial_metadata(()),
        ):
            try:
                await step
            except grpc.aio.BaseError as exc:
                raised.append(type(exc))
        return ForwardResponse()

    way.servicer.answer = answer
    failure = await failure_of(way.unary())
    await soon(ended.wait())

    assert (failure.code(), failure.details()) == (grpc.StatusCode.ABORTED, "first")
    assert raised == [grpc.aio.AbortError, grpc.aio.UsageError, grpc.aio.AbortError]
    caplog.clear()


async def test_a_code_that_was_set_makes_a_failure_of_an_answer(way: Way) -> None:
    async def answer(request: ForwardRequest, context: Any) -> Any:
        context.set_code(grpc.StatusCode.FAILED_PRECONDITION)
        context.set_details("not now")
        context.set_trailing_metadata((("t", "1"),))
        assert context.details() == "not now"
        return None  # which is not looked at

    way.servicer.answer = answer
    failure = await failure_of(way.unary())

    assert failure.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert failure.details() == "not now"
    assert tuple(failure.trailing_metadata()) == (("t", "1"),)


@pytest.mark.parametrize("code", [None, grpc.StatusCode.DATA_LOSS])
async def test_what_a_servicer_raises_is_unknown_unless_it_has_set_a_code(
    way: Way, code: grpc.StatusCode | None, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(request: ForwardRequest, context: Any) -> ForwardResponse:
        if code:
            context.set_code(code)
        raise ValueError("boom")

    way.servicer.answer = answer
    failure = await failure_of(way.unary())

    assert failure.code() is (code or grpc.StatusCode.UNKNOWN)
    assert failure.details() == "Unexpected <class 'ValueError'>: boom"
    caplog.clear()


async def test_an_answer_that_is_none_is_the_servicers_fault(
    copying_way: Way, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(request: ForwardRequest, context: Any) -> Any:
        return None

    copying_way.servicer.answer = answer

    assert (await failure_of(copying_way.unary())).code() is grpc.StatusCode.UNKNOWN
    caplog.clear()


async def test_a_method_that_nobody_serves_is_unimplemented(way: Way) -> None:
    method = way.channel.unary_unary("/no.such/Method", bytes, bytes)

    failure = await failure_of(method(b""))
    assert failure.code() is grpc.StatusCode.UNIMPLEMENTED
    assert failure.details() == "Method not found!"


async def test_metadata_cannot_be_sent_twice(way: Way) -> None:
    async def answer(request: ForwardRequest, context: Any) -> ForwardResponse:
        await context.send_initial_metadata((("a", "first"),))
        with pytest.raises(grpc.aio.UsageError):
            await context.send_initial_metadata((("a", "second"),))
        return ForwardResponse()

    way.servicer.answer = answer
    call = way.unary()
    await soon(call)

    assert tuple(await call.initial_metadata()) == (("a", "first"),)


# Deadlines


async def test_a_deadline_ends_a_call_and_cancels_its_servicer(way: Way) -> None:
    hanging = Hanging()
    way.servicer.answer = hanging.answer
    call = way.unary(timeout=0.2)
    failure = await failure_of(call)

    assert failure.code() is await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "Deadline Exceeded" in (failure.details() or "")
    assert not call.cancelled()
    await soon(hanging.cancelled.wait())
    await soon(hanging.called_back.wait())
    assert hanging.context.time_remaining() == pytest.approx(0, abs=1e-3)


async def test_a_deadline_ends_a_stream_between_its_messages(way: Way) -> None:
    hanging = Hanging(b"1", b"2")
    way.servicer.stream = hanging.stream
    chunks: list[bytes] = []

    failure = await failure_of(read_all(way.streamed(timeout=0.3), chunks))
    assert failure.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert chunks == [b"1", b"2"]
    await soon(hanging.cancelled.wait())


async def test_a_deadline_that_has_passed_fails_the_call(way: Way) -> None:
    failure = await failure_of(way.unary(timeout=-60))

    assert failure.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_without_any_time_the_servicer_is_left_alone(local_way: Way) -> None:
    # Over a socket a fast one may still answer.
    failure = await failure_of(local_way.unary(timeout=0))

    assert failure.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert local_way.servicer.calls == 0


async def test_a_servicer_that_unwinds_slowly_does_not_hold_its_caller(way: Way) -> None:
    told = asyncio.Event()
    unwound = asyncio.Event()

    async def answer(request: ForwardRequest, context: Any) -> ForwardResponse:
        try:
            await asyncio.Event().wait()
        finally:
            await told.wait()
            unwound.set()
        return ForwardResponse()

    way.servicer.answer = answer
    failure = await failure_of(way.unary(timeout=0.1))

    assert failure.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert not unwound.is_set()
    told.set()
    await soon(unwound.wait())


# Cancellation


async def test_a_cancelled_call_cancels_its_servicer_and_its_caller_sees_it(way: Way) -> None:
    hanging = Hanging()
    way.servicer.answer = hanging.answer
    call = way.unary()
    ended: list[Any] = []
    call.add_done_callback(ended.append)
    await soon(hanging.entered.wait())

    assert call.cancel()
    assert not call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    task = asyncio.current_task()
    assert task
    assert task.cancelling() == 0
    assert (call.done(), call.cancelled(), ended) == (True, True, [call])
    assert await call.code() is grpc.StatusCode.CANCELLED
    assert await call.details() == "Locally cancelled by application!"
    assert tuple(await call.trailing_metadata()) == ()
    await soon(hanging.cancelled.wait())
    await soon(hanging.called_back.wait())


async def test_a_call_can_be_cancelled_before_anything_has_run(way: Way) -> None:
    call = way.unary()
    assert call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await soon(way.unary(b"next"))).body == b"next"


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_caller_whose_task_is_cancelled_cancels_the_call(way: Way, is_stream: bool) -> None:
    hanging = Hanging()
    way.servicer.answer, way.servicer.stream = hanging.answer, hanging.stream
    call = way.streamed() if is_stream else way.unary()

    async def wait() -> None:
        await (call.read() if is_stream else call)

    task = asyncio.create_task(wait())
    await soon(hanging.entered.wait())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert call.cancelled()
    await soon(hanging.cancelled.wait())


async def test_who_waits_for_a_code_may_leave_without_ending_the_call(way: Way) -> None:
    hanging = Hanging()
    way.servicer.answer = hanging.answer
    call = way.unary(b"still here")
    waiting = asyncio.create_task(call.code())
    await soon(hanging.entered.wait())
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert not call.done()
    hanging.release.set()
    assert (await soon(call)).body == b"still here"


async def test_a_call_that_nobody_holds_is_cancelled(local_way: Way) -> None:
    hanging = Hanging()
    local_way.servicer.stream = hanging.stream
    call = local_way.streamed()
    await soon(hanging.entered.wait())

    del call
    gc.collect()
    await soon(hanging.cancelled.wait())


async def test_a_servicer_that_cancels_itself_fails_its_call(local_way: Way) -> None:
    # Over a socket nobody tells the caller, who waits for its deadline.
    async def answer(request: ForwardRequest, context: Any) -> ForwardResponse:
        raise asyncio.CancelledError

    local_way.servicer.answer = answer

    assert (await failure_of(local_way.unary())).code() is grpc.StatusCode.CANCELLED


async def test_a_servicer_that_goes_on_without_its_caller_is_told(way: Way) -> None:
    raised: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
    entered = asyncio.Event()

    async def answer(request: ForwardRequest, context: Any) -> ForwardResponse:
        entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            try:
                await context.send_initial_metadata(())
            except grpc.aio.InternalError as exc:
                raised.set_result(exc)
        return ForwardResponse()

    way.servicer.answer = answer
    call = way.unary()
    await soon(entered.wait())
    call.cancel()

    assert isinstance(await soon(raised), grpc.aio.InternalError)


# How calls run


async def test_a_call_runs_before_it_is_awaited(way: Way) -> None:
    hanging = Hanging()
    way.servicer.answer = hanging.answer
    call = way.unary(b"x")
    await soon(hanging.entered.wait())
    hanging.release.set()
    await soon(hanging.called_back.wait())

    assert (await soon(call)).body == b"x"


async def test_several_wait_for_one_call(way: Way) -> None:
    hanging = Hanging()
    way.servicer.answer = hanging.answer
    call = way.unary(b"x")

    async def wait() -> bytes:
        return bytes((await call).body)

    waiting = [asyncio.create_task(wait()) for _ in range(3)]
    codes = [asyncio.create_task(call.code()) for _ in range(3)]
    await soon(hanging.entered.wait())
    hanging.release.set()

    assert await soon(asyncio.gather(*waiting)) == [b"x"] * 3
    assert await soon(asyncio.gather(*codes)) == [grpc.StatusCode.OK] * 3


async def test_calls_side_by_side_do_not_mix(way: Way) -> None:
    bodies = [str(number).encode() for number in range(50)]
    streams = [read_all(way.streamed(body)) for body in bodies]
    calls = [way.unary(body) for body in bodies]

    assert [response.body for response in await soon(asyncio.gather(*calls))] == bodies
    assert [b"".join(chunks) for chunks in await soon(asyncio.gather(*streams))] == bodies


async def test_a_servicer_runs_in_a_task_and_with_context_variables_of_its_own(way: Way) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
    seen: list[Any] = []

    async def answer(request: ForwardRequest, context: Any) -> ForwardResponse:
        seen.append((asyncio.current_task(), variable.get()))
        variable.set("by the servicer")
        return ForwardResponse()

    way.servicer.answer = answer
    variable.set("by the caller")
    await soon(way.unary())
    await soon(way.unary())

    assert [value for _, value in seen] == ["unset", "unset"]
    assert seen[0][0] is not seen[1][0]
    assert asyncio.current_task() not in [task for task, _ in seen]
    assert variable.get() == "by the caller"


async def test_a_done_callback_of_a_call_that_has_ended_is_called_at_once(way: Way) -> None:
    call = way.unary()
    await soon(call)
    ended: list[Any] = []
    call.add_done_callback(ended.append)

    assert ended == [call]
