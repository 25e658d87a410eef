"""Replicas of a model as a queue sees them: so many calls at once, the rest in order of arrival.

Pure: the clock's seconds are a parameter, chance is a number that is given.
"""

from collections import deque
from dataclasses import dataclass
from math import log
from typing import Final, Generic, TypeVar

from router.errors import UpstreamError

SLOTS: Final = 16
"""Calls that a replica works on at once."""

MEAN_SECONDS: Final = 0.5
"""Of an answer by a replica of ordinary speed: a short one of a language model."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What befalls a replica from `begin` to `end` of each period, in seconds.

    It works `slowness` times slower, or fails a `share` of the calls with `kind`, `after` so many seconds.
    """

    begin: float
    end: float
    period: float
    slowness: float = 1.0
    kind: type[UpstreamError] | None = None
    share: float = 1.0
    after: float = 0.005

    def is_on(self, now: float) -> bool:
        return self.begin <= now % self.period < self.end


@dataclass(frozen=True, slots=True)
class Spec:
    """A replica: how many times slower than ordinary it always is, and what befalls it."""

    slowness: float = 1.0
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """Replicas of one model, and the calls that come to them: `rate` per second.

    `spread` is the sigma of the lognormal times of answers.
    """

    name: str
    words: str
    rate: float
    replicas: tuple[Spec, ...]
    spread: float = 0.5

    @property
    def location(self) -> float:
        """The lognormal's mu that makes `MEAN_SECONDS` its mean."""
        return log(MEAN_SECONDS) - self.spread * self.spread / 2


T = TypeVar("T")


class Replica(Generic[T]):
    """One at work. `T` is what it works on."""

    __slots__ = ("busy", "queue", "spec")

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.busy = 0
        self.queue: deque[T] = deque()

    def slowness(self, now: float) -> float:
        """How many times slower than ordinary it works now."""
        trouble = self.spec.trouble
        if trouble is not None and trouble.is_on(now):
            return self.spec.slowness * trouble.slowness
        return self.spec.slowness

    def failing(self, now: float, chance: float) -> Trouble | None:
        """Why it fails a call now, if it does; `chance` is a number of [0, 1)."""
        trouble = self.spec.trouble
        if trouble is None or trouble.kind is None or not trouble.is_on(now):
            return None
        return trouble if chance < trouble.share else None
