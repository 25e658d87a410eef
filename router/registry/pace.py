"""Long work in short slices, so that it never keeps the event loop waiting.

A list of 100,000 rows takes seconds to read. Such work runs in a thread, where it holds the interpreter all
the same: the event loop would wait for it at each system call. So what goes through many items does so by a
`Pace`, which is told of each and, when a slice of time is used up, sleeps for a moment. And no single call
may take long: text is decoded in windows, sorted in runs, joined of batches, freed in pieces. The collector
finds little to look at, since rows and models are structs without cycles that it does not track.
"""

import asyncio
import gc
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Protocol, TypeVar

_T = TypeVar("_T")

SLICE_SECONDS: Final = 0.001
"""How long work goes on at a time: what it adds to the wait of whoever comes meanwhile."""

REST_SECONDS: Final = 0.001
"""How long it then leaves the interpreter to others, who get half of the time at least."""

BATCH: Final = 256
"""Items that a single call into C may have, where one by one they would cost more."""


class Pace(Protocol):
    """Goes through items, and gives way to others between them."""

    def __call__(self, items: Iterable[_T], /) -> Iterator[_T]: ...


def at_once(items: Iterable[_T]) -> Iterator[_T]:
    """The pace of those who keep nobody waiting."""
    return iter(items)


class StoppedError(Exception):
    """Nobody waits for the work any more."""


class Slices:
    """The pace of work beside an event loop. Lives as long as the work; only `stop` is for other threads."""

    def __init__(
        self,
        rest: float = REST_SECONDS,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rest = rest
        self._clock = clock
        self._sleep = sleep
        self._until = clock() + SLICE_SECONDS
        self._is_stopped = False

    def __call__(self, items: Iterable[_T]) -> Iterator[_T]:
        clock = self._clock
        for item in items:
            yield item
            if clock() >= self._until:
                self._give_way()

    def _give_way(self) -> None:
        if self._is_stopped:
            raise StoppedError
        self._sleep(self._rest)
        self._until = self._clock() + SLICE_SECONDS

    def stop(self) -> None:
        """Have the work end where it next gives way."""
        self._is_stopped = True


async def in_slices(work: Callable[..., _T], *arguments: Any, rest: float = REST_SECONDS) -> _T:
    """Return `work(*arguments, pace)`, done in a thread; cancelled, the work ends soon too."""
    pace = Slices(rest)
    try:
        return await asyncio.to_thread(work, *arguments, pace)
    finally:
        pace.stop()


def batches(items: Iterable[_T], size: int = BATCH) -> Iterator[list[_T]]:
    """Yield the items, `size` at a time."""
    batch: list[_T] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def untracked(items: Iterable[_T]) -> tuple[_T, ...]:
    """Return a tuple of what the collector does not track.

    It looks into a tuple once, to find that out: here, and not into several long ones in the same pause.
    """
    made = tuple(items)
    gc.collect(0)
    return made


def let_go(held: list[Iterable[Any]], pace: Pace) -> None:
    """Free what a list holds, the last first, and item by item: in one go, many would take long."""
    while held:
        items = list(held.pop())
        for _ in pace(range(0, len(items), BATCH)):
            del items[-BATCH:]
