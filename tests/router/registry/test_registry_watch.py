import asyncio

from router.routing.snapshot import Snapshot
from tests.router.registry.scripted import (
    ListServer,
    Start,
    rows,
)


async def test_a_watcher_gets_the_list_now_and_each_change(
    start: Start, server: ListServer
) -> None:
    server.listed = rows(1)
    registry = await start()
    watch = registry.watch()
    assert (await anext(watch)).generation == 1

    following = asyncio.ensure_future(anext(watch))
    server.listed = rows(2)
    await registry.refresh_now()
    assert await following is registry.snapshot
    await watch.aclose()


async def test_a_watcher_waits_for_the_first_list(start: Start, server: ListServer) -> None:
    registry = await start()
    watch = registry.watch()
    first = asyncio.ensure_future(anext(watch))
    server.listed = rows(1)
    await registry.refresh_now()

    assert (await first).generation == 1
    await watch.aclose()


async def test_a_slow_watcher_skips_to_the_newest(start: Start, server: ListServer) -> None:
    server.listed = rows(1)
    registry = await start()
    watch = registry.watch()
    await anext(watch)
    for count in (2, 3, 4):
        server.listed = rows(count)
        await registry.refresh_now()

    assert (await anext(watch)).generation == 4
    await watch.aclose()


async def test_close_ends_all_watches(start: Start, server: ListServer) -> None:
    server.listed = rows(1)
    registry = await start()

    async def collect() -> list[Snapshot]:
        return [snapshot async for snapshot in registry.watch()]

    watches = [asyncio.create_task(collect()) for _ in range(3)]
    await asyncio.sleep(0)
    await registry.close()

    assert [len(snapshots) for snapshots in await asyncio.gather(*watches)] == [1, 1, 1]
