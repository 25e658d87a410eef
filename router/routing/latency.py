"""How slow a deployment is at the moment: a moving average that goes up quickly and comes down slowly.

Weighted by time, as Twitter's Finagle does it (`PeakEwma`): what was heard fades with the seconds since, so
that a replica which was slow is tried again. Unlike there, one slow answer does not count in full: answers
of language models differ by how long they are, and of two healthy replicas the one that last gave a long
one would be shunned (`docs/load-balancing.md` has the figures). Pure: the clock's seconds are a parameter.
"""

from math import exp
from typing import Final

RISE_SECONDS: Final = 2.0
"""Time in which slower answers make up 63 % of the value: a replica that turns slow loses traffic at once."""

DECAY_SECONDS: Final = 10.0
"""Time in which a value falls to 1/e: a few answers of a language model."""

FORGET_SECONDS: Final = 60.0
"""After which an old value says nothing any more."""


class PeakEwma:
    """Seconds of an answer. Lives as long as its deployment is known."""

    __slots__ = ("_seen_at", "_value")

    def __init__(self) -> None:
        self._value = 0.0
        self._seen_at = 0.0

    def observe(self, seconds: float, now: float) -> None:
        """Tell how long an answer took, in seconds."""
        if self._value:
            pace = RISE_SECONDS if seconds > self._value else DECAY_SECONDS
            share = exp(min(0.0, self._seen_at - now) / pace)
            seconds = self._value * share + seconds * (1 - share)
        self._value = seconds
        self._seen_at = now

    def observe_failure(self, seconds: float, now: float) -> None:
        """Tell how long a failure took: the answer that has to be asked for elsewhere comes on top of it.

        Of who has not answered yet it says nothing: a failure that came quickly is no fast answer.
        """
        if known := self.at(now):
            self.observe(known + seconds, now)

    def at(self, now: float) -> float:
        """Return what is expected now, in seconds; 0 if nothing is known or it is long ago."""
        age = now - self._seen_at
        if not self._value or age > FORGET_SECONDS:
            return 0.0
        return self._value * exp(min(0.0, -age) / DECAY_SECONDS)
