"""What a registry serves, and how it keeps it fresh."""

import asyncio
import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from router.errors import ConfigError
from router.registry import Registry
from router.registry import registry as registries
from router.transport.http import AiohttpTransport
from tests.router.registry.scripted import (
    ListServer,
    MakeConfig,
    Reply,
    Start,
    World,
    ids,
    row,
    rows,
)


async def test_the_list_is_served(start: Start, server: ListServer) -> None:
    server.listed = [row("a"), {"bad": "row"}, row("b")]
    registry = await start()

    assert ids(registry) == ["a", "b"]
    assert registry.snapshot.generation == 1
    assert [aside.row for aside in registry.snapshot.set_aside] == [1]
    assert registry.degraded() == ()
    assert (registry.status.rows, registry.status.served, registry.status.set_aside) == (3, 2, 1)


async def test_a_change_is_a_new_snapshot_and_the_old_one_stays_as_it_was(
    start: Start, server: ListServer
) -> None:
    server.listed = rows(2)
    registry = await start()
    before = registry.snapshot
    server.listed = rows(3)
    after = await registry.refresh_now()

    assert after is registry.snapshot
    assert (before.generation, len(before.models)) == (1, 2)
    assert (after.generation, len(after.models)) == (2, 3)


async def test_an_unchanged_list_is_no_new_generation(start: Start, server: ListServer) -> None:
    server.listed = rows(2)
    registry = await start()
    before = registry.snapshot
    await registry.refresh_now()
    server.raw = json.dumps(server.listed, indent=4).encode()
    await registry.refresh_now()

    assert registry.snapshot is before
    assert len(server.requests) == 3


async def test_the_source_is_asked_for_changes_only(start: Start, server: ListServer) -> None:
    server.listed, server.etag = rows(2), '"one"'
    registry = await start()
    before = registry.snapshot
    await registry.refresh_now()
    assert server.requests[-1].headers["if-none-match"] == '"one"'
    assert registry.snapshot is before

    server.raw, server.etag = json.dumps(rows(2), indent=1).encode(), '"two"'
    await registry.refresh_now()
    await registry.refresh_now()
    assert server.requests[-1].headers["if-none-match"] == '"two"'
    assert registry.snapshot is before


async def test_a_confirmed_list_is_as_good_as_new(
    start: Start, server: ListServer, world: World
) -> None:
    server.listed, server.etag = rows(2), '"one"'
    registry = await start()
    world.now += 500
    await registry.refresh_now()

    assert registry.status.confirmed_at == world.now


async def test_created_is_stable_across_refreshes_and_restarts(
    start: Start, server: ListServer, world: World
) -> None:
    server.listed = rows(2)
    registry = await start()
    first_seen = int(world.now)
    world.now += 1000
    server.listed = rows(3)
    await registry.refresh_now()
    created = {model.id: model.created for model in registry.snapshot.models}
    assert created == {"m0": first_seen, "m1": first_seen, "m2": first_seen + 1000}

    await registry.close()
    world.now += 1000
    server.listed = rows(4)
    again = await start()
    created = {model.id: model.created for model in again.snapshot.models}
    assert created == {
        "m0": first_seen,
        "m1": first_seen,
        "m2": first_seen + 1000,
        "m3": first_seen + 2000,
    }


async def test_a_served_list_is_refreshed_with_jitter(
    start: Start, server: ListServer, world: World
) -> None:
    server.listed = rows(1)
    registry = await start()
    assert await world.pause() == pytest.approx(66.0)
    assert world.drawn == [(0.9, 1.1)]

    server.listed = rows(2)
    world.wake()
    await world.pause()
    assert ids(registry) == ["m0", "m1"]


async def test_without_a_list_the_source_is_asked_ever_less_often(
    start: Start, server: ListServer, world: World
) -> None:
    server.replies["/models.json"] = Reply(503)
    registry = await start()
    pauses = []
    for _ in range(8):
        pauses.append(await world.pause())
        world.wake()
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]

    await world.pause()
    server.replies.clear()
    server.listed = rows(1)
    world.wake()
    assert await world.pause() == pytest.approx(66.0)
    assert ids(registry) == ["m0"]


async def test_a_fault_of_ours_counts_as_a_failed_fetch(
    start: Start, server: ListServer, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.listed = rows(1)
    registry = await start()

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(registries, "read", fail)
    server.listed = rows(2)
    with capture_logs() as logs:
        await world.pause()
        world.wake()
        await world.pause()

    assert registry.degraded()[0].startswith("model list: internal error (ZeroDivisionError); ")
    [log] = [log for log in logs if log["event"] == "refresh_failed_unexpectedly"]
    assert log["exc_info"]

    monkeypatch.undo()
    world.wake()
    await world.pause()
    assert ids(registry) == ["m0", "m1"]


async def test_close_ends_the_refresh(start: Start, server: ListServer) -> None:
    server.listed = rows(1)
    registry = await start()
    tasks = [task.get_name() for task in asyncio.all_tasks()]
    assert "model-list-refresh" in tasks
    await registry.close()
    await registry.close()

    assert "model-list-refresh" not in [task.get_name() for task in asyncio.all_tasks()]
    assert ids(registry) == ["m0"]


async def test_close_during_the_start_leaves_no_refresh_behind(
    server: ListServer, make_config: MakeConfig, transport: AiohttpTransport, world: World
) -> None:
    server.listed = rows(1)
    registry = Registry(make_config(server.url), transport, world.surroundings())
    starting = asyncio.create_task(registry.start())
    await asyncio.sleep(0)
    await registry.close()
    await starting

    assert "model-list-refresh" not in [task.get_name() for task in asyncio.all_tasks()]


async def test_two_refreshes_do_not_cross(start: Start, server: ListServer) -> None:
    server.listed = rows(1)
    registry = await start()
    server.listed = rows(2)
    await asyncio.gather(*(registry.refresh_now() for _ in range(5)))

    assert registry.snapshot.generation == 2


async def test_no_credential_reaches_the_log_or_the_state(
    server: ListServer, make_config: MakeConfig, transport: AiohttpTransport, world: World
) -> None:
    url = server.url.replace("http://", "http://user:canary@") + "?token=canary"
    registry = Registry(make_config(url, authorization="canary"), transport, world.surroundings())
    server.listed = rows(1)
    with capture_logs() as logs:
        await registry.start()
        await server.stop()
        await registry.refresh_now()
        await registry.close()
    state = [path.read_bytes() for path in make_config.state_dir.iterdir()]

    assert registry.degraded()
    assert "canary" not in repr((logs, registry, registry.degraded(), state))


async def test_what_is_odd_about_a_list_is_logged(start: Start, server: ListServer) -> None:
    server.listed = rows(2)
    registry = await start()
    server.listed = [row("m0", prompt_price_1k=99, aliases=["m1"]), row("m1"), 7]
    with capture_logs() as logs:
        await registry.refresh_now()

    assert [log["event"] for log in logs] == [
        "model_list_replaced",
        "provider_keys_missing",
        "rows_set_aside",
        "aliases_ignored",
        "prices_jumped",
    ]
    assert logs[1]["variables"] == ["OPENAI_API_KEY"]
    assert logs[2]["first"] == ["row 2 '': got 7, expected an object"]


async def test_a_file_is_a_source(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "models.json"
    registry = await start(str(path))
    assert "source unreadable (no such file or directory)" in registry.degraded()[0]

    path.write_text(json.dumps(rows(1)))
    await registry.refresh_now()
    assert ids(registry) == ["m0"]
    path.write_text(json.dumps(rows(2)))
    await registry.refresh_now()
    assert ids(registry) == ["m0", "m1"]


async def test_without_a_source_the_bundled_list_is_served(
    start: Start, make_config: MakeConfig
) -> None:
    registry = await start(None)
    await registry.refresh_now()

    assert ids(registry) == [
        "demo/echo",
        "demo/tools",
        "demo/reasoning",
        "demo/slow",
        "demo/error",
        "demo/truncated",
        "demo/embed",
    ]
    assert registry.degraded() == ()
    assert registry.snapshot.set_aside == ()
    assert {m.created for m in registry.snapshot.models} == {1735689600}
    assert {d.url for m in registry.snapshot.models for d in m.deployments} == {
        "demo://builtin/v1/chat/completions",
        "demo://builtin/v1/embeddings",
    }
    assert not make_config.state_dir.exists()


@pytest.mark.parametrize("source", ["ftp://user:canary@h/x?t=canary", "", "http://"])
def test_a_source_that_cannot_be_one_stops_the_start(
    make_config: MakeConfig, transport: AiohttpTransport, source: str
) -> None:
    with pytest.raises(ConfigError, match="MODEL_LIST_URL: got ") as caught:
        Registry(make_config(source), transport)

    assert "canary" not in str(caught.value)
