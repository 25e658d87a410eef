"""A deployment has one gate, whatever becomes of its limit."""

import asyncio

from msgspec import structs

from router.dispatch import Gates
from router.gate import Gate
from router.values import Deployment
from tests.support.deployments import deployment, provider


def bounded(limit: int | None) -> Deployment:
    return deployment("x", provider(max_concurrency=limit))


def gate_of(gates: Gates, limit: int) -> Gate:
    gate = gates.of(bounded(limit))
    assert gate
    return gate


def later() -> float:
    return asyncio.get_running_loop().time() + 60


def test_what_nothing_bounds_has_none() -> None:
    assert Gates(queue=1).of(bounded(None)) is None


async def test_another_limit_forgets_nobody_who_is_in() -> None:
    gates = Gates(queue=1)
    await gate_of(gates, 1).enter(later())

    assert gate_of(gates, 2).inside == 1


async def test_another_limit_of_the_queue_holds_from_the_next_call_on() -> None:
    gates = Gates(queue=1)
    gate_of(gates, 1)
    gates.queue = 7

    assert gate_of(gates, 1).queue == 7


async def test_models_at_the_same_place_share_a_gate() -> None:
    gates = Gates(queue=1)
    gate = gate_of(gates, 1)

    assert gates.of(structs.replace(bounded(1), model="other")) is gate


async def test_a_gate_that_is_used_is_not_forgotten() -> None:
    gates = Gates(queue=1)
    gate = gate_of(gates, 1)
    await gate.enter(later())
    gates.forget_unused()
    kept = gate_of(gates, 1)
    gate.leave()
    gates.forget_unused()

    assert kept is gate
    assert gate_of(gates, 1) is not gate
