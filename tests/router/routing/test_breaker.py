"""A breaker opens on what is worth it, probes with one call, and never with a clock of its own."""

import pytest

from router.routing.breaker import Breaker, BreakerSettings, State

SETTINGS = BreakerSettings(
    window=10, buckets=5, min_volume=4, ratio=0.5, connection_failures=3,
    open_seconds=8, max_open_seconds=32,
)  # fmt: skip


def fail(
    breaker: Breaker, now: float, *, is_connection: bool = False, is_probe: bool = False
) -> bool:
    return breaker.failed(now, is_probe=is_probe, is_connection=is_connection, random=lambda: 1.0)


def succeed(
    breaker: Breaker, now: float, *, is_probe: bool = False, began_at: float | None = None
) -> bool:
    began_at = now if began_at is None else began_at
    return breaker.succeeded(now, is_probe=is_probe, began_at=began_at)


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker(SETTINGS)
    assert [fail(breaker, now, is_connection=True) for _ in range(3)] == [False, False, True]
    return breaker


def test_it_opens_at_its_ratio_once_there_is_enough_to_judge_by() -> None:
    breaker = Breaker(SETTINGS)

    assert not succeed(breaker, 0)
    assert not fail(breaker, 0)
    assert not fail(breaker, 1)
    assert breaker.admits(1)
    assert fail(breaker, 2)
    assert breaker.state(2) is State.OPEN
    assert not breaker.admits(2)


def test_what_is_older_than_the_window_counts_no_more() -> None:
    breaker = Breaker(SETTINGS)
    for _ in range(3):
        fail(breaker, 0)

    assert not fail(breaker, 11)
    assert breaker.admits(11)


def test_successes_keep_it_closed_below_the_ratio() -> None:
    breaker = Breaker(SETTINGS)
    for at in range(100):
        succeed(breaker, at / 10)
        succeed(breaker, at / 10)
        assert not fail(breaker, at / 10)

    assert breaker.state(10) is State.CLOSED


def test_failed_connections_in_a_row_open_it_whatever_the_volume() -> None:
    breaker = Breaker(SETTINGS)
    fail(breaker, 0, is_connection=True)
    fail(breaker, 0, is_connection=True)
    for _ in range(9):
        succeed(breaker, 0)

    assert not fail(breaker, 0, is_connection=True)
    assert opened().is_open


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 4.0), (1.0, 8.0)])
def test_it_stays_open_for_half_to_all_of_its_time(chance: float, seconds: float) -> None:
    breaker = Breaker(SETTINGS)
    for _ in range(3):
        breaker.failed(0, is_probe=False, is_connection=True, random=lambda: chance)

    assert breaker.reopens_at == seconds
    assert not breaker.admits(seconds - 0.01)
    assert breaker.admits(seconds)


def test_half_open_it_lets_one_probe_through_at_a_time() -> None:
    breaker = opened()

    assert breaker.state(8) is State.HALF_OPEN
    assert breaker.admits(8)
    assert breaker.began(8)
    assert not breaker.admits(8)
    assert not breaker.began(8)
    breaker.released(is_probe=True)
    assert breaker.admits(8)


def test_a_probe_that_succeeds_closes_it_and_all_is_forgotten() -> None:
    breaker = opened()
    breaker.began(8)

    assert succeed(breaker, 9, is_probe=True)
    assert breaker.state(9) is State.CLOSED
    assert not fail(breaker, 9)


def test_a_probe_that_fails_opens_it_for_twice_as_long_up_to_a_bound() -> None:
    breaker, now, lengths = opened(), 8.0, []
    for _ in range(4):
        assert breaker.began(now)
        assert fail(breaker, now, is_probe=True)
        lengths.append(breaker.reopens_at - now)
        now = breaker.reopens_at

    assert lengths == [16, 32, 32, 32]


def test_calls_that_began_before_it_opened_do_not_prolong_it() -> None:
    breaker = opened()

    assert not fail(breaker, 5)
    assert breaker.reopens_at == 8


def test_an_answer_to_a_call_that_began_before_it_opened_does_not_close_it() -> None:
    breaker = opened(now=10)

    assert not succeed(breaker, 11, began_at=9)
    assert not breaker.admits(11)


def test_whoever_gets_an_answer_while_it_is_open_closes_it() -> None:
    breaker = opened()

    assert succeed(breaker, 1)
    assert breaker.admits(1)
