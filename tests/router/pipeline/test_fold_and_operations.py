"""Stages compose in the order of their list, and the operation chooses the last one."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import pytest

from router.calls import Body, Call, Event, Listing, Operation, Stage
from router.errors import ModelNotFoundError, PathNotFoundError
from router.pipeline import fold
from router.pipeline.fold import Wrapper
from router.pipeline.models import get_model, list_models, refuse, watch_models
from router.pipeline.operation import by_operation
from router.routing.snapshot import EMPTY, Snapshot
from tests.support.calls import call, collect, snapshot


def answering(text: bytes) -> Stage:
    async def stage(made: Call) -> AsyncGenerator[Event, None]:
        yield Body(text)

    return stage


def noting(name: str, seen: list[str]) -> Wrapper:
    def wrap(following: Stage) -> Stage:
        async def stage(made: Call) -> AsyncGenerator[Event, None]:
            seen.append(f"{name} in")
            try:
                async with aclosing(following(made)) as events:
                    async for event in events:
                        yield event
            finally:
                seen.append(f"{name} out")

        return stage

    return wrap


async def test_stages_run_in_the_order_of_their_list_and_end_the_other_way() -> None:
    seen: list[str] = []
    pipeline = fold((noting("first", seen), noting("second", seen)), answering(b"x"))

    events = await collect(pipeline, call())

    assert events == [Body(b"x")]
    assert seen == ["first in", "second in", "second out", "first out"]


async def test_who_leaves_the_pipeline_leaves_every_stage() -> None:
    seen: list[str] = []
    pipeline = fold((noting("first", seen), noting("second", seen)), answering(b"x"))

    async with aclosing(pipeline(call())) as events:
        await anext(events)

    assert seen[-2:] == ["second out", "first out"]


async def test_without_stages_the_terminal_is_the_pipeline() -> None:
    terminal = answering(b"x")

    assert fold((), terminal) is terminal


@pytest.mark.parametrize("operation", Operation)
async def test_each_operation_has_its_own_terminal(operation: Operation) -> None:
    terminal = by_operation({o: answering(o.encode()) for o in Operation})

    events = await collect(terminal, replace(call(), operation=operation))

    assert events == [Body(operation.encode())]


async def test_models_are_read_from_the_snapshot_of_the_call() -> None:
    made = replace(call(), name="m")

    assert await collect(list_models, made) == [Listing(made.snapshot)]
    assert await collect(get_model, made) == [Listing(made.snapshot, made.snapshot.models[0])]
    with pytest.raises(ModelNotFoundError):
        await collect(get_model, replace(made, name="other"))


async def test_a_refusal_is_what_its_body_raises() -> None:
    def body() -> bytes:
        raise PathNotFoundError("nothing here")

    with pytest.raises(PathNotFoundError, match="nothing here"):
        await collect(refuse, replace(call(), body=body))


async def test_a_watch_gives_each_state_in_turn() -> None:
    states = [EMPTY, snapshot()]

    async def watch() -> AsyncIterator[Snapshot]:
        for state in states:
            yield state

    assert await collect(watch_models(watch), call()) == [Listing(state) for state in states]
