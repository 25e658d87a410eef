"""The average jumps up at once, comes down slowly, and fades when nothing is heard."""

import pytest

from router.routing.latency import DECAY_SECONDS, PeakEwma


def test_nothing_is_expected_of_who_has_not_answered() -> None:
    assert PeakEwma().at(100) == 0


def test_a_slow_answer_counts_in_full_at_once() -> None:
    average = PeakEwma()
    average.observe(0.1, 0)
    average.observe(3.0, 1)

    assert average.at(1) == 3.0


def test_fast_answers_bring_it_down_step_by_step() -> None:
    average = PeakEwma()
    average.observe(3.0, 0)
    values = []
    for second in range(1, 60):
        average.observe(0.1, second)
        values.append(average.at(second))

    assert values == sorted(values, reverse=True)
    assert values[-1] == pytest.approx(0.1, rel=0.1)


def test_it_fades_while_nothing_is_heard_so_that_it_is_tried_again() -> None:
    average = PeakEwma()
    average.observe(3.0, 0)

    assert average.at(DECAY_SECONDS) == pytest.approx(3.0 / 2.71828, rel=1e-3)
    assert average.at(1000) < 1e-6


def test_a_clock_that_stands_still_does_no_harm() -> None:
    average = PeakEwma()
    for seconds in (1.0, 0.5, 0.5):
        average.observe(seconds, 5)

    assert average.at(5) == 1.0
