"""A gate bounds what is inside, lets wait a few, in turn, and turns the rest away at once."""

import asyncio

import pytest

from router.errors import OverloadedError
from router.gate import Gate


def later() -> float:
    return asyncio.get_running_loop().time() + 60


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_as_many_as_the_limit_go_in_and_the_queue_waits_in_turn() -> None:
    gate, seen = Gate(2, 2, "full"), []

    async def visit(name: str) -> None:
        await gate.enter(later())
        seen.append(name)

    await asyncio.gather(visit("a"), visit("b"))
    waiting = [asyncio.create_task(visit(name)) for name in ("c", "d")]
    await turns()
    assert (gate.inside, gate.waiting, seen) == (2, 2, ["a", "b"])
    gate.leave()
    gate.leave()
    await asyncio.gather(*waiting)

    assert seen == ["a", "b", "c", "d"]
    assert gate.inside == 2


async def test_beyond_the_queue_everybody_is_turned_away_at_once() -> None:
    gate = Gate(1, 0, "No room.")
    await gate.enter(later())

    with pytest.raises(OverloadedError, match="No room") as caught:
        await gate.enter(later())

    assert caught.value.retry_after


async def test_who_waits_too_long_is_turned_away_and_leaves_no_trace() -> None:
    gate = Gate(1, 1, "full")
    await gate.enter(later())

    with pytest.raises(OverloadedError):
        await gate.enter(asyncio.get_running_loop().time())

    assert (gate.inside, gate.waiting) == (1, 0)


async def test_who_is_called_away_gives_up_the_turn() -> None:
    gate = Gate(1, 2, "full")
    await gate.enter(later())
    gone = asyncio.create_task(gate.enter(later()))
    stays = asyncio.create_task(gate.enter(later()))
    await turns()
    gone.cancel()
    await turns()
    gate.leave()
    await stays

    assert (gate.inside, gate.waiting) == (1, 0)


async def test_who_is_let_in_and_called_away_at_once_passes_the_place_on() -> None:
    gate = Gate(1, 2, "full")
    await gate.enter(later())
    first, second = (asyncio.create_task(gate.enter(later())) for _ in range(2))
    await turns()
    gate.leave()
    first.cancel()
    await second
    with pytest.raises(asyncio.CancelledError):
        await first

    assert (gate.inside, gate.waiting) == (1, 0)


async def test_a_limit_that_grows_lets_in_who_waits() -> None:
    gate = Gate(1, 5, "full")
    await gate.enter(later())
    waiting = [asyncio.create_task(gate.enter(later())) for _ in range(3)]
    await turns()
    gate.follow(4, 5)
    await asyncio.gather(*waiting)

    assert gate.inside == 4
