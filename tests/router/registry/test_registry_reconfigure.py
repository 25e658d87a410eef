"""Another configuration means another generation of the same list, or another list, or no change at all."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from router.config import Fallbacks, Policy, ProvidersConfig, ProviderSettings, RouterConfig
from router.errors import ConfigError
from router.registry import Registry
from router.values import Secret
from tests.router.registry.scripted import ListServer, MakeConfig, Start, ids, row, rows

POLICY = Policy(retries=7, fallbacks={"m0": Fallbacks(general=("m1",))})


async def follow(registry: Registry, config: RouterConfig) -> None:
    if await registry.reconfigure(config):
        await registry.move()


def named(base_url: str, key: str = "k") -> ProvidersConfig:
    return ProvidersConfig(named={"OPENAI": ProviderSettings(base_url, Secret(key))})


async def test_the_same_list_is_served_by_other_settings_as_a_new_generation(
    start: Start, server: ListServer, make_config: MakeConfig
) -> None:
    server.listed = rows(2)
    registry = await start()
    before, asked = registry.snapshot, len(server.requests)

    await follow(
        registry, replace(make_config(server.url, providers=named("http://other")), policy=POLICY)
    )

    after = registry.snapshot
    assert (after.generation, after.policy) == (before.generation + 1, POLICY)
    assert after.models[0].deployments[0].provider.base_url == "http://other"
    assert before.models[0].deployments[0].provider.base_url == "https://api.openai.com"
    assert before.policy == Policy()
    assert len(server.requests) == asked


async def test_the_new_settings_hold_for_later_lists_and_after_a_restart(
    start: Start, server: ListServer, make_config: MakeConfig
) -> None:
    server.listed = rows(2)
    registry = await start()
    await follow(registry, replace(make_config(server.url), policy=POLICY))
    server.listed = rows(3)
    after = await registry.refresh_now()
    again = await start()

    assert (len(after.models), after.policy, after.generation) == (3, POLICY, 3)
    assert again.snapshot.generation == 3


async def test_watchers_see_the_new_generation(
    start: Start, server: ListServer, make_config: MakeConfig
) -> None:
    server.listed = rows(1)
    registry = await start()
    watch = registry.watch()
    first = await anext(watch)
    await follow(registry, make_config(server.url, providers=named("http://other")))
    second = await anext(watch)
    await watch.aclose()

    assert second.generation == first.generation + 1


async def test_settings_by_which_nothing_could_be_served_change_nothing(
    start: Start, server: ListServer, make_config: MakeConfig
) -> None:
    server.listed = [row("m", handle="/acme/chat/completions")]
    acme = ProvidersConfig(named={"ACME": ProviderSettings("http://acme")})
    registry = await start(providers=acme)
    before = registry.snapshot

    with pytest.raises(ConfigError, match="providers"):
        await registry.reconfigure(make_config(server.url, providers=ProvidersConfig()))
    with pytest.raises(ConfigError, match="MODEL_LIST_URL"):
        await registry.reconfigure(make_config("http://[bad"))

    assert registry.snapshot is before


async def test_another_source_is_not_compared_with_the_one_before(
    start: Start, server: ListServer, make_config: MakeConfig, tmp_path: Path
) -> None:
    server.listed = rows(20)
    registry = await start()
    small = tmp_path / "small.json"
    small.write_text('[{"model_version": "x", "handle": "/openai/v1/chat/completions"}]')

    await follow(registry, make_config(str(small)))

    assert ids(registry) == ["x"]
    assert registry.degraded() == ()
    small.write_text("[]")
    await registry.refresh_now()
    assert ids(registry) == ["x"]


async def test_the_list_stays_until_another_source_gives_one(
    start: Start, server: ListServer, make_config: MakeConfig, tmp_path: Path
) -> None:
    server.listed = rows(2)
    registry = await start()
    late = tmp_path / "late.json"
    await follow(registry, make_config(str(late)))
    kept = ids(registry)
    said = registry.degraded()
    late.write_text('[{"model_version": "x", "handle": "/openai/v1/chat/completions"}]')
    await registry.refresh_now()

    assert kept == ["m0", "m1"]
    assert "no such file" in said[0]
    assert ids(registry) == ["x"]


async def test_before_any_list_only_the_policy_changes(
    start: Start, server: ListServer, make_config: MakeConfig
) -> None:
    await server.stop()
    registry = await start()
    await follow(registry, replace(make_config(server.url), policy=POLICY))

    assert (registry.snapshot.generation, registry.snapshot.policy) == (0, POLICY)


async def test_from_the_bundled_list_to_a_source_and_back(
    start: Start, server: ListServer, make_config: MakeConfig
) -> None:
    server.listed = rows(1)
    registry = await start(None)
    bundled = ids(registry)
    await follow(registry, make_config(server.url))
    fetched = ids(registry)
    await follow(registry, make_config(None))

    assert "demo/echo" in bundled
    assert fetched == ["m0"]
    assert ids(registry) == bundled
    assert registry.snapshot.generation == 4


async def test_while_another_source_gives_none_the_list_follows_the_settings_still(
    start: Start, server: ListServer, make_config: MakeConfig, tmp_path: Path
) -> None:
    server.listed = rows(2)
    registry = await start()
    absent = str(tmp_path / "absent.json")
    await follow(registry, make_config(absent))

    await follow(registry, make_config(absent, providers=named("http://other")))

    assert ids(registry) == ["m0", "m1"]
    assert registry.snapshot.models[0].deployments[0].provider.base_url == "http://other"


async def test_a_list_whose_copy_on_disk_is_lost_follows_the_settings_with_the_next_refresh(
    start: Start, server: ListServer, make_config: MakeConfig
) -> None:
    server.listed = rows(2)
    registry = await start()
    config = make_config(server.url, providers=named("http://other"))
    for file in config.state_dir.glob("model-list-*"):
        file.unlink()

    await follow(registry, config)
    await registry.refresh_now()

    assert registry.snapshot.models[0].deployments[0].provider.base_url == "http://other"


async def test_a_list_that_the_new_settings_cannot_serve_does_not_keep_from_another_source(
    start: Start, server: ListServer, make_config: MakeConfig, tmp_path: Path
) -> None:
    server.listed = [row("m", handle="/acme/chat/completions")]
    acme = ProvidersConfig(named={"ACME": ProviderSettings("http://acme")})
    registry = await start(providers=acme)
    other = tmp_path / "other.json"
    other.write_text('[{"model_version": "x", "handle": "/openai/v1/chat/completions"}]')

    await follow(registry, make_config(str(other), providers=ProvidersConfig()))

    assert ids(registry) == ["x"]


async def test_an_equal_list_of_another_source_is_kept_for_a_restart_without_it(
    start: Start, server: ListServer, make_config: MakeConfig, tmp_path: Path
) -> None:
    server.listed = rows(2)
    registry = await start()
    mirror = tmp_path / "mirror.json"
    mirror.write_text(json.dumps(rows(2)))
    await follow(registry, make_config(str(mirror)))
    mirror.unlink()

    assert ids(await start(str(mirror))) == ["m0", "m1"]
