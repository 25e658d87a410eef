"""Each strategy orders by what it knows, and leaves the rest to chance."""

import random as chance
from collections import Counter
from dataclasses import dataclass

import pytest

from router.config import Balancing
from router.routing.balance import ORDERS


@dataclass(frozen=True)
class Place:
    name: str
    weight: float = 1.0
    in_flight: int = 0
    expected: float = 0.0


def firsts(balancing: Balancing, *places: Place, times: int = 10_000) -> Counter[str]:
    random = chance.Random(7).random
    return Counter(ORDERS[balancing](places, random)[0].name for _ in range(times))


def test_every_strategy_of_the_configuration_exists() -> None:
    assert set(ORDERS) == set(Balancing)


@pytest.mark.parametrize("balancing", list(Balancing))
def test_nothing_is_lost_or_doubled(balancing: Balancing) -> None:
    places = [Place(str(i), weight=i, in_flight=i % 3, expected=i / 10) for i in range(6)]

    ordered = ORDERS[balancing](places, chance.Random(1).random)

    assert sorted(p.name for p in ordered) == [p.name for p in places]


@pytest.mark.parametrize("balancing", list(Balancing))
def test_weight_zero_is_for_when_nothing_else_is_left(balancing: Balancing) -> None:
    seen = firsts(
        balancing, Place("a", in_flight=9, expected=9), Place("never", weight=0), times=500
    )

    assert seen == {"a": 500}


def test_weights_are_shares() -> None:
    seen = firsts(Balancing.WEIGHTED_RANDOM, Place("light"), Place("heavy", weight=3))

    assert seen["heavy"] / 10_000 == pytest.approx(0.75, abs=0.02)


def test_the_fewest_calls_for_their_weight_go_first() -> None:
    places = [
        Place("busy", in_flight=3),
        Place("big", weight=4, in_flight=5),
        Place("free", in_flight=1),
    ]

    ordered = ORDERS[Balancing.LEAST_IN_FLIGHT](places, chance.Random(1).random)

    assert [p.name for p in ordered] == ["big", "free", "busy"]


def test_of_two_the_one_where_a_call_waits_less_is_taken() -> None:
    slow, busy = Place("slow", expected=3.0), Place("busy", expected=0.5, in_flight=2)

    assert firsts(Balancing.PEAK_EWMA, slow, busy, times=500) == {"busy": 500}


def test_with_many_the_best_does_not_get_everything() -> None:
    places = [Place(str(i), expected=0.1 + i / 100) for i in range(10)]

    seen = firsts(Balancing.PEAK_EWMA, *places)

    assert seen["0"] / 10_000 == pytest.approx(0.2, abs=0.02)
    assert seen["9"] == 0


def test_who_has_not_answered_yet_is_tried() -> None:
    seen = firsts(Balancing.PEAK_EWMA, Place("known", expected=0.2), Place("new"), times=500)

    assert seen == {"new": 500}


def test_who_has_not_answered_yet_gets_one_call_and_no_second() -> None:
    seen = firsts(
        Balancing.PEAK_EWMA,
        Place("known", in_flight=9, expected=9),
        Place("new", in_flight=1),
        times=500,
    )

    assert seen == {"known": 500}


def test_among_those_who_have_not_answered_the_fewest_calls_decide() -> None:
    seen = firsts(Balancing.PEAK_EWMA, Place("a", in_flight=3), Place("b", in_flight=2), times=500)

    assert seen == {"b": 500}
