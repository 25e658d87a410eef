"""A gateway with a heart: a timer of a millisecond on its event loop, which tells when it came late.

`python -m bench.heartbeat` serves as `trunkline serve` does, by the same environment. Each line on standard
input is answered by a line of JSON on standard error: `Beats` since the line before.
"""

import asyncio
import gc
import os
import sys
import time
from collections.abc import Mapping
from time import perf_counter_ns, process_time_ns, thread_time_ns
from typing import Final

import msgspec

from launch import logs, serve
from launch.config import load

_BEAT_SECONDS: Final = 0.001
_NOTED_MS: Final = 3.0
"""Later than what the loop's own clock, which counts milliseconds, explains."""


class Beats(msgspec.Struct):
    """How late the timer came, in milliseconds: at most, and each delay worth noting, in order.

    `own` is the largest delay without what other processes took: no more than this process computed
    meanwhile, and none of the time in which the loop could have run but for them. `collections` are what the
    garbage collector computed, by generation, `cpu` is the process's seconds.
    """

    largest: float = 0.0
    own: float = 0.0
    late: list[float] = []
    collections: list[tuple[int, float]] = []
    cpu: float = 0.0


class _Heart:
    """Lives as long as the process."""

    def __init__(self) -> None:
        self._beats = Beats()
        self._collecting = 0
        self._cpu = time.process_time()
        self._schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        gc.callbacks.append(self._on_collection)

    def take(self) -> Beats:
        beats, self._beats = self._beats, Beats()
        now = time.process_time()
        beats.cpu, self._cpu = now - self._cpu, now
        return beats

    async def beat(self) -> None:
        while True:
            began, used, waited = perf_counter_ns(), process_time_ns(), self._waited()
            await asyncio.sleep(_BEAT_SECONDS)
            late = (perf_counter_ns() - began) / 1e6 - _BEAT_SECONDS * 1000
            others = (self._waited() - waited) / 1e6
            own = min(late - others, (process_time_ns() - used) / 1e6)
            self._beats.largest = max(self._beats.largest, late)
            self._beats.own = max(self._beats.own, own)
            if late > _NOTED_MS:
                self._beats.late.append(late)

    def _waited(self) -> int:
        """Return the nanoseconds that this thread has waited for a processor so far."""
        return int(os.pread(self._schedstat, 100, 0).split()[1])

    def _on_collection(self, phase: str, facts: Mapping[str, int]) -> None:
        if phase == "start":
            self._collecting = thread_time_ns()
            return
        took = (thread_time_ns() - self._collecting) / 1e6
        if took > 1:
            self._beats.collections.append((facts["generation"], took))


async def _topology(stop: asyncio.Event) -> None:
    config = load(os.environ)
    logs.set_up(config.log, logs.secrets_of(config))
    heart = _Heart()

    def asked() -> None:
        os.read(0, 1024)
        sys.stderr.buffer.write(b"beats " + msgspec.json.encode(heart.take()) + b"\n")
        sys.stderr.buffer.flush()

    asyncio.get_running_loop().add_reader(0, asked)
    beating = asyncio.create_task(heart.beat(), name="beat")
    try:
        await serve.serve(config)(stop)
    finally:
        beating.cancel()


if __name__ == "__main__":
    sys.exit(serve.run(_topology))
