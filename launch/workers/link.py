"""A worker's channel to its supervisor."""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from edge.metrics import Show
from launch.workers.counts import Families, Family, Sample, signed
from launch.workers.messages import (
    FROM_SUPERVISOR,
    Ask,
    Count,
    Counted,
    FromSupervisor,
    FromWorker,
    Ready,
    Sum,
    packed,
    receive,
)

ASK_SECONDS: Final = 5.0
"""How long the supervisor may take to add up: longer than it waits for a worker that says nothing."""

LAST_SECONDS: Final = 1.0
"""How long the supervisor may take to notice that a worker has said its last."""


class Link:
    """Lives as long as the worker serves; `opened` makes one."""

    def __init__(self, worker: int, writer: asyncio.StreamWriter) -> None:
        self._worker = worker
        self._writer = writer
        self._metrics: CollectorRegistry | None = None
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Families]] = {}
        self._has_ended = False

    def announce(self, banner: str) -> None:
        """Say that this worker serves."""
        self._send(Ready(banner))

    def show(self, metrics: CollectorRegistry) -> Show:
        """Return what gives scrapers the counts of all workers. This one's are in `metrics`."""
        self._metrics = metrics

        async def show() -> bytes:
            try:
                return write(await self._ask())
            except (TimeoutError, ConnectionError):
                return write(self._counted())

        return show

    async def _ask(self) -> Families:
        number = next(self._numbers)
        answer: asyncio.Future[Families] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            self._send(Ask(number))
            async with asyncio.timeout(ASK_SECONDS):
                return await answer
        finally:
            del self._asked[number]

    async def follow(self, reader: asyncio.StreamReader) -> None:
        """Answer the supervisor until it is gone."""
        while (body := await receive(reader)) is not None:
            self._take(FROM_SUPERVISOR.decode(body))
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(ConnectionError("The supervisor is gone."))

    def _take(self, message: FromSupervisor) -> None:
        match message:
            case Count(number):
                self._send(Counted(number, self._counted()))
            case Sum(number, families):
                answer = self._asked.get(number)
                if answer and not answer.done():
                    answer.set_result(families)

    def end(self) -> None:
        """Leave what was counted, and say no more; the supervisor closes the channel then."""
        self._send(Counted(0, self._counted()))
        self._has_ended = True
        self._writer.write_eof()

    def _counted(self) -> Families:
        return signed(read(self._metrics), self._worker) if self._metrics else ()

    def _send(self, message: FromWorker) -> None:
        if not self._has_ended:
            self._writer.write(packed(message))


@asynccontextmanager
async def opened(worker: int, descriptor: int, stop: asyncio.Event) -> AsyncIterator[Link]:
    """Give the link over a socket's descriptor; `stop` is set once the supervisor is gone."""
    reader, writer = await asyncio.open_unix_connection(sock=socket.socket(fileno=descriptor))
    link = Link(worker, writer)

    async def follow() -> None:
        await link.follow(reader)
        stop.set()

    following = asyncio.create_task(follow(), name="follow-supervisor")
    try:
        yield link
        with suppress(OSError, TimeoutError):
            link.end()
            # Closed with a question unread, the channel would be reset, and the last words lost.
            async with asyncio.timeout(LAST_SECONDS):
                await following
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def read(metrics: CollectorRegistry) -> Families:
    """Return what a registry holds."""
    return tuple(
        Family(
            metric.name,
            metric.documentation,
            metric.type,
            tuple(Sample(s.name, tuple(s.labels.items()), s.value) for s in metric.samples),
        )
        for metric in metrics.collect()
    )


def write(families: Families) -> bytes:
    """Return families in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Fixed(families))
    return generate_latest(registry)


class _Fixed(Collector):
    def __init__(self, families: Families) -> None:
        self._families = families

    def describe(self) -> Iterator[Metric]:
        yield from ()

    def collect(self) -> Iterator[Metric]:
        for family in self._families:
            metric = Metric(family.name, family.words, family.kind)
            for sample in family.samples:
                metric.add_sample(sample.name, dict(sample.labels), sample.value)
            yield metric
