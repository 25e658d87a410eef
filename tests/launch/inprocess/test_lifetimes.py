"""Servers start and stop, channels close: what that means for the calls under way and for those to come."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from launch.inprocess import InProcessServer
from router.rpc.health import HealthService
from tests.launch.inprocess.conftest import WAYS, Hanging, Servicer, Way, failure_of, opened, soon
from trunkline.v1.forward_service_pb2 import ForwardRequest, ForwardResponse
from trunkline.v1.forward_service_pb2_grpc import (
    ForwardServiceStub,
    add_ForwardServiceServicer_to_server,
)
from trunkline.v1.model_service_pb2 import ListModelsRequest
from trunkline.v1.model_service_pb2_grpc import (
    ModelServiceServicer,
    ModelServiceStub,
    add_ModelServiceServicer_to_server,
)
from trunkline.v1.status_pb2 import RouterStatus

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def code_of(call: Any) -> grpc.StatusCode:
    return (await failure_of(call)).code()


# Channels


async def test_closing_a_channel_cancels_calls_under_way_and_refuses_new_ones(way: Way) -> None:
    whole, streamed = Hanging(), Hanging(b"1")
    way.servicer.answer, way.servicer.stream = whole.answer, streamed.stream
    call, stream = way.unary(), way.streamed()
    await soon(stream.read())
    await soon(whole.entered.wait())
    await soon(streamed.entered.wait())
    await way.channel.close()

    for waiting in (call, stream.read()):
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert await call.code() is await stream.code() is grpc.StatusCode.CANCELLED
    await soon(whole.cancelled.wait())
    await soon(streamed.cancelled.wait())
    for start in (way.unary, way.streamed):
        with pytest.raises(grpc.aio.UsageError):
            start()
    assert way.channel.get_state() is grpc.ChannelConnectivity.SHUTDOWN
    await way.channel.close()


async def test_closing_a_channel_with_grace_lets_calls_end(way: Way) -> None:
    hanging = Hanging()
    way.servicer.answer = hanging.answer
    call = way.unary(b"in time")
    await soon(hanging.entered.wait())
    closing = asyncio.create_task(way.channel.close(600))
    await asyncio.sleep(0)
    with pytest.raises(grpc.aio.UsageError):
        way.unary()
    hanging.release.set()

    assert (await soon(call)).body == b"in time"
    await soon(closing)


async def test_a_channel_closes_behind_its_block(way: Way) -> None:
    async with way.channel as channel:
        await soon(channel.channel_ready())
        assert channel.get_state(try_to_connect=True) is grpc.ChannelConnectivity.READY

    assert channel.get_state() is grpc.ChannelConnectivity.SHUTDOWN
    with pytest.raises(grpc.aio.UsageError):
        await channel.channel_ready()


async def test_a_channel_is_ready_once_its_server_has_started() -> None:
    server = InProcessServer()
    channel = server.open_channel()
    idle = channel.get_state()
    changing = asyncio.create_task(channel.wait_for_state_change(idle))
    ready = asyncio.create_task(channel.channel_ready())
    await asyncio.sleep(0)
    assert not changing.done()
    await server.start()
    await soon(asyncio.gather(changing, ready))
    changing = asyncio.create_task(channel.wait_for_state_change(grpc.ChannelConnectivity.READY))
    await asyncio.sleep(0)
    await server.stop(None)
    await soon(changing)

    assert idle is grpc.ChannelConnectivity.IDLE
    failing = channel.get_state()
    assert failing is grpc.ChannelConnectivity.TRANSIENT_FAILURE
    changing = asyncio.create_task(channel.wait_for_state_change(failing))
    await asyncio.sleep(0)
    await channel.close()
    await soon(changing)


# Servers


async def test_a_call_waits_for_a_server_that_starts_later_if_told_to() -> None:
    server = InProcessServer()
    add_ForwardServiceServicer_to_server(Servicer(), server)
    async with server.open_channel() as channel:
        stub = ForwardServiceStub(channel)
        assert await code_of(stub.Forward(ForwardRequest())) is grpc.StatusCode.UNAVAILABLE
        late = stub.Forward(ForwardRequest(), wait_for_ready=True, timeout=0.05)
        assert await code_of(late) is grpc.StatusCode.DEADLINE_EXCEEDED
        given_up = stub.Forward(ForwardRequest(), wait_for_ready=True)
        waiting = stub.Forward(ForwardRequest(body=b"x"), wait_for_ready=True, timeout=600)
        await asyncio.sleep(0)
        given_up.cancel()
        await server.start()

        assert (await soon(waiting)).body == b"x"
        with pytest.raises(asyncio.CancelledError):
            await given_up
    await server.stop(None)


async def test_a_server_that_stops_lets_calls_end_and_takes_no_new_ones(way: Way) -> None:
    hanging = Hanging()
    way.servicer.answer = hanging.answer
    call = way.unary(b"in time")
    await soon(hanging.entered.wait())
    stopping = asyncio.create_task(way.server.stop(600))
    await asyncio.sleep(0)
    # Over a socket it takes a moment until clients know.
    while await code_of(way.unary(timeout=1)) is grpc.StatusCode.DEADLINE_EXCEEDED:
        pass
    assert await code_of(way.unary()) is grpc.StatusCode.UNAVAILABLE
    hanging.release.set()

    assert (await soon(call)).body == b"in time"
    await soon(stopping)
    assert await code_of(way.unary()) is grpc.StatusCode.UNAVAILABLE
    assert not await way.server.wait_for_termination(1)


@pytest.mark.parametrize("grace", [None, 0.05])
async def test_what_is_left_when_a_server_has_stopped_is_cancelled(
    way: Way, grace: float | None
) -> None:
    whole, streamed = Hanging(), Hanging(b"1")
    way.servicer.answer, way.servicer.stream = whole.answer, streamed.stream
    call, stream = way.unary(), way.streamed()
    await soon(stream.read())
    await soon(whole.entered.wait())
    await soon(streamed.entered.wait())
    await soon(way.server.stop(grace))

    assert await code_of(call) is grpc.StatusCode.UNAVAILABLE
    assert await code_of(stream.read()) is grpc.StatusCode.UNAVAILABLE
    await soon(whole.called_back.wait())
    await soon(streamed.called_back.wait())
    assert (whole.cancelled.is_set(), streamed.cancelled.is_set()) == (True, True)


async def test_an_earlier_end_of_a_stop_wins(local_way: Way) -> None:
    hanging = Hanging()
    local_way.servicer.answer = hanging.answer
    call = local_way.unary()
    await soon(hanging.entered.wait())
    stopping = asyncio.create_task(local_way.server.stop(600))
    await asyncio.sleep(0)
    assert await local_way.server.wait_for_termination(0.01)
    await soon(local_way.server.stop(None))

    await soon(stopping)
    assert await code_of(call) is grpc.StatusCode.UNAVAILABLE


async def test_an_in_process_server_starts_once_and_has_no_ports() -> None:
    server = InProcessServer()
    await server.start()
    with pytest.raises(grpc.aio.UsageError):
        await server.start()
    with pytest.raises(grpc.aio.UsageError):
        server.add_insecure_port("127.0.0.1:0")
    await server.stop(None)


async def test_channel_and_server_say_how_they_are(local_way: Way) -> None:
    hanging = Hanging()
    local_way.servicer.answer = hanging.answer
    call = local_way.unary()

    assert repr(local_way.channel) == "<InProcessChannel READY [1 calls]>"
    assert repr(local_way.server) == "<InProcessServer READY [1 calls]>"
    assert "under way" in repr(call)
    await soon(hanging.entered.wait())
    assert repr(hanging.context) == "<Context of /trunkline.v1.ForwardService/Forward>"
    hanging.release.set()
    await soon(call)
    await soon(hanging.called_back.wait())
    assert "StatusCode.OK" in repr(call)
    assert repr(local_way.channel) == "<InProcessChannel READY [0 calls]>"


# Servicers of both forms that are not generators


@pytest.fixture(params=WAYS)
async def health(
    request: pytest.FixtureRequest,
) -> AsyncIterator[tuple[HealthService, health_pb2_grpc.HealthStub]]:
    service = HealthService(lambda: RouterStatus(generation=7))
    await service.set("", SERVING)
    register = health_pb2_grpc.add_HealthServicer_to_server
    async with opened(request.param, lambda server: register(service, server)) as way:
        yield service, health_pb2_grpc.HealthStub(way.channel)
        service.end_watches()


async def test_health_is_checked_and_watched(health: Any) -> None:
    service, stub = health
    checking = stub.Check(health_pb2.HealthCheckRequest())
    watching = stub.Watch(health_pb2.HealthCheckRequest())
    assert (await soon(checking)).status == SERVING
    assert dict(await checking.trailing_metadata()).keys() == {"trunkline-status-bin"}
    unknown = stub.Check(health_pb2.HealthCheckRequest(service="no.such"))
    assert await code_of(unknown) is grpc.StatusCode.NOT_FOUND

    assert (await soon(watching.read())).status == SERVING
    await service.set("", NOT_SERVING)
    assert (await soon(watching.read())).status == NOT_SERVING
    service.end_watches()
    assert await soon(watching.read()) is grpc.aio.EOF


async def test_a_watcher_who_leaves_is_forgotten(health: Any) -> None:
    service, stub = health
    watching = stub.Watch(health_pb2.HealthCheckRequest())
    await soon(watching.read())
    watching.cancel()
    while service.watchers:  # noqa: ASYNC110 (it has no event for it)
        await asyncio.sleep(0)

    with pytest.raises(asyncio.CancelledError):
        await watching.read()


@pytest.mark.parametrize("kind", WAYS)
async def test_a_method_that_a_servicer_lacks_is_unimplemented(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Bare(ModelServiceServicer):
        ListModels = ModelServiceServicer.ListModels
        GetModel = ModelServiceServicer.GetModel
        WatchModels = ModelServiceServicer.WatchModels

    def register(server: grpc.aio.Server) -> None:
        add_ModelServiceServicer_to_server(Bare(), server)

    async with opened(kind, register) as way:
        stub = ModelServiceStub(way.channel)
        assert await code_of(stub.ListModels(ListModelsRequest())) is grpc.StatusCode.UNIMPLEMENTED
        watching = stub.WatchModels(ListModelsRequest())  # type: ignore[arg-type]
        assert await code_of(watching.read()) is grpc.StatusCode.UNIMPLEMENTED
    caplog.clear()


async def test_both_servers_take_the_same_servicer_at_the_same_time() -> None:
    servicer = Servicer()

    async def answer(request: ForwardRequest, context: Any) -> ForwardResponse:
        return ForwardResponse(content_type=str(servicer.calls))

    async with opened("grpc") as real, opened("inprocess") as local:
        servicer.answer = answer
        real.servicer.answer = local.servicer.answer = servicer.Forward
        kinds = [(await soon(way.unary())).content_type for way in (real, local, real)]

    assert kinds == ["1", "2", "3"]
