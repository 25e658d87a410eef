from collections.abc import AsyncIterator

import grpc
import pytest

from edge.channel import open_channel
from edge.config import EdgeConfig
from edge.status import from_rpc_error
from tests.edge.fake_router import Failure, FakeRouter
from trunkline.v1.forward_service_pb2 import ForwardRequest
from trunkline.v1.forward_service_pb2_grpc import ForwardServiceStub

MIB = 1024 * 1024


@pytest.fixture
async def stub(router: FakeRouter) -> AsyncIterator[ForwardServiceStub]:
    config = EdgeConfig(router_target=f"127.0.0.1:{router.port}", max_body_bytes=6 * MIB)
    channel = open_channel(config)
    yield ForwardServiceStub(channel)
    await channel.close()


async def test_an_answer_as_large_as_the_body_limit_comes_through(
    stub: ForwardServiceStub, router: FakeRouter
) -> None:
    router.will_answer(b"x" * 6 * MIB)

    response = await stub.Forward(ForwardRequest(), timeout=10)

    assert len(response.body) == 6 * MIB


async def test_an_answer_over_the_limit_is_the_upstreams_fault(
    stub: ForwardServiceStub, router: FakeRouter
) -> None:
    router.will_answer(b"x" * 8 * MIB, x_request_id="1")

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Forward(ForwardRequest(), timeout=10)

    assert from_rpc_error(caught.value).status == 502


async def test_a_request_over_the_routers_limit_is_the_callers(
    stub: ForwardServiceStub, router: FakeRouter
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Forward(ForwardRequest(body=b"x" * 5 * MIB), timeout=10)

    assert from_rpc_error(caught.value).status == 413


async def test_a_long_error_body_fits_into_the_trailing_metadata(
    stub: ForwardServiceStub, router: FakeRouter
) -> None:
    body = b'{"error":"' + b"e" * 500_000 + b'"}'
    code = grpc.StatusCode.INVALID_ARGUMENT
    router.will_fail(Failure(code, "UPSTREAM_REJECTED", "no", body=body))

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Forward(ForwardRequest(), timeout=10)

    assert from_rpc_error(caught.value).body == body
