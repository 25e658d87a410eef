"""Spreads calls over the deployments of one priority. Pure: state and randomness are parameters.

Three strategies. `weighted_random` knows nothing but weights. `least_in_flight` takes the deployment with
the fewest calls under way. `peak_ewma` (the default) draws two by weight and takes the one where a call
would wait less: expected seconds times the calls already there. Two choices keep all from running to
the same best one (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001).
`docs/load-balancing.md` compares them.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Protocol, TypeVar

from router.config import Balancing

Random = Callable[[], float]


class Load(Protocol):
    """What a strategy knows of one deployment. `expected` is in seconds; 0 means not known."""

    @property
    def weight(self) -> float: ...

    @property
    def in_flight(self) -> int: ...

    @property
    def expected(self) -> float: ...


L = TypeVar("L", bound=Load)

UNKNOWN_SECONDS: Final = 1e6
"""Expected of a deployment that has its first call under way. As in Finagle, who has not answered yet gets
one call at once, and another one only if nobody else is known any better."""


def by_weight(loads: Sequence[L], random: Random) -> list[L]:
    """Order by chance, in proportion to weight; weight 0 comes last.

    Weighted order without replacement: u ** (1 / weight), largest first (Efraimidis and Spirakis,
    "Weighted random sampling with a reservoir", 2006).
    """

    def share(load: L) -> float:
        return random() ** (1 / load.weight) if load.weight > 0 else -1.0

    return sorted(loads, key=share, reverse=True)


def by_calls_in_flight(loads: Sequence[L], random: Random) -> list[L]:
    """Order by calls under way for their weight; chance decides among equals."""

    def crowd(load: L) -> float:
        return (load.in_flight + 1) / load.weight if load.weight > 0 else float("inf")

    return sorted(by_weight(loads, random), key=crowd)


def by_peak_ewma(loads: Sequence[L], random: Random) -> list[L]:
    """Draw an order by weight; of its first two, the one where a call would wait less goes first."""
    drawn = by_weight(loads, random)
    if len(drawn) > 1 and drawn[1].weight > 0 and _wait(drawn[1]) < _wait(drawn[0]):
        drawn[0], drawn[1] = drawn[1], drawn[0]
    return drawn


def _wait(load: Load) -> float:
    expected = load.expected
    if not expected and not load.in_flight:
        return 0.0
    return (expected or UNKNOWN_SECONDS) * (load.in_flight + 1)


class Order(Protocol):
    """A strategy: the loads of one priority, in the order in which to try them."""

    def __call__(self, loads: Sequence[L], random: Random) -> list[L]: ...


ORDERS: Final[Mapping[Balancing, Order]] = MappingProxyType({
    Balancing.WEIGHTED_RANDOM: by_weight,
    Balancing.LEAST_IN_FLIGHT: by_calls_in_flight,
    Balancing.PEAK_EWMA: by_peak_ewma,
})  # fmt: skip
