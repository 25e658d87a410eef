import asyncio
import gc
import json
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from itertools import count, pairwise
from typing import Any, TypeVar

import pytest

from router.config import ProvidersConfig
from router.registry import good, pace, scan
from router.registry.good import NO_PAST, make
from router.registry.guard import judge
from router.registry.pace import SLICE_SECONDS, Slices, StoppedError, batches, in_slices, let_go
from router.registry.rows import read
from router.routing.snapshot import SetAside
from tests.router.registry.scripted import rows as listed

PATIENCE = 30.0
COUNT = 5000

T = TypeVar("T")


class Watched:
    """A clock by which each look takes a share of a slice, and a sleep that is counted."""

    def __init__(
        self, looks_per_slice: int = 1, rest: Callable[[float], None] | None = None
    ) -> None:
        self.now = 0.0
        self.rests: list[float] = []
        self._rest = rest or self.rests.append
        self._share = SLICE_SECONDS / looks_per_slice

    def slices(self) -> Slices:
        return Slices(0.25, self._clock, self._rest)

    def _clock(self) -> float:
        self.now += self._share
        return self.now


def test_work_rests_each_time_that_a_slice_is_used_up() -> None:
    watched = Watched(looks_per_slice=10)

    assert list(watched.slices()(range(100))) == list(range(100))
    assert set(watched.rests) == {0.25}
    assert len(watched.rests) in range(9, 12)  # ten looks each, but for rounding


def test_work_that_is_stopped_ends_where_it_would_rest() -> None:
    slices = Watched(looks_per_slice=3).slices()
    items = slices(count())
    seen = [next(items), next(items)]
    slices.stop()

    with pytest.raises(StoppedError):
        seen.extend(items)
    assert len(seen) < 5


async def test_work_that_nobody_waits_for_ends() -> None:
    begun, ended = threading.Event(), threading.Event()

    def work(pace: pace.Pace) -> None:
        try:
            for _ in pace(count()):
                begun.set()
        finally:
            ended.set()

    working = asyncio.create_task(in_slices(work))
    assert await asyncio.to_thread(begun.wait, PATIENCE)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working

    assert await asyncio.to_thread(ended.wait, PATIENCE)


def test_batches_hold_all_items_in_order() -> None:
    assert list(batches(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(batches([], 2)) == []


class Piece:
    """Something whose end is seen."""


def test_what_is_let_go_is_freed_in_pieces_the_last_first() -> None:
    items = [Piece() for _ in range(COUNT)]
    alive = weakref.WeakSet(items)
    named = Piece()
    order: list[str] = []
    weakref.finalize(named, order.append, "name")
    weakref.finalize(items[0], order.append, "item")
    left = [len(alive)]

    def watching(steps: Iterable[T]) -> Iterator[T]:
        for step in steps:
            yield step
            left.append(len(alive))

    held: list[Iterable[Any]] = [tuple(items), (named,)]
    del items, named
    let_go(held, watching)

    assert held == []
    assert left[-1] == 0
    assert max(a - b for a, b in pairwise(left)) <= pace.BATCH
    assert order == ["name", "item"]


class Scanner:
    """The scanner of rows, which notes how much text it is given to look at."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self._scanner = scan._ROW

    def raw_decode(self, text: str, at: int) -> tuple[Any, int]:
        self.sizes.append(len(text))
        return self._scanner.raw_decode(text, at)


def test_a_list_is_read_with_a_rest_between_any_two_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    text = json.dumps(listed(COUNT)).encode()
    at_once = read(text, ProvidersConfig())
    scanner = Scanner()
    monkeypatch.setattr(scan, "_ROW", scanner)
    looked_at = [0]
    watched = Watched(rest=lambda _: looked_at.append(len(scanner.sizes)))

    assert read(text, ProvidersConfig(), watched.slices()) == at_once
    # A row at the end of a window is looked at twice.
    assert max(after - before for before, after in pairwise(looked_at)) <= 2


def test_a_list_is_made_ready_with_rests_between_its_models() -> None:
    reading = read(json.dumps(listed(COUNT)).encode(), ProvidersConfig())
    watched = Watched()

    assert make(reading, "", NO_PAST, 0, watched.slices()) == make(reading, "", NO_PAST, 0)
    assert len(watched.rests) >= COUNT


def test_comparing_and_judging_rest_too() -> None:
    reading = read(json.dumps(listed(COUNT)).encode(), ProvidersConfig())
    made = make(reading, "", NO_PAST, 0)

    for work in (
        lambda pace: good.is_same(reading, made.snapshot, pace),
        lambda pace: judge(reading, made.extent, pace=pace),
        lambda pace: good.price_jumps(made.snapshot, made.snapshot, pace),
    ):
        watched = Watched()
        work(watched.slices())
        assert len(watched.rests) >= COUNT / 2


def test_no_call_decodes_more_than_a_window_and_the_row_at_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scanner = Scanner()
    monkeypatch.setattr(scan, "_ROW", scanner)
    longest = {"model_version": "long", "note": "x" * 3 * scan.WINDOW}
    text = json.dumps([*listed(COUNT), longest, *listed(COUNT)]).encode()
    read(text, ProvidersConfig())

    assert len(text) > 10 * scan.WINDOW
    plain = [size for size in scanner.sizes if size <= scan.WINDOW + 1000]
    assert len(plain) > COUNT
    assert max(scanner.sizes) <= 8 * scan.WINDOW


def test_the_collector_does_not_look_at_rows_and_models() -> None:
    reading = read(json.dumps(listed(2, aliases=["a"])).encode(), ProvidersConfig())
    snapshot = make(reading, "", NO_PAST, 0).snapshot
    [model, _] = snapshot.models
    [deployment] = model.deployments

    parts = (reading.models[0], model, deployment, deployment.price, SetAside(0, "", ""))
    assert not any(map(gc.is_tracked, parts))
