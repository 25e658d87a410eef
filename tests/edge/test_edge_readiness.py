from collections.abc import AsyncIterator

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from edge.readiness import Check, ask_router
from tests.edge.fake_router import FakeRouter
from trunkline.v1.status_pb2 import RouterStatus


def check_over(channel: grpc.aio.Channel) -> Check:
    return channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=HealthCheckRequest.SerializeToString,
        response_deserializer=HealthCheckResponse.FromString,
    )


@pytest.fixture
async def check(router: FakeRouter) -> AsyncIterator[Check]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{router.port}") as channel:
        yield check_over(channel)


async def test_a_router_says_how_it_is(router: FakeRouter, check: Check) -> None:
    router.status = RouterStatus(checks_keys=True, serves_list=True, degraded=["Old list."])

    assert await ask_router(check, 5) == router.status


@pytest.mark.parametrize(
    ("health", "serves"),
    [(HealthCheckResponse.SERVING, True), (HealthCheckResponse.NOT_SERVING, False)],
)
async def test_a_server_that_only_knows_its_health_is_taken_by_it(
    router: FakeRouter,
    check: Check,
    health: int,
    serves: bool,
) -> None:
    router.status = None
    router.health = health

    assert await ask_router(check, 5) == RouterStatus(serves_list=serves)


async def test_no_answer_is_none() -> None:
    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
        assert await ask_router(check_over(channel), 0.2) is None
