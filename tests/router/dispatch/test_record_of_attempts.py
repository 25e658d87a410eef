"""What is said of a call is said of one attempt: the one that answered, or the one whose failure is told."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from msgspec import structs

from router.calls import Call
from router.dispatch import Dispatcher
from router.errors import TrunklineError, UpstreamUnreachableError
from router.transport.memory import MemoryResponse, MemoryTransport
from router.values import Usage
from router.wire.http import HttpRequest
from tests.support.calls import DEPLOYMENT, ONE_ATTEMPT, call, collect, snapshot, world

A = structs.replace(DEPLOYMENT, upstream_model="a")
B = structs.replace(DEPLOYMENT, upstream_model="b", priority=1)
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":500}}\n\n'
BROKEN = b"data: {\n\n"
ANSWER = b'{"usage":{"prompt_tokens":1000,"completion_tokens":500}}'

Respond = Callable[[], MemoryResponse]


def unreachable() -> MemoryResponse:
    raise UpstreamUnreachableError("not there")


def answer(status: int, *parts: bytes) -> Respond:
    return lambda: MemoryResponse(status, parts=parts)


async def asked(*, stream: bool, retries: int = 0, **responses: Respond) -> Call:
    """Have a call made; the deployments respond as told, by their names."""

    def respond(request: HttpRequest) -> MemoryResponse:
        name = json.loads(request.body)["model"]
        return responses[name]()

    made = call(snapshot(A, B), stream=stream, policy=replace(ONE_ATTEMPT, retries=retries))
    dispatcher = Dispatcher(world(MemoryTransport(respond)))
    try:
        await collect(dispatcher.chat, made)
    except TrunklineError as exc:
        made.record.failure = exc
    return made


async def test_tokens_of_another_attempt_are_not_priced_as_those_of_the_one_that_is_told() -> None:
    made = await asked(stream=True, a=answer(500, b"down"), b=answer(200, USAGE, USAGE, BROKEN))

    record = made.record
    assert record.deployment == A
    assert (record.attempts, record.upstream_status) == (2, 500)
    assert (record.usage, record.cost) == (None, None)


async def test_tokens_of_an_answer_are_priced_where_it_was_given() -> None:
    made = await asked(stream=False, a=answer(500, b"down"), b=answer(200, ANSWER))

    assert (made.record.deployment, made.record.usage) == (B, Usage(1000, 500))


@pytest.mark.parametrize("retries", [0, 1])
async def test_an_attempt_without_an_answer_has_no_time_and_status_of_the_one_before(
    retries: int,
) -> None:
    made = await asked(
        stream=False,
        retries=retries,
        a=unreachable,
        b=answer(500, b"down"),
    )

    record = made.record
    assert record.deployment == A
    assert (record.upstream_status, record.answered) == (None, 0)


async def test_the_time_of_an_answer_is_that_of_the_attempt_that_is_told() -> None:
    made = await asked(stream=False, a=answer(500, b"down"), b=unreachable)

    assert made.record.answered >= made.record.sent > 0
