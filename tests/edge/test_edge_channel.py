import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import grpc
import pytest

from edge.channel import addresses_of, open_channel
from edge.config import EdgeConfig
from edge.status import from_rpc_error
from tests.edge.fake_router import Failure, FakeRouter, Stall, chunks
from tests.edge.running_edge import soon
from trunkline.v1.forward_service_pb2 import ForwardRequest, ForwardStreamRequest
from trunkline.v1.forward_service_pb2_grpc import ForwardServiceStub

MIB = 1024 * 1024

LOST = Failure(grpc.StatusCode.UNAVAILABLE, "UPSTREAM_UNAVAILABLE", "The provider failed.")
TOLD = replace(LOST, headers=(("grpc-retry-pushback-ms", "-1"),))


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


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED])
async def test_a_call_whose_router_failed_without_a_word_is_sent_again_and_not_forever(
    stub: ForwardServiceStub, router: FakeRouter, code: grpc.StatusCode
) -> None:
    router.will_fail(replace(LOST, grpc_code=code))

    for call in (stub.Forward(ForwardRequest(), timeout=10), _first(stub)):
        router.seen.clear()
        with pytest.raises(grpc.aio.AioRpcError):
            await call

        assert len(router.seen) == 5


async def test_a_failure_that_a_router_tells_is_final(
    stub: ForwardServiceStub, router: FakeRouter
) -> None:
    router.will_fail(TOLD)

    for call in (stub.Forward(ForwardRequest(), timeout=10), _first(stub)):
        router.seen.clear()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call

        assert len(router.seen) == 1
        assert from_rpc_error(caught.value).reason == TOLD.reason


async def test_a_request_as_large_as_the_body_limit_can_be_sent_again(
    stub: ForwardServiceStub, router: FakeRouter
) -> None:
    router.will_fail(LOST)

    with pytest.raises(grpc.aio.AioRpcError):
        await stub.Forward(ForwardRequest(body=b"x" * 3 * MIB), timeout=10)

    assert [len(seen.request.body) for seen in router.seen] == [3 * MIB] * 5


async def test_a_stream_that_has_begun_is_never_sent_again(
    stub: ForwardServiceStub, router: FakeRouter
) -> None:
    async def begin_and_fail(request: ForwardRequest, context: Any) -> AsyncIterator[Any]:
        yield chunks(b"{}")
        await LOST.abort(context)

    router.stream = begin_and_fail
    call = stub.ForwardStream(ForwardStreamRequest(), timeout=10)

    assert await call.read() == chunks(b"{}")
    with pytest.raises(grpc.aio.AioRpcError):
        await call.read()
    assert len(router.seen) == 1


async def test_a_call_that_its_caller_cancels_is_not_sent_again(
    stub: ForwardServiceStub, router: FakeRouter
) -> None:
    stall = Stall()
    router.answer = stall.answer
    call = stub.Forward(ForwardRequest(), timeout=10)
    asking = asyncio.ensure_future(_result(call))
    await soon(stall.entered.wait())

    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking
    await soon(stall.cancelled.wait())
    assert len(router.seen) == 1


async def _first(stub: ForwardServiceStub) -> object:
    return await stub.ForwardStream(ForwardStreamRequest(), timeout=10).read()


async def _result(call: Any) -> object:
    return await call


@pytest.mark.parametrize(
    ("target", "addresses"),
    [
        ("ipv4:127.0.0.1:1,127.0.0.2:2", ("ipv4:127.0.0.1:1", "ipv4:127.0.0.2:2")),
        ("ipv6:[::1]:1,[::2]:2", ("ipv6:[::1]:1", "ipv6:[::2]:2")),
        ("127.0.0.1:50051", ()),
        ("ipv4:127.0.0.1:50051", ()),
        ("dns:///routers:50051", ()),
        ("unix:/run/router,1", ()),
    ],
)
def test_only_a_list_of_addresses_names_its_routers(
    target: str, addresses: tuple[str, ...]
) -> None:
    assert addresses_of(target) == addresses
