"""What the registry's tests stand on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from router.config import ProvidersConfig
from router.registry import Registry
from router.transport.http import AiohttpTransport
from tests.router.registry.scripted import ListServer, MakeConfig, Start, World


@pytest.fixture
def make_config(tmp_path: Path) -> MakeConfig:
    return MakeConfig(tmp_path / "state")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    transport = AiohttpTransport()
    yield transport
    await transport.close()


@pytest.fixture
async def server() -> AsyncIterator[ListServer]:
    server = ListServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def start(
    make_config: MakeConfig, transport: AiohttpTransport, server: ListServer, world: World
) -> AsyncIterator[Start]:
    """Starts registries on the scripted source, and closes them after the test."""
    started: list[Registry] = []

    async def start(
        source: str | None = server.url,
        providers: ProvidersConfig | None = None,
        fetch_seconds: float = 10.0,
    ) -> Registry:
        config = make_config(source, providers=providers)
        registry = Registry(config, transport, world.surroundings(fetch_seconds))
        started.append(registry)
        await registry.start()
        return registry

    yield start
    for registry in started:
        await registry.close()
