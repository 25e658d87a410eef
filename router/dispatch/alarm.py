"""Bounds one wait after the other with a single timer.

`asyncio.timeout` makes an object and a timer for each wait, and a stream waits once for each chunk. Here the
timer of one attempt is left running; when it goes off too early it is set again. A wait costs two
assignments, and the timer goes off as often as the time to wait has passed, not as often as was waited.
"""

import asyncio
from collections.abc import Awaitable
from math import inf
from typing import TypeVar

T = TypeVar("T")


class Alarm:
    """Wakes the task that made it, where that waits. Lives as long as an attempt; `stop` it at its end."""

    __slots__ = ("_handle", "_loop", "_rang", "_task", "_until")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[object] | None = asyncio.current_task(self._loop)
        self._until = inf
        self._rang = False
        self._handle: asyncio.TimerHandle | None = None

    def now(self) -> float:
        """Return the time of the loop's clock."""
        return self._loop.time()

    async def within(self, step: Awaitable[T], until: float) -> T:
        """Await `step` until a time of the loop's clock.

        Raises:
            TimeoutError: if it takes longer; the step is cancelled.

        """
        task = self._task
        cancelling = task.cancelling() if task else 0
        self._until = until
        if self._handle is None or self._handle.when() > until:
            self._set(until)
        try:
            return await step
        except asyncio.CancelledError:
            if self._rang and task and task.uncancel() <= cancelling:
                raise TimeoutError from None
            raise
        finally:
            self._until, self._rang = inf, False

    def stop(self) -> None:
        """Let go of the timer."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _set(self, until: float) -> None:
        self.stop()
        self._handle = self._loop.call_at(until, self._ring)

    def _ring(self) -> None:
        self._handle = None
        if self._until == inf:
            return
        if self._loop.time() < self._until:
            self._set(self._until)
        elif self._task is not None:
            self._rang = True
            self._task.cancel()
