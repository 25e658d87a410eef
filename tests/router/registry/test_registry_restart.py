"""The last good list on disk, as restarts find it."""

import pytest
from structlog.testing import capture_logs

from router.config import ProvidersConfig, ProviderSettings
from router.routing.snapshot import EMPTY
from tests.router.registry.scripted import ListServer, MakeConfig, Start, ids, row, rows


async def test_a_restart_goes_on_where_the_source_was(start: Start, server: ListServer) -> None:
    server.listed, server.etag = rows(3), '"one"'
    registry = await start()
    await registry.close()
    again = await start()

    assert server.requests[-1].headers["if-none-match"] == '"one"'
    assert again.snapshot == registry.snapshot
    assert again.degraded() == ()

    server.listed, server.etag = rows(4), '"two"'
    await again.refresh_now()
    assert again.snapshot.generation == 2


async def test_a_restart_with_other_providers_is_a_generation_of_its_own(
    start: Start, server: ListServer
) -> None:
    server.listed, server.etag = [row("a"), row("b", handle="/mine/v1/messages")], '"one"'
    registry = await start()
    await registry.close()
    mine = ProvidersConfig(named={"MINE": ProviderSettings(base_url="http://h")})
    again = await start(providers=mine)
    assert ids(again) == ["a", "b"]
    assert again.snapshot.generation == 2

    await again.close()
    assert (await start(providers=mine)).snapshot.generation == 2
    assert (await start()).snapshot.generation == 3


async def test_a_saved_list_of_which_nothing_can_be_served_is_not_served(
    start: Start, server: ListServer
) -> None:
    mine = ProvidersConfig(named={"MINE": ProviderSettings(base_url="http://h")})
    server.listed = [row("b", handle="/mine/v1/messages")]
    await (await start(providers=mine)).close()
    registry = await start()
    assert registry.snapshot == EMPTY

    server.listed = rows(1)
    await registry.refresh_now()
    assert registry.snapshot.generation == 2


@pytest.mark.parametrize("damage", [b"", b"foreign", b"trunkline-model-list-1 0\n{}\n[]"])
async def test_a_damaged_last_good_list_is_ignored(
    start: Start, server: ListServer, make_config: MakeConfig, damage: bytes
) -> None:
    server.listed = rows(2)
    await (await start()).close()
    [path] = make_config.state_dir.iterdir()
    path.write_bytes(damage)
    with capture_logs() as logs:
        registry = await start()

    assert ids(registry) == ["m0", "m1"]
    assert "last_good_list_ignored" in [log["event"] for log in logs]


async def test_a_state_directory_that_cannot_be_written_degrades(
    start: Start, server: ListServer, make_config: MakeConfig
) -> None:
    make_config.state_dir.touch()
    server.listed = rows(2)
    registry = await start()
    assert ids(registry) == ["m0", "m1"]
    [sentence] = registry.degraded()
    assert sentence.startswith(f"model list: not kept on disk ({make_config.state_dir}: ")

    make_config.state_dir.unlink()
    await registry.refresh_now()
    assert registry.degraded() == ()
    await registry.close()
    await server.stop()
    assert ids(await start()) == ["m0", "m1"]
