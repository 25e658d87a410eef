"""What the strategies are measured by: the page `docs/load-balancing.md` has a row for each of them."""

from typing import Final

from router.errors import UpstreamUnavailableError, UpstreamUnreachableError
from tests.simulation.replicas import Scenario, Spec, Trouble

_WELL: Final = Spec()
_BROWN_OUT = Trouble(begin=60, end=120, period=300, slowness=20)
_FLAPPING = Trouble(begin=4, end=8, period=8, kind=UpstreamUnavailableError)
_ERRORS = Trouble(begin=0, end=1, period=1, kind=UpstreamUnavailableError, share=0.25)
_DEAD = Trouble(begin=60, end=120, period=300, kind=UpstreamUnreachableError, after=0.001)

# Three replicas give 96 answers a second, of the ordinary speed and with all their slots.
_CROWDED: Final = 82.0
_EASY: Final = 40.0


def _third(trouble: Trouble) -> tuple[Spec, ...]:
    return (_WELL, _WELL, Spec(trouble=trouble))


SCENARIOS: Final = (
    Scenario("even", "three equal replicas, 85 % busy", _CROWDED, (_WELL,) * 3),
    Scenario(
        "heavy tail", "the same with very unequal answers", _CROWDED, (_WELL,) * 3, spread=1.2
    ),
    Scenario(
        "uneven",
        "replicas that are 1, 1, 2 and 5 times slower, 60 % busy",
        52.0,
        (_WELL, _WELL, Spec(2), Spec(5)),
    ),
    Scenario("brown-out", "one is 20 times slower, a minute in five", _EASY, _third(_BROWN_OUT)),
    Scenario("flapping", "one answers 500 at once, 4 s in 8", _EASY, _third(_FLAPPING)),
    Scenario("errors", "one answers a quarter with 500", _EASY, _third(_ERRORS)),
    Scenario("dead", "one refuses connections, a minute in five", _EASY, _third(_DEAD)),
    Scenario(
        "fleet",
        "twelve replicas, three of them 5 times slower, 60 % busy",
        185.0,
        (*((_WELL,) * 9), *((Spec(5),) * 3)),
    ),
)
"""The last replica of each is the one whose share is told."""
