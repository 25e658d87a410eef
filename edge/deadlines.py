"""Bounds waits of one length by a single timer: a timer for each would cost more than what is waited for."""

import asyncio
from time import monotonic
from typing import Protocol


class Closable(Protocol):
    """What is closed when its wait has been too long."""

    def close(self) -> None: ...


class Deadlines:
    """Waits that may take `seconds` each. Lives as long as the edge; on one event loop.

    Whoever waits is closed at its deadline. The waits lie in the order of their deadlines, since all are
    of one length: the timer is only ever set for the first.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: dict[Closable, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def begin(self, who: Closable) -> None:
        """Bound a wait of `who` from now on."""
        self.end(who)  # it goes to the end of the line
        self._waiting[who] = monotonic() + self._seconds
        if self._timer is None:
            self._wait(self._seconds)

    def end(self, who: Closable) -> None:
        """The wait is over."""
        self._waiting.pop(who, None)

    def stop(self) -> None:
        """Bound nothing any more."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._check)

    def _check(self) -> None:
        self._timer = None
        now, late = monotonic(), []
        for who, until in self._waiting.items():
            if until > now:
                self._wait(until - now)
                break
            late.append(who)
        for who in late:
            self.end(who)
            who.close()
