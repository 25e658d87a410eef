"""The average goes up quickly, comes down slowly, and fades when nothing is heard."""

import pytest

from router.routing.latency import DECAY_SECONDS, FORGET_SECONDS, PeakEwma


def test_nothing_is_expected_of_who_has_not_answered() -> None:
    assert PeakEwma().at(100) == 0


def test_the_first_answer_counts_in_full() -> None:
    average = PeakEwma()
    average.observe(3.0, 5)

    assert average.at(5) == 3.0


def test_slow_answers_raise_it_sooner_than_fast_ones_bring_it_down() -> None:
    rising, falling = PeakEwma(), PeakEwma()
    rising.observe(1.0, 0)
    falling.observe(3.0, 0)
    rising.observe(3.0, 2)
    falling.observe(1.0, 2)

    assert rising.at(2) == pytest.approx(3.0 - 2.0 / 2.71828, rel=1e-3)
    assert falling.at(2) > rising.at(2)


def test_one_slow_answer_among_many_says_little() -> None:
    average = PeakEwma()
    for tenth in range(100):
        average.observe(0.5, tenth / 10)
    average.observe(10.0, 10)

    assert average.at(10) < 1.0


def test_a_failure_is_no_fast_answer_and_says_nothing_of_who_has_not_answered() -> None:
    average = PeakEwma()
    average.observe_failure(0.001, 0)
    unknown = average.at(0)
    average.observe(0.5, 1)
    average.observe_failure(0.001, 2)

    assert unknown == 0
    assert average.at(2) > 0.45


def test_what_was_heard_long_ago_is_forgotten() -> None:
    average = PeakEwma()
    average.observe(3.0, 0)

    assert average.at(FORGET_SECONDS + 1) == 0


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
