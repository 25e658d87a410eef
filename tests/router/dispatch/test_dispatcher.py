"""Dispatch drives one attempt: what is chosen, sent, held back, committed, and told."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

import pytest
from msgspec import structs

from router.calls import Batch, Body, Call, Event
from router.config import Policy, Timeouts
from router.dispatch import MAX_HELD_BYTES, MAX_HELD_FRAMES, Dispatcher
from router.errors import (
    DeadlineExceededError,
    InvalidRequestError,
    ModelNotFoundError,
    PayloadTooLargeError,
    TrunklineError,
    UpstreamAuthError,
    UpstreamError,
    UpstreamTruncatedError,
    UpstreamUnavailableError,
)
from router.transport.answer import Readable
from router.transport.memory import MemoryResponse, MemoryTransport
from router.transport.seam import HttpResponse
from router.values import NO_HEADERS, Endpoint, Usage
from router.wire.http import HttpRequest
from tests.support.calls import DEPLOYMENT, call, collect, snapshot, with_body, world

ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
CONTENT = b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
FINISH = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":500}}\n\n'
DONE = b"data: [DONE]\n\n"


def payload(event: bytes) -> bytes:
    return event.removeprefix(b"data: ").removesuffix(b"\n\n")


def memory(*parts: bytes | UpstreamError, status: int = 200) -> MemoryTransport:
    return MemoryTransport(lambda _: MemoryResponse(status, parts=parts))


def dispatcher(transport: object) -> Dispatcher:
    # (a scripted transport of this file, or the memory twin)
    return Dispatcher(world(transport))  # type: ignore[arg-type]


async def collect_into(seen: list[Event], through: Dispatcher, made: Call) -> None:
    """What came before a failure counts."""
    async for event in through.chat(made):
        seen.append(event)  # noqa: PERF401 (a comprehension would lose what came before a failure)


async def test_a_whole_answer_passes_and_is_accounted_for() -> None:
    transport = memory(b'{"usage":{"prompt_tokens":1000,', b'"completion_tokens":500}}')
    made = call()

    events = await collect(dispatcher(transport).chat, made)

    assert events == [Body(b'{"usage":{"prompt_tokens":1000,"completion_tokens":500}}')]
    assert made.record.usage == Usage(1000, 500)
    assert str(made.record.cost) == "0.002000"
    assert (made.record.attempts, made.record.upstream_status) == (1, 200)
    assert json.loads(transport.sent[0].body)["model"] == "up"


async def test_chunks_that_arrive_together_leave_together_and_done_with_the_last() -> None:
    transport = memory(ROLE, CONTENT + CONTENT, CONTENT, FINISH + USAGE + DONE)
    made = call(stream=True)

    events = await collect(dispatcher(transport).chat, made)

    assert events == [
        Batch((payload(ROLE), payload(CONTENT), payload(CONTENT))),
        Batch((payload(CONTENT),)),
        Batch((payload(FINISH),), is_done=True),
    ]
    assert made.record.usage == Usage(1000, 500)
    assert made.record.status == "OK"


async def test_a_complete_stream_without_end_mark_ends_without_one() -> None:
    events = await collect(dispatcher(memory(CONTENT, FINISH)).chat, call(stream=True))

    assert [e.is_done for e in events if isinstance(e, Batch)] == [False, False, False]


async def test_a_stream_with_nothing_but_its_end_mark_is_an_empty_answer() -> None:
    events = await collect(dispatcher(memory(DONE)).chat, call(stream=True))

    assert events == [Batch((), is_done=True)]


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ([ROLE], UpstreamTruncatedError),
        ([ROLE, UpstreamTruncatedError("cut")], UpstreamTruncatedError),
        ([b"data: {\n\n"], UpstreamUnavailableError),
        ([ROLE + b'data: {"error":{"message":"m"}}\n\n' + DONE], UpstreamUnavailableError),
        ([], UpstreamTruncatedError),
    ],
)
async def test_before_the_first_content_a_failure_is_the_calls_alone(
    parts: list[bytes | UpstreamError], kind: type[TrunklineError]
) -> None:
    seen: list[Event] = []

    with pytest.raises(kind):
        await collect_into(seen, dispatcher(memory(*parts)), call(stream=True))

    assert seen == []


@pytest.mark.parametrize("end", [[], [UpstreamTruncatedError("cut")], [b"data: {\n\n"]])
async def test_after_the_first_content_a_failure_ends_the_stream(
    end: list[bytes | UpstreamError],
) -> None:
    seen: list[Event] = []

    with pytest.raises(UpstreamUnavailableError):
        await collect_into(seen, dispatcher(memory(ROLE + CONTENT, *end)), call(stream=True))

    assert seen[0] == Batch((payload(ROLE), payload(CONTENT)))
    assert not any(isinstance(e, Batch) and e.is_done for e in seen)


async def test_a_failure_in_the_providers_own_frame_is_not_told_twice() -> None:
    error = b'data: {"error":{"message":"broke"}}\n\n'
    made = call(stream=True)

    events = await collect(dispatcher(memory(CONTENT, error)).chat, made)

    assert events[1] == Batch((payload(error),))
    assert not any(isinstance(e, Batch) and e.is_done for e in events)
    assert made.record.status == "UPSTREAM_UNAVAILABLE"


@pytest.mark.parametrize(
    "idle",
    [
        ROLE * (MAX_HELD_FRAMES + 1),
        b'data: {"choices":[],"x":"' + b"y" * MAX_HELD_BYTES + b'"}\n\n',
    ],
)
async def test_what_is_held_back_is_bounded(idle: bytes) -> None:
    async with aclosing(dispatcher(memory(idle, CONTENT)).chat(call(stream=True))) as events:
        first = await anext(events)

    assert isinstance(first, Batch)
    assert len(first.chunks) == idle.count(b"\n\n")


async def test_the_status_of_the_answer_is_judged_before_its_body() -> None:
    body = b'{"error":{"message":"Incorrect API key: key-of-ours"}}'

    with pytest.raises(UpstreamAuthError) as caught:
        await collect(dispatcher(memory(body, status=401)).chat, call())

    assert caught.value.message == "Incorrect API key: ***"


async def test_our_credential_is_masked_wherever_a_provider_echoes_it() -> None:
    echo = b'data: {"choices":[{"index":0,"delta":{"content":"key-of-ours"}}]}\n\n'

    whole = await collect(dispatcher(memory(b'{"x":"key-of-ours"}')).chat, call())
    stream = await collect(dispatcher(memory(echo, FINISH, DONE)).chat, call(stream=True))
    refused = memory(b'{"error":{"message":"no key-of-ours"}}', status=400)
    with pytest.raises(TrunklineError) as caught:
        await collect(dispatcher(refused).chat, call())

    assert whole == [Body(b'{"x":"***"}')]
    assert b"key-of-ours" not in stream[0].chunks[0]  # type: ignore[union-attr]  # (a Batch, or it fails)
    assert b"key-of-ours" not in caught.value.body


async def test_a_missing_key_is_told_by_its_variable_and_nothing_is_sent() -> None:
    keyless = structs.replace(DEPLOYMENT, provider=replace(DEPLOYMENT.provider, api_key=None))
    transport = memory()

    with pytest.raises(UpstreamAuthError, match="P_API_KEY"):
        await collect(dispatcher(transport).chat, call(snapshot(keyless)))

    assert transport.sent == []


async def test_a_deployment_that_can_be_called_goes_before_one_without_key() -> None:
    keyless = structs.replace(DEPLOYMENT, provider=replace(DEPLOYMENT.provider, api_key=None))
    made = call(snapshot(keyless, structs.replace(DEPLOYMENT, priority=5)))

    await collect(dispatcher(memory(b"{}")).chat, made)

    assert made.record.deployment
    assert made.record.deployment.priority == 5


async def test_what_the_caller_got_wrong_is_the_callers_to_hear() -> None:
    only_embeds = snapshot(structs.replace(DEPLOYMENT, endpoint=Endpoint.EMBEDDINGS))

    with pytest.raises(InvalidRequestError):
        await collect(dispatcher(memory()).chat, with_body(call(), b"{"))
    with pytest.raises(PayloadTooLargeError):
        await collect(dispatcher(memory()).chat, with_body(call(), b" " * 1_000_001))
    with pytest.raises(ModelNotFoundError):
        await collect(dispatcher(memory()).chat, call(model="other"))
    with pytest.raises(InvalidRequestError) as endpoint:
        await collect(dispatcher(memory()).chat, call(only_embeds))
    with pytest.raises(InvalidRequestError) as mismatch:
        await collect(dispatcher(memory()).chat, replace(call(stream=True), is_stream=False))

    assert (endpoint.value.param, mismatch.value.param) == ("model", "stream")


class Silent(Readable):
    """A transport that gives its head, then `parts`, then says nothing for ever."""

    def __init__(self, *parts: bytes, has_head: bool = True) -> None:
        self.status = 200
        self.headers = NO_HEADERS
        self._left = iter(parts)
        self._has_head = has_head
        self.is_closed = False

    @asynccontextmanager
    async def send(
        self, request: HttpRequest, *, connect_timeout: float
    ) -> AsyncIterator[HttpResponse]:
        try:
            if not self._has_head:
                await asyncio.Event().wait()
            yield self
        finally:
            self.is_closed = True

    async def read_some(self) -> bytes:
        for part in self._left:
            return part
        await asyncio.Event().wait()
        return b""


@pytest.mark.parametrize(
    ("transport", "timeouts", "stream"),
    [
        (Silent(has_head=False), Timeouts(first_token=0.01), True),
        (Silent(ROLE), Timeouts(first_token=0.01), True),
        (Silent(CONTENT), Timeouts(idle=0.01), True),
        (Silent(has_head=False), Timeouts(total=0.01), False),
    ],
    ids=["no head", "no content", "idle", "unary"],
)
async def test_a_deadline_that_passes_ends_the_call_and_its_connection(
    transport: Silent, timeouts: Timeouts, *, stream: bool
) -> None:
    with pytest.raises(DeadlineExceededError):
        await collect(
            dispatcher(transport).chat, call(stream=stream, policy=Policy(timeouts=timeouts))
        )

    assert transport.is_closed


async def test_the_callers_deadline_bounds_everything() -> None:
    transport = Silent(CONTENT)
    now = asyncio.get_running_loop().time()

    with pytest.raises(DeadlineExceededError):
        await collect(dispatcher(transport).chat, replace(call(stream=True), deadline=now + 0.01))

    assert transport.is_closed


@pytest.mark.parametrize("parts", [(), (ROLE,), (CONTENT,)])
async def test_a_caller_who_leaves_ends_the_connection_to_the_provider(parts: tuple[bytes]) -> None:
    transport = Silent(*parts)
    running = asyncio.create_task(collect(dispatcher(transport).chat, call(stream=True)))
    for _ in range(5):
        await asyncio.sleep(0)
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running

    assert transport.is_closed


async def test_the_end_of_a_body_is_awaited_after_its_end_mark_but_not_for_ever() -> None:
    transport = Silent(CONTENT + FINISH + DONE)

    events = await collect(dispatcher(transport).chat, call(stream=True))

    assert events[-1] == Batch((payload(CONTENT), payload(FINISH)), is_done=True)
    assert transport.is_closed
