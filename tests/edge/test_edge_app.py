import asyncio
import contextlib
import re
import socket

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from edge.app import EdgeApp, EdgeRefusedError
from edge.channel import open_channel
from edge.config import EdgeConfig
from edge.routes import ROUTES, path_pattern
from tests.edge.fake_router import FakeRouter, Stall, chunks
from tests.edge.running_edge import RawClient, StartEdge, soon
from tests.support.process import lasting_port
from trunkline.v1.status_pb2 import RouterStatus

PUBLIC = "0.0.0.0"


@pytest.mark.parametrize("state", [RouterStatus(serves_list=True), None])
async def test_an_edge_beyond_loopback_refuses_a_router_that_checks_no_keys(
    start_edge: StartEdge, router: FakeRouter, state: RouterStatus | None
) -> None:
    router.status = state

    with pytest.raises(EdgeRefusedError) as caught:
        await start_edge(http_host=PUBLIC)

    assert "TRUNKLINE_HTTP_HOST" in str(caught.value)
    assert "TRUNKLINE_API_KEYS" in str(caught.value)
    assert "checks no keys" in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "reason"),
    [((True, True), ""), ((True, False), "checks no keys"), ((True, None), "")],
)
async def test_of_several_routers_none_that_answers_may_check_no_keys(
    start_edge: StartEdge, keys: tuple[bool | None, ...], reason: str
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        ports = []
        for checks_keys in keys:
            fake = FakeRouter(status=RouterStatus(checks_keys=bool(checks_keys)))
            if checks_keys is None:
                fake.port = 1
            else:
                stack.push_async_callback((await fake.start()).stop, None)
            ports.append(fake.port)
        target = "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports)
        starting = start_edge(http_host=PUBLIC, router_target=target, router_wait=5.0)
        if reason:
            with pytest.raises(EdgeRefusedError, match=reason):
                await starting
        else:
            assert (await starting).port > 0


async def test_and_a_router_that_cannot_be_asked(start_edge: StartEdge) -> None:
    with pytest.raises(EdgeRefusedError, match="does not answer"):
        await start_edge(http_host=PUBLIC, router_target="127.0.0.1:1", router_wait=0.2)


async def test_it_waits_for_a_router_that_starts_later(
    start_edge: StartEdge, http: aiohttp.ClientSession
) -> None:
    late = FakeRouter(status=RouterStatus(checks_keys=True, serves_list=True))
    late.port = lasting_port()
    starting = asyncio.create_task(
        start_edge(http_host=PUBLIC, router_target=f"127.0.0.1:{late.port}", router_wait=20.0)
    )
    server = await late.start()

    edge = await soon(starting)

    async with http.get(edge.url + "/readyz") as response:
        assert response.status == 200
    await server.stop(None)


async def test_on_loopback_no_router_is_asked(start_edge: StartEdge) -> None:
    edge = await start_edge(router_target="127.0.0.1:1")

    assert edge.port > 0


async def test_a_port_in_use_is_an_os_error(router: FakeRouter) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        config = EdgeConfig(http_port=taken.getsockname()[1])
        async with open_channel(config) as channel:
            app = EdgeApp(config, channel, CollectorRegistry())
            with pytest.raises(OSError, match="in use"):
                await app.start()
            await app.close()


async def test_a_drain_lets_requests_end_and_takes_no_new_ones(
    start_edge: StartEdge, router: FakeRouter
) -> None:
    edge = await start_edge()
    stall = Stall(chunks(b"{}"))
    router.stream = stall.stream
    idle = await RawClient.connect(edge)
    await idle.send(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
    assert (await idle.read_answer()).status == 200
    busy = await RawClient.connect(edge)
    await busy.post(b'{"stream":true}')
    await busy.read_head()

    draining = asyncio.create_task(edge.app.drain())

    assert await idle.is_closed_by_peer()
    with pytest.raises(ConnectionRefusedError):
        await RawClient.connect(edge)
    assert not draining.done()
    stall.release.set()
    assert b"data: [DONE]\n\n" in await busy.read_rest()
    await soon(draining)
    idle.leave()
    busy.leave()


async def test_a_drain_sends_what_is_already_answered(
    start_edge: StartEdge, router: FakeRouter
) -> None:
    edge = await start_edge()
    body = b"x" * 32 * 1024 * 1024
    router.will_answer(body)
    client = await RawClient.connect(edge, receive_buffer=65536)
    await client.post(b"{}")
    await client.read_head()

    draining = asyncio.create_task(edge.app.drain())

    assert len(await client.read_rest()) == len(body)
    await soon(draining)
    client.leave()


async def test_an_answer_during_a_drain_closes_its_connection(
    start_edge: StartEdge, router: FakeRouter
) -> None:
    edge = await start_edge()
    stall = Stall()
    router.answer = stall.answer
    client = await RawClient.connect(edge)
    await client.post(b"{}")
    await soon(stall.entered.wait())
    idle = await RawClient.connect(edge)

    draining = asyncio.create_task(edge.app.drain())
    assert await idle.is_closed_by_peer()
    stall.release.set()

    answer = await client.read_answer()
    assert answer.status == 200
    assert answer.headers["connection"] == "close"
    assert await client.is_closed_by_peer()
    await soon(draining)
    client.leave()
    idle.leave()


async def test_a_drain_ends_what_does_not_end_in_time_and_says_so(
    start_edge: StartEdge, router: FakeRouter
) -> None:
    edge = await start_edge(drain_seconds=0.05)
    stall = Stall()
    router.answer = stall.answer
    client = await RawClient.connect(edge)
    await client.post(b"{}")
    await soon(stall.entered.wait())

    await soon(edge.app.drain())

    await soon(stall.cancelled.wait())
    answer = await client.read_answer()
    assert answer.status == 503
    assert b"stopping" in answer.body
    assert await client.is_closed_by_peer()
    client.leave()


async def test_draining_and_closing_twice_does_no_harm(start_edge: StartEdge) -> None:
    edge = await start_edge()

    await edge.app.drain()
    await edge.app.drain()
    await edge.app.close()

    assert repr(edge.app) == "<EdgeApp 127.0.0.1 <InFlight 0 draining>>"


async def test_a_closed_channel_is_told_as_a_gateway_that_fails(
    start_edge: StartEdge, router: FakeRouter, http: aiohttp.ClientSession
) -> None:
    stall = Stall()
    router.answer = stall.answer
    config = EdgeConfig(http_port=0, router_target=f"127.0.0.1:{router.port}")
    channel = open_channel(config)
    app = EdgeApp(config, channel, CollectorRegistry())
    port = await app.start()
    asking = asyncio.create_task(http.post(f"http://127.0.0.1:{port}/v1/chat/completions", json={}))
    await soon(stall.entered.wait())

    await channel.close()

    response = await soon(asking)
    assert response.status == 503
    assert response.headers["retry-after"] == "1"
    response.release()
    await app.close()


@pytest.mark.parametrize(
    ("template", "path", "matches"),
    [
        ("/v1/models", "/v1/models", True),
        ("/v1/models", "/v1/modelsx", False),
        ("/v1/models/{id=**}", "/v1/models/a/b", True),
        ("/v1/models/{id=**}", "/v1/models/", False),
        ("/a.b", "/axb", False),
    ],
)
def test_a_path_template_matches_whole_paths(template: str, path: str, matches: bool) -> None:
    assert bool(re.fullmatch(path_pattern(template), path)) == matches


def test_each_path_has_one_handler() -> None:
    handlers: dict[str, set[type]] = {}
    for route in ROUTES:
        handlers.setdefault(route.path, set()).add(route.handler)

    assert all(len(found) == 1 for found in handlers.values())
