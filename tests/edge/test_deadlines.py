"""One timer for many waits: each is closed at its deadline, none that has ended."""

import pytest

from edge.deadlines import Deadlines
from tests.support.wire import eventually


class Waiter:
    """Notes when it is closed."""

    def __init__(self, name: str, closed: list[str]) -> None:
        self._name = name
        self._closed = closed

    def close(self) -> None:
        self._closed.append(self._name)


@pytest.fixture
def closed() -> list[str]:
    return []


async def test_who_waits_too_long_is_closed_in_the_order_in_which_they_began(
    closed: list[str],
) -> None:
    deadlines = Deadlines(0.02)
    for name in ("first", "second", "third"):
        deadlines.begin(Waiter(name, closed))

    await eventually(lambda: len(closed) == 3)

    assert closed == ["first", "second", "third"]
    assert len(deadlines) == 0


async def test_a_wait_that_has_ended_is_not_closed(closed: list[str]) -> None:
    deadlines = Deadlines(0.02)
    patient, hasty = Waiter("patient", closed), Waiter("hasty", closed)
    deadlines.begin(hasty)
    deadlines.begin(patient)
    deadlines.end(hasty)

    await eventually(lambda: closed == ["patient"])


async def test_a_wait_that_begins_anew_has_its_whole_time_again(closed: list[str]) -> None:
    deadlines = Deadlines(0.02)
    again, once = Waiter("again", closed), Waiter("once", closed)
    deadlines.begin(again)
    deadlines.begin(once)
    deadlines.begin(again)

    await eventually(lambda: len(closed) == 2)

    assert closed == ["once", "again"]


async def test_after_the_last_wait_a_new_one_is_bounded_too(closed: list[str]) -> None:
    deadlines = Deadlines(0.01)
    deadlines.begin(Waiter("first", closed))
    await eventually(lambda: closed == ["first"])

    deadlines.begin(Waiter("second", closed))

    await eventually(lambda: closed == ["first", "second"])


async def test_stopped_deadlines_close_nobody(closed: list[str]) -> None:
    deadlines, other = Deadlines(0.01), Deadlines(0.02)
    deadlines.begin(Waiter("stopped", closed))
    deadlines.stop()
    other.begin(Waiter("other", closed))

    await eventually(lambda: closed == ["other"])
    assert closed == ["other"]
