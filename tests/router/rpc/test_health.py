"""The standard health service: open to all, and telling edges what a router is about."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2

from router.rpc.health import STATUS_KEY
from tests.support.gateway import gateway, row, write_list
from tests.support.one_provider import PATIENCE
from trunkline.v1.status_pb2 import RouterStatus

SERVICES = (
    "",
    "trunkline.v1.ChatService",
    "trunkline.v1.ModelService",
    "trunkline.v1.ForwardService",
)
ROWS = [row("demo/echo", "/demo/v1/chat/completions")]


class Client:
    """Asks for health; by hand, since the package's stub has no asynchronous form."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        service = "/grpc.health.v1.Health"
        codec: Any = {
            "request_serializer": health_pb2.HealthCheckRequest.SerializeToString,
            "response_deserializer": health_pb2.HealthCheckResponse.FromString,
        }
        self.check = channel.unary_unary(f"{service}/Check", **codec)
        self.watch = channel.unary_stream(f"{service}/Watch", **codec)

    async def ask(self, service: str = "") -> tuple[str, RouterStatus]:
        """Return the standard's word and the router's own status."""
        call: Any = self.check(health_pb2.HealthCheckRequest(service=service))
        answer = await call
        state = dict(await call.trailing_metadata())[STATUS_KEY]
        word = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
        return word, RouterStatus.FromString(state)


@pytest.mark.parametrize("service", SERVICES)
async def test_every_service_is_served_once_there_is_a_list(tmp_path: Path, service: str) -> None:
    async with (
        gateway(tmp_path, {"TRUNKLINE_API_KEYS": "a-key-of-a-client"}) as started,
        grpc.aio.insecure_channel(started.grpc) as channel,
    ):
        word, state = await Client(channel).ask(service)

    assert word == "SERVING"
    assert (state.checks_keys, state.serves_list, state.generation) == (True, True, 1)
    assert not state.draining
    assert list(state.degraded) == []


async def test_without_a_list_nothing_is_served_until_there_is_one(tmp_path: Path) -> None:
    source = tmp_path / "models.json"
    async with (
        gateway(tmp_path, {"MODEL_LIST_URL": str(source)}) as started,
        grpc.aio.insecure_channel(started.grpc) as channel,
    ):
        client = Client(channel)
        before = await client.ask()
        watch: Any = client.watch(health_pb2.HealthCheckRequest())
        first = await watch.read()
        write_list(source, ROWS)
        await started.router.registry.refresh_now()
        second = await watch.read()
        after = await client.ask()
        watch.cancel()

    assert (before[0], before[1].serves_list, before[1].checks_keys) == (
        "NOT_SERVING",
        False,
        False,
    )
    assert before[1].degraded
    assert first.status == health_pb2.HealthCheckResponse.NOT_SERVING
    assert second.status == health_pb2.HealthCheckResponse.SERVING
    assert (after[0], after[1].serves_list) == ("SERVING", True)


async def test_a_drain_is_told_to_those_who_ask_and_those_who_watch(tmp_path: Path) -> None:
    async with (
        gateway(tmp_path, {}) as started,
        grpc.aio.insecure_channel(started.grpc) as channel,
    ):
        client = Client(channel)
        watch: Any = client.watch(health_pb2.HealthCheckRequest())
        await watch.read()
        await started.router.announce_drain()
        told = await watch.read()
        word, state = await client.ask()
        watch.cancel()

    assert told.status == health_pb2.HealthCheckResponse.NOT_SERVING
    assert (word, state.draining) == ("NOT_SERVING", True)


async def test_a_watch_ends_with_the_router(tmp_path: Path) -> None:
    async with (
        gateway(tmp_path, {}) as started,
        grpc.aio.insecure_channel(started.grpc) as channel,
    ):
        watch: Any = Client(channel).watch(health_pb2.HealthCheckRequest())
        await watch.read()
        await asyncio.wait_for(started.router.drain(10 * PATIENCE), PATIENCE)
        words = []
        while (told := await watch.read()) is not grpc.aio.EOF:
            words.append(told.status)

    assert words == [health_pb2.HealthCheckResponse.NOT_SERVING]
    assert await watch.code() == grpc.StatusCode.OK


async def test_a_watcher_that_leaves_is_let_go(tmp_path: Path) -> None:
    async with (
        gateway(tmp_path, {}) as started,
        grpc.aio.insecure_channel(started.grpc) as channel,
    ):
        health = started.router._rpc.health
        watch: Any = Client(channel).watch(health_pb2.HealthCheckRequest())
        await watch.read()
        await _until(lambda: health.watchers == 1, channel)
        watch.cancel()
        await _until(lambda: health.watchers == 0, channel)


async def test_all_who_watch_are_told_of_a_drain_before_their_watch_ends(tmp_path: Path) -> None:
    async with (
        gateway(tmp_path, {}) as started,
        grpc.aio.insecure_channel(started.grpc) as channel,
    ):
        request = health_pb2.HealthCheckRequest()
        watches: list[Any] = [Client(channel).watch(request) for _ in range(20)]
        for watch in watches:
            await watch.read()
        await asyncio.wait_for(started.router.drain(10 * PATIENCE), PATIENCE)
        told = [(await watch.read()).status for watch in watches]

    assert told == [health_pb2.HealthCheckResponse.NOT_SERVING] * 20


async def test_a_service_that_there_is_not_is_unknown_to_those_who_watch(tmp_path: Path) -> None:
    async with (
        gateway(tmp_path, {}) as started,
        grpc.aio.insecure_channel(started.grpc) as channel,
    ):
        watch: Any = Client(channel).watch(health_pb2.HealthCheckRequest(service="none"))
        told = await watch.read()
        watch.cancel()

    assert told.status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


async def _until(holds: Callable[[], bool], channel: grpc.aio.Channel) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():
            await Client(channel).ask()


async def test_a_service_that_there_is_not_is_not_found(tmp_path: Path) -> None:
    async with (
        gateway(tmp_path, {}) as started,
        grpc.aio.insecure_channel(started.grpc) as channel,
    ):
        call: Any = Client(channel).check(health_pb2.HealthCheckRequest(service="none"))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call

    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
