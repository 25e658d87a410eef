from contextlib import AsyncExitStack

import aiohttp
import pytest

from tests.edge.fake_router import FakeRouter
from tests.edge.running_edge import RunningEdge, StartEdge
from trunkline.v1.status_pb2 import RouterStatus


@pytest.fixture
async def public_edge(start_edge: StartEdge, router: FakeRouter) -> RunningEdge:
    assert router.status is not None
    router.status.checks_keys = True
    router.keys = frozenset({"Bearer key"})
    return await start_edge(http_host="0.0.0.0")


async def read_json(http: aiohttp.ClientSession, url: str) -> tuple[int, object]:
    async with http.get(url) as response:
        return response.status, await response.json()


async def test_the_process_is_healthy_whatever_the_router_does(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    router.status = RouterStatus(draining=True)

    assert await read_json(http, edge.url + "/healthz") == (200, {"status": "ok"})


@pytest.mark.parametrize(
    ("state", "answer"),
    [
        (RouterStatus(serves_list=True), (200, {"status": "ok", "degraded": []})),
        (
            RouterStatus(serves_list=True, degraded=["The list is old."]),
            (200, {"status": "degraded", "degraded": ["The list is old."]}),
        ),
        (
            RouterStatus(degraded=["The source is down."]),
            (
                503,
                {
                    "status": "unavailable",
                    "degraded": ["No model list is served.", "The source is down."],
                },
            ),
        ),
        (
            RouterStatus(serves_list=True, draining=True),
            (503, {"status": "unavailable", "degraded": ["The router is stopping."]}),
        ),
    ],
)
async def test_readiness_is_what_the_router_says_of_itself(
    edge: RunningEdge,
    http: aiohttp.ClientSession,
    router: FakeRouter,
    state: RouterStatus,
    answer: tuple[int, object],
) -> None:
    router.status = state

    assert await read_json(http, edge.url + "/readyz") == answer


async def test_without_a_router_the_edge_is_not_ready(
    start_edge: StartEdge, http: aiohttp.ClientSession
) -> None:
    edge = await start_edge(router_target="127.0.0.1:1")
    body = {"status": "unavailable", "degraded": ["No router answers."]}

    assert await read_json(http, edge.url + "/readyz") == (503, body)


OK = RouterStatus(serves_list=True)


@pytest.mark.parametrize(
    ("states", "answer"),
    [
        ((OK, OK), (200, "ok", [])),
        ((OK, None), (200, "degraded", ["Router 2 of 2: No answer."])),
        (
            (RouterStatus(serves_list=True, draining=True), OK),
            (200, "degraded", ["Router 1 of 2: The router is stopping."]),
        ),
        (
            (OK, RouterStatus(degraded=["The source is down."])),
            (
                200,
                "degraded",
                [
                    "Router 2 of 2: No model list is served.",
                    "Router 2 of 2: The source is down.",
                ],
            ),
        ),
        (
            (RouterStatus(), None),
            (
                503,
                "unavailable",
                ["Router 1 of 2: No model list is served.", "Router 2 of 2: No answer."],
            ),
        ),
        ((None, None), (503, "unavailable", ["No router answers."])),
    ],
)
async def test_of_several_routers_one_that_serves_is_enough_and_the_others_are_named(
    start_edge: StartEdge,
    http: aiohttp.ClientSession,
    states: tuple[RouterStatus | None, ...],
    answer: tuple[int, str, list[str]],
) -> None:
    async with AsyncExitStack() as stack:
        addresses = [await _address_of(state, stack) for state in states]
        edge = await start_edge(router_target="ipv4:" + ",".join(addresses))

        status, body = await read_json(http, edge.url + "/readyz")

    assert (status, body) == (answer[0], {"status": answer[1], "degraded": answer[2]})


async def _address_of(state: RouterStatus | None, stack: AsyncExitStack) -> str:
    """Start a router with this state; None: there is none."""
    if state is None:
        return "127.0.0.1:1"
    fake = FakeRouter(status=state)
    server = await fake.start()
    stack.push_async_callback(server.stop, None)
    return f"127.0.0.1:{fake.port}"


async def test_an_edge_that_drains_is_not_ready(
    edge: RunningEdge, http: aiohttp.ClientSession
) -> None:
    edge.app._in_flight.is_draining = True
    body = {"status": "unavailable", "degraded": ["The edge is stopping."]}

    assert await read_json(http, edge.url + "/readyz") == (503, body)


async def test_on_loopback_metrics_need_no_key(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    async with http.get(edge.url + "/metrics") as response:
        text = await response.text()

    assert response.status == 200
    assert response.content_type == "text/plain"
    assert "trunkline_edge_requests_in_flight 1.0" in text
    assert router.seen == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({"authorization": "Bearer no"}, 401), ({"authorization": "Bearer key"}, 200)],
)
async def test_beyond_loopback_metrics_need_a_key_that_the_router_knows(
    public_edge: RunningEdge,
    http: aiohttp.ClientSession,
    headers: dict[str, str],
    status: int,
) -> None:
    async with http.get(public_edge.url + "/metrics", headers=headers) as response:
        body = await response.text()

    assert response.status == status
    assert ("trunkline_edge" in body) == (status == 200)
    assert ("invalid_api_key" in body) == (status == 401)


async def test_beyond_loopback_health_and_readiness_need_none(
    public_edge: RunningEdge, http: aiohttp.ClientSession
) -> None:
    for path in ("/healthz", "/readyz"):
        async with http.get(public_edge.url + path) as response:
            assert response.status == 200
