from collections.abc import AsyncIterator, Iterator, MutableMapping
from dataclasses import replace
from typing import Any

import aiohttp
import grpc
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from edge.app import EdgeApp
from edge.channel import open_channel
from edge.config import EdgeConfig
from tests.edge.fake_router import FakeRouter
from tests.edge.running_edge import PATIENCE, RunningEdge, StartEdge


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[MutableMapping[str, Any]]]:
    """What the edge logs; an error fails the test."""
    with capture_logs() as entries:
        yield entries
    assert [entry for entry in entries if entry["log_level"] in {"error", "critical"}] == []


@pytest.fixture
async def router() -> AsyncIterator[FakeRouter]:
    fake = FakeRouter()
    server = await fake.start()
    yield fake
    await server.stop(None)


@pytest.fixture
async def start_edge(router: FakeRouter) -> AsyncIterator[StartEdge]:
    """Starts edges in front of `router`; keyword arguments are fields of EdgeConfig."""
    apps: list[EdgeApp] = []
    channels: list[grpc.aio.Channel] = []

    async def start(**fields: Any) -> RunningEdge:
        config = EdgeConfig(http_port=0, router_target=f"127.0.0.1:{router.port}")
        config = replace(config, **fields)
        registry = CollectorRegistry()
        channel = open_channel(config)
        channels.append(channel)
        app = EdgeApp(config, channel, registry)
        apps.append(app)
        return RunningEdge(app, await app.start(), registry)

    yield start
    for app in apps:
        await app.close()
    for channel in channels:
        await channel.close()


@pytest.fixture
async def edge(start_edge: StartEdge) -> RunningEdge:
    return await start_edge()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield session
