"""How a registry works on a list beside the event loop, and what it does with one that is served no more."""

import asyncio
import sys
import threading
from itertools import count
from typing import Any

import pytest

from router.config import ProvidersConfig
from router.registry import registry as registries
from router.registry.pace import REST_SECONDS, Pace, in_slices
from router.registry.rows import Reading, read
from tests.router.registry.scripted import ListServer, Start, ids, rows

PATIENCE = 30.0


class Endless:
    """A reading of a list that goes on until it is stopped."""

    def __init__(self) -> None:
        self.begun, self.ended = threading.Event(), threading.Event()

    def read(self, data: bytes, providers: ProvidersConfig, pace: Pace) -> Reading:
        try:
            for _ in pace(count()):
                self.begun.set()
        finally:
            self.ended.set()
        return read(data, providers)


async def test_a_close_amid_a_refresh_leaves_the_list_served_and_ends_the_work(
    start: Start, server: ListServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.listed = rows(2)
    registry = await start()
    before = registry.snapshot
    endless = Endless()
    monkeypatch.setattr(registries, "read", endless.read)
    server.listed = rows(3)
    refreshing = asyncio.create_task(registry.refresh_now())
    assert await asyncio.to_thread(endless.begun.wait, PATIENCE)
    refreshing.cancel()
    await asyncio.gather(refreshing, return_exceptions=True)
    await registry.close()

    assert registry.snapshot is before
    assert registry.degraded() == ()
    assert await asyncio.to_thread(endless.ended.wait, PATIENCE)


async def test_after_an_attempt_that_was_cancelled_the_next_serves_the_list(
    start: Start, server: ListServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.listed = rows(2)
    registry = await start()
    endless = Endless()
    with monkeypatch.context() as patched:
        patched.setattr(registries, "read", endless.read)
        server.listed = rows(3)
        refreshing = asyncio.create_task(registry.refresh_now())
        assert await asyncio.to_thread(endless.begun.wait, PATIENCE)
        refreshing.cancel()
        await asyncio.gather(refreshing, return_exceptions=True)
    await registry.refresh_now()

    assert ids(registry) == ["m0", "m1", "m2"]


async def test_work_rests_once_calls_are_served_and_not_before(
    start: Start, server: ListServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests: list[float] = []

    async def watched(work: Any, *arguments: Any, rest: float) -> Any:
        rests.append(rest)
        return await in_slices(work, *arguments, rest=rest)

    monkeypatch.setattr(registries, "in_slices", watched)
    server.listed = rows(2)
    registry = await start()
    at_start = set(rests)
    rests.clear()
    server.listed = rows(3)
    await registry.refresh_now()

    assert at_start == {0.0}
    assert set(rests) == {REST_SECONDS}


async def test_a_list_that_is_replaced_is_kept_whole_for_its_calls_and_freed_at_the_next_attempt(
    start: Start, server: ListServer
) -> None:
    server.listed = rows(2)
    registry = await start()
    held = [registry.snapshot]
    server.listed = rows(3)
    await registry.refresh_now()
    await registry.refresh_now()
    during = [model.id for model in held[0].models]
    found = held[0].find("m0").id
    references = sys.getrefcount(held[0].models[0])
    model = held.pop().models[0]
    after_its_call = len(registry._retired)
    await registry.refresh_now()

    assert (during, found) == (["m0", "m1"], "m0")
    assert after_its_call > 0  # for the refresh, which frees it piece by piece
    assert registry._retired == []
    assert sys.getrefcount(model) < references
