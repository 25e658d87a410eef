"""Several workers serve one list: one of them asks the source, the others serve what it has found good."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from router.config import ProvidersConfig, ProviderSettings, RouterConfig
from router.registry import Part, Registry, registry_of
from router.registry.sharing import FOLLOW_SECONDS, Follower, Leader
from router.transport.http import AiohttpTransport
from tests.router.registry.scripted import ListServer, MakeConfig, World, ids, row, rows

ELSEWHERE = ProvidersConfig(
    named=MappingProxyType({"OPENAI": ProviderSettings(base_url="https://elsewhere")})
)


@dataclass
class Pair:
    """A leader and a follower of one state directory, each with a world of its own."""

    leader: Leader
    follower: Follower
    world: World
    """The follower's."""

    async def look(self) -> None:
        """Let the follower look once more."""
        await self.world.pause()
        self.world.wake()
        assert await self.world.pause() == FOLLOW_SECONDS
        # The next look begins with a pause again.
        self.world._pauses.put_nowait(FOLLOW_SECONDS)

    def is_in_step(self) -> bool:
        """Whether both serve the same, and say the same of it."""
        mine, its = self.follower, self.leader
        pairs = [(r.snapshot.models, r.snapshot.generation, r.degraded()) for r in (mine, its)]
        return pairs[0] == pairs[1]


@pytest.fixture
async def pair(
    make_config: MakeConfig, transport: AiohttpTransport, server: ListServer, world: World
) -> AsyncIterator[Pair]:
    """Not started."""
    config, its_world = make_config(server.url), World()
    made = Pair(
        Leader(config, transport, world.surroundings()),
        Follower(config, transport, its_world.surroundings()),
        its_world,
    )
    yield made
    await made.follower.close()
    await made.leader.close()


@pytest.fixture
async def other() -> AsyncIterator[ListServer]:
    """Another source."""
    other = ListServer()
    await other.start()
    yield other
    await other.stop()


async def test_a_follower_serves_what_its_leader_does_and_asks_nobody(
    pair: Pair, server: ListServer
) -> None:
    server.listed = [row("a"), {"bad": "row"}, row("b")]
    await pair.leader.start()
    await pair.follower.start()
    assert ids(pair.follower) == ["a", "b"]
    assert pair.is_in_step()

    server.listed = rows(3)
    await pair.leader.refresh_now()
    assert ids(pair.follower) == ["a", "b"]
    await pair.look()
    assert ids(pair.follower) == ["m0", "m1", "m2"]
    assert pair.is_in_step()
    assert len(server.requests) == 2


async def test_a_follower_without_a_list_serves_the_first_one_that_its_leader_finds(
    pair: Pair, server: ListServer
) -> None:
    server.raw = b"no list"
    await pair.leader.start()
    await pair.follower.start()
    assert pair.follower.snapshot.generation == 0
    assert "list unreadable" in pair.follower.degraded()[0]

    server.raw, server.listed = None, rows(1)
    await pair.leader.refresh_now()
    await pair.look()
    assert ids(pair.follower) == ["m0"]
    assert pair.follower.degraded() == ()


async def test_a_follower_tells_of_the_trouble_that_its_leader_has_with_the_source(
    pair: Pair, server: ListServer, world: World
) -> None:
    server.listed = rows(1)
    await pair.leader.start()
    await pair.follower.start()
    world.now += 500
    await pair.leader.refresh_now()
    await server.stop()
    await pair.leader.refresh_now()
    await pair.look()

    assert "unreachable" in pair.follower.degraded()[0]
    assert pair.is_in_step()
    assert pair.follower.status.confirmed_at == world.now


@pytest.mark.parametrize("first", ["leader", "follower"])
@pytest.mark.parametrize("providers", [ELSEWHERE, ProvidersConfig()], ids=["changed", "same"])
async def test_a_changed_configuration_leads_to_one_generation_whoever_takes_it_first(
    pair: Pair,
    server: ListServer,
    make_config: MakeConfig,
    first: str,
    providers: ProvidersConfig,
) -> None:
    server.listed = rows(2)
    await pair.leader.start()
    await pair.follower.start()
    changed = make_config(server.url, providers=providers)
    each: list[Registry] = [pair.leader, pair.follower]
    for registry in each if first == "leader" else reversed(each):
        assert not await registry.reconfigure(changed)
    await pair.look()

    assert pair.leader.snapshot.generation == 2
    assert pair.is_in_step()
    if providers is ELSEWHERE:
        (deployment,) = pair.follower.snapshot.models[0].deployments
        assert deployment.provider.base_url == "https://elsewhere"


async def test_a_follower_stays_with_its_list_until_the_leader_has_one_of_another_source(
    pair: Pair,
    server: ListServer,
    other: ListServer,
    make_config: MakeConfig,
    transport: AiohttpTransport,
) -> None:
    server.listed, other.listed = rows(2), rows(4)
    before = World()
    before.now -= 86_400
    earlier = Registry(make_config(other.url), transport, before.surroundings())
    await earlier.start()
    await earlier.close()
    await pair.leader.start()
    await pair.follower.start()

    config: RouterConfig = make_config(other.url)
    assert await pair.follower.reconfigure(config)
    await pair.follower.move()
    assert len(ids(pair.follower)) == 2
    other.listed = rows(3)
    assert await pair.leader.reconfigure(config)
    await pair.leader.move()
    await pair.world.pause()
    await pair.look()

    assert len(ids(pair.follower)) == 3
    assert pair.is_in_step()


async def test_a_leader_that_has_lost_what_it_knew_is_followed(
    pair: Pair, server: ListServer, make_config: MakeConfig, transport: AiohttpTransport
) -> None:
    server.listed = rows(1)
    await pair.leader.start()
    server.listed = rows(2)
    await pair.leader.refresh_now()
    await pair.follower.start()
    await pair.leader.close()
    for path in make_config.state_dir.iterdir():
        path.unlink()
    server.listed, later = rows(3), World()
    later.now += 60
    pair.leader = Leader(make_config(server.url), transport, later.surroundings())
    await pair.leader.start()
    await pair.look()

    assert pair.follower.snapshot.generation == 1
    assert pair.is_in_step()


async def test_a_follower_writes_nothing(
    pair: Pair, server: ListServer, make_config: MakeConfig
) -> None:
    server.listed = rows(1)
    await pair.leader.start()
    before = _files(make_config.state_dir)
    await pair.follower.start()
    await pair.follower.reconfigure(make_config(server.url, providers=ELSEWHERE))
    await pair.look()

    assert _files(make_config.state_dir) == before


def _files(directory: Path) -> dict[str, Any]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


async def test_what_a_leader_cannot_tell_does_not_keep_it_from_serving(
    pair: Pair, server: ListServer, make_config: MakeConfig
) -> None:
    server.listed = rows(1)
    make_config.state_dir.write_text("not a directory")
    await pair.leader.start()

    assert ids(pair.leader) == ["m0"]


@pytest.mark.parametrize("part", Part)
async def test_the_bundled_list_is_served_whatever_the_part(
    part: Part, make_config: MakeConfig, transport: AiohttpTransport
) -> None:
    registry = registry_of(part, make_config(None), transport)
    await registry.start()
    await registry.close()

    assert ids(registry)
