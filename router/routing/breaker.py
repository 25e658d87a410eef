"""A circuit breaker for one deployment. Pure: the clock's seconds and randomness are parameters.

::

    CLOSED ── ratio of failures in the window, or failed connections in a row ──▶ OPEN
    OPEN ── open time over ──▶ HALF_OPEN: one call of the real traffic is the probe
    HALF_OPEN ── probe succeeds ──▶ CLOSED,  probe fails ──▶ OPEN, for twice as long

Strategy: failures are counted in a rolling window with a minimum volume, so that one failure of three at
night opens nothing; connections that fail one after the other need no volume, since nobody is there. No
traffic is made for the sake of probing: it would cost money.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What a breaker lets through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """When to open, and for how long; times in seconds.

    Envoy, resilience4j and Polly use 10 to 30 s windows, half of the calls, and ten or more of them.
    """

    window: float = 30.0
    buckets: int = 10
    min_volume: int = 10
    ratio: float = 0.5
    connection_failures: int = 5
    open_seconds: float = 5.0
    max_open_seconds: float = 60.0


DEFAULTS = BreakerSettings()


@dataclass(slots=True)
class _Bucket:
    number: int
    total: int = 0
    failed: int = 0


class Breaker:
    """Lives as long as its deployment is known."""

    __slots__ = (
        "_buckets",
        "_in_a_row",
        "_is_probing",
        "_opened",
        "_opened_at",
        "_settings",
        "is_open",
        "reopens_at",
    )

    def __init__(self, settings: BreakerSettings = DEFAULTS) -> None:
        self._settings = settings
        self._buckets: deque[_Bucket] = deque(maxlen=settings.buckets)
        self._in_a_row = 0
        self._opened = 0
        self._opened_at = 0.0
        self._is_probing = False
        self.is_open = False
        self.reopens_at = 0.0
        """When the next probe may go; of an open breaker."""

    def state(self, now: float) -> State:
        if not self.is_open:
            return State.CLOSED
        return State.OPEN if now < self.reopens_at else State.HALF_OPEN

    def wait(self, now: float) -> float:
        """Return the seconds until the next probe may go; of an open breaker."""
        return max(0.0, self.reopens_at - now)

    def admits(self, now: float) -> bool:
        """Whether a call may go through: any while closed, one as the probe while half open."""
        return not self.is_open or (now >= self.reopens_at and not self._is_probing)

    def began(self, now: float) -> bool:
        """Tell of a call that goes through; whether it is the probe."""
        is_probe = self.is_open and now >= self.reopens_at and not self._is_probing
        self._is_probing = self._is_probing or is_probe
        return is_probe

    def released(self, *, is_probe: bool) -> None:
        """Tell of a call that ended without a verdict: its caller left, or our own key was refused."""
        self._is_probing = self._is_probing and not is_probe

    def succeeded(self, now: float, *, is_probe: bool, began_at: float) -> bool:
        """Tell of a call that was answered; whether that closed the breaker."""
        self.released(is_probe=is_probe)
        self._in_a_row = 0
        if self.is_open and began_at < self._opened_at:
            # Asked before the trouble that opened it: the answer says nothing of what is now.
            return False
        if self.is_open:
            # Whoever got through while it was open (as the last candidate) is as good as a probe.
            self.is_open = False
            self._opened = 0
            self._buckets.clear()
            return True
        self._bucket(now).total += 1
        return False

    def failed(
        self,
        now: float,
        *,
        is_probe: bool,
        is_connection: bool,
        random: Callable[[], float],
        was_answered: bool = False,
    ) -> bool:
        """Tell of a failure that counts; whether that opened the breaker, or opened it again.

        `was_answered`: of a call whose answer had begun, which `succeeded` has counted already.
        """
        self.released(is_probe=is_probe)
        self._in_a_row = self._in_a_row + 1 if is_connection else 0
        if self.is_open:
            if is_probe:
                self._open(now, random)
            return is_probe
        bucket = self._bucket(now)
        bucket.total += not was_answered
        bucket.failed += 1
        if self._in_a_row >= self._settings.connection_failures or self._is_over_ratio(now):
            self._open(now, random)
            return True
        return False

    def _open(self, now: float, random: Callable[[], float]) -> None:
        # Half to all of the time, so that the routers of one fleet do not probe at once.
        longest = min(
            self._settings.max_open_seconds, self._settings.open_seconds * 2.0**self._opened
        )
        self._opened = min(self._opened + 1, 16)
        self.is_open = True
        self._opened_at = now
        self.reopens_at = now + longest * (0.5 + random() / 2)

    def _bucket(self, now: float) -> _Bucket:
        number = self._number(now)
        if not self._buckets or self._buckets[-1].number < number:
            self._buckets.append(_Bucket(number))
        return self._buckets[-1]

    def _number(self, now: float) -> int:
        return int(now * self._settings.buckets / self._settings.window)

    def _is_over_ratio(self, now: float) -> bool:
        oldest = self._number(now) - self._settings.buckets
        recent = [bucket for bucket in self._buckets if bucket.number > oldest]
        total = sum(bucket.total for bucket in recent)
        failed = sum(bucket.failed for bucket in recent)
        return total >= self._settings.min_volume and failed >= total * self._settings.ratio
