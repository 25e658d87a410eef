"""Calls of models take a place while they last; what reads the list takes none."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from router.calls import Body, Call, Event, Operation, Stage
from router.config import AdmissionConfig
from router.errors import OverloadedError
from router.pipeline import Account, Admit, fold
from tests.support.calls import call, collect


async def answering(made: Call) -> AsyncGenerator[Event, None]:
    yield Body(b"{}")
    yield Body(b"{}")


class Admitted:
    """The stage as the pipeline has it: behind the one that settles calls."""

    def __init__(self) -> None:
        metrics = CollectorRegistry()
        self.admit = Admit(AdmissionConfig(1, 0), metrics)
        self.gate = self.admit.gate
        self._account = Account(metrics)

    def __call__(self, following: Stage) -> Stage:
        return fold((self._account, self.admit), following)


async def test_a_place_is_held_from_the_first_event_to_the_last() -> None:
    stage = Admitted()
    async with aclosing(stage(answering)(call())) as events:
        await anext(events)
        with pytest.raises(OverloadedError):
            await collect(stage(answering), call())

    assert stage.gate.inside == 0
    assert len(await collect(stage(answering), call())) == 2


async def test_whatever_ends_a_call_its_place_is_given_back() -> None:
    async def failing(made: Call) -> AsyncGenerator[Event, None]:
        yield Body(b"")
        raise OverloadedError("upstream")

    async def hanging(made: Call) -> AsyncGenerator[Event, None]:
        await asyncio.Event().wait()
        yield Body(b"")

    stage = Admitted()
    with pytest.raises(OverloadedError, match="upstream"):
        await collect(stage(failing), call())
    running = asyncio.create_task(collect(stage(hanging), call()))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert stage.gate.inside == 0


@pytest.mark.parametrize("operation", [Operation.LIST_MODELS, Operation.EXPLAIN])
async def test_what_calls_no_model_is_never_refused(operation: Operation) -> None:
    stage = Admitted()
    async with aclosing(stage(answering)(call())) as events:
        await anext(events)
        assert len(await collect(stage(answering), replace(call(), operation=operation))) == 2


async def test_other_limits_hold_from_the_next_call_on() -> None:
    stage = Admitted()
    stage.admit.follow(AdmissionConfig(2, 0))
    async with aclosing(stage(answering)(call())) as one, aclosing(stage(answering)(call())) as two:
        await anext(one)
        await anext(two)
        with pytest.raises(OverloadedError):
            await collect(stage(answering), call())
