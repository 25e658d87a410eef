"""The load generator: a process that does one job after the other.

Jobs come as lines of JSON on standard input, a line of JSON answers each: `Result`, or before it `Event` for
what the measuring process wants to look at while the job runs.
"""

import asyncio
import gc
import os
import sys
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from time import perf_counter_ns
from typing import Final, Literal

import msgspec
import uvloop

from bench.asks import Ask, request
from bench.events import Events
from bench.http1 import Answer, BrokenError, Connection, connect
from bench.schedule import arrivals

_PATIENCE: Final = 60.0
"""Seconds for what is still under way when a job's time is over."""


class Job(msgspec.Struct, frozen=True):
    """What to do.

    closed: `connections` send one request after the other for `seconds`; with `count`, at most so many each.
    open: `rate` requests a second for `seconds`, whether or not earlier ones are answered.
    held: as `open`, for streams that shall all be open at once; then an event, and only chunks that came
    after it count.
    `every`: seconds between events during the job; 0: none.
    """

    kind: Literal["closed", "open", "held"]
    ask: Ask
    seconds: float = 1.0
    connections: int = 1
    count: int = 0
    rate: float = 0.0
    every: float = 0.0


class Order(msgspec.Struct, frozen=True):
    """A job and where to do it."""

    job: Job
    port: int
    headers: dict[str, str]


class Result(msgspec.Struct, tag="result"):
    """Times in microseconds: of whole answers, to the first content, of chunks under way; the largest gap
    that was added in each stream.
    """

    seconds: float = 0.0
    requests: int = 0
    chunks: int = 0
    failures: dict[str, int] = {}
    latencies: list[float] = []
    first: list[float] = []
    delays: list[float] = []
    gaps: list[float] = []


class Event(msgspec.Struct, tag="event"):
    """Something to look at: `name` is "open" or "tick"; so many requests are under way."""

    name: str
    under_way: int


class _Worker:
    """Does one job."""

    def __init__(self, order: Order) -> None:
        self._job = order.job
        self._port = order.port
        self._request = request(order.job.ask, order.port, order.headers)
        self._free: list[Connection] = []
        self.result = Result()
        self._under_way: set[asyncio.Task[None]] = set()
        self._from = 0

    async def run(self) -> Result:
        started = perf_counter_ns()
        ways: dict[str, Callable[[], Awaitable[None]]]
        ways = {"closed": self._closed, "open": self._open, "held": self._held}
        ticking = asyncio.create_task(self._tick(), name="tick")
        try:
            await ways[self._job.kind]()
        finally:
            ticking.cancel()
            for connection in self._free:
                connection.close()
        self.result.seconds = (perf_counter_ns() - started) / 1e9
        return self.result

    async def _tick(self) -> None:
        while self._job.every:
            await asyncio.sleep(self._job.every)
            _say(Event("tick", len(self._under_way)))

    async def _closed(self) -> None:
        until = perf_counter_ns() + round(self._job.seconds * 1e9)

        async def one() -> None:
            done = 0
            while perf_counter_ns() < until and not (self._job.count and done >= self._job.count):
                await self._once(perf_counter_ns())
                done += 1

        await asyncio.gather(*(one() for _ in range(self._job.connections)))

    async def _open(self) -> None:
        under_way = self._under_way
        async with aclosing(_paced(self._job.rate, self._job.seconds)) as times:
            async for intended in times:
                task = asyncio.create_task(self._once(intended), name="request")
                under_way.add(task)
                task.add_done_callback(under_way.discard)
        if under_way:
            await asyncio.wait(under_way, timeout=_PATIENCE)

    async def _held(self) -> None:
        opening = asyncio.create_task(self._open(), name="open-streams")
        # A moment after the last start, when no stream has ended yet.
        await asyncio.sleep(self._job.seconds + self._job.ask.gap / 2000)
        self._from = perf_counter_ns()
        _say(Event("open", len(self._under_way)))
        await opening

    async def _once(self, intended: int) -> None:
        """Send one request; what it took counts from when it was meant to be sent."""
        result, events = self.result, None
        if self._job.ask.chunks:
            events = Events(is_timed=self._job.ask.gap > 0)
        try:
            connection = self._free.pop() if self._free else await connect(self._port)
            answer = await connection.exchange(self._request, events.take if events else None)
        except (BrokenError, OSError) as exc:
            self._failed(type(exc).__name__)
            return
        if connection.is_open:
            self._free.append(connection)
        if answer.status != 200 or (events and not events.is_done):
            self._failed(str(answer.status))
            return
        result.requests += 1
        result.latencies.append((answer.ended - intended) / 1000)
        if events:
            self._settle(events, intended, answer)

    def _settle(self, events: Events, intended: int, answer: Answer) -> None:
        result = self.result
        result.chunks += events.count
        result.first.append(((events.first or answer.ended) - intended) / 1000)
        kept = [
            d / 1000 for d, at in zip(events.delays, events.times, strict=True) if at >= self._from
        ]
        result.delays += kept
        if events.gaps:
            result.gaps.append(max(events.gaps) / 1000)

    def _failed(self, why: str) -> None:
        self.result.failures[why] = self.result.failures.get(why, 0) + 1


async def _paced(rate: float, seconds: float) -> AsyncGenerator[int, None]:
    """Yield each intended time when it has come, by a thread: the loop's own clock counts milliseconds."""
    loop, rung, bell = asyncio.get_running_loop(), asyncio.Event(), os.eventfd(0, os.EFD_NONBLOCK)
    start = perf_counter_ns() + 1_000_000
    times = [start + at for at in arrivals(rate, seconds)]
    is_over = threading.Event()

    def ring() -> None:
        for at in times:
            time.sleep(max(0.0, (at - perf_counter_ns()) / 1e9))
            if is_over.is_set():
                return
            os.eventfd_write(bell, 1)

    def heard() -> None:
        os.eventfd_read(bell)
        rung.set()

    loop.add_reader(bell, heard)
    thread = threading.Thread(target=ring, name="pacer")
    thread.start()
    try:
        for at in times:
            while perf_counter_ns() < at:
                rung.clear()
                await rung.wait()
            yield at
    finally:
        is_over.set()
        loop.remove_reader(bell)
        thread.join()
        os.close(bell)


def _say(what: Result | Event) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
    sys.stdout.buffer.flush()


async def _serve() -> None:
    decode = msgspec.json.Decoder(Order).decode
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.buffer.readline):
        _say(await _Worker(decode(line)).run())


def main() -> None:
    # Cycles are rare here and pauses are not: this process measures others.
    gc.disable()
    uvloop.run(_serve())


if __name__ == "__main__":
    main()
