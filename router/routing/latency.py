"""How slow a deployment is at the moment: a moving average that jumps up at once and comes down slowly.

Peak EWMA as in Twitter's Finagle (`PeakEwma`): a slow answer counts in full when it is seen, so that a
replica which turns slow loses traffic within a few answers; with the time that passes the value decays, so
that it is tried again. Pure: the clock's seconds are a parameter.
"""

from math import exp
from typing import Final

DECAY_SECONDS: Final = 10.0
"""Time in which a value falls to 1/e: a few answers of a language model."""


class PeakEwma:
    """Seconds of an answer. Lives as long as its deployment is known."""

    __slots__ = ("_seen_at", "_value")

    def __init__(self) -> None:
        self._value = 0.0
        self._seen_at = 0.0

    def observe(self, seconds: float, now: float) -> None:
        """Tell how long an answer took, in seconds."""
        faded = self.at(now)
        if seconds > faded:
            self._value = seconds
        else:
            share = exp((self._seen_at - now) / DECAY_SECONDS)
            self._value = self._value * share + seconds * (1 - share)
        self._seen_at = now

    def at(self, now: float) -> float:
        """Return what is expected now, in seconds; 0 if nothing is known or it is long ago."""
        if not self._value:
            return 0.0
        return self._value * exp(min(0.0, self._seen_at - now) / DECAY_SECONDS)
