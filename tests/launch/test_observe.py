"""A lone router can be watched over HTTP: health, readiness and metrics."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter

from edge.metrics import show_of
from launch.observe import Observed, listen
from router.pipeline import Authenticate
from router.values import Secret
from trunkline.v1.status_pb2 import RouterStatus

Check = Callable[[Secret | None], None]


@asynccontextmanager
async def observed(state: RouterStatus, check: Check | None = None) -> AsyncIterator[str]:
    metrics = CollectorRegistry()
    Counter("trunkline_tests", "Tests.", registry=metrics).inc()
    server, port = await listen("127.0.0.1", 0, Observed(lambda: state, show_of(metrics), check))
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()
        await server.close_all_connections()


async def get(url: str, **headers: str) -> tuple[int, str, Any]:
    async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as response:
        assert "server" not in response.headers
        return response.status, response.headers["content-type"], await response.text()


@pytest.mark.parametrize(
    ("state", "status", "told"),
    [
        (RouterStatus(serves_list=True), 200, {"status": "ok", "degraded": []}),
        (
            RouterStatus(serves_list=True, degraded=["list is old"]),
            200,
            {"status": "degraded", "degraded": ["list is old"]},
        ),
        (
            RouterStatus(degraded=["no list"]),
            503,
            {"status": "unavailable", "degraded": ["no list"]},
        ),
        (
            RouterStatus(serves_list=True, draining=True),
            503,
            {"status": "unavailable", "degraded": []},
        ),
    ],
    ids=["ok", "degraded", "no list", "draining"],
)
async def test_readiness_is_what_the_router_says_and_health_is_the_process(
    state: RouterStatus, status: int, told: dict[str, Any]
) -> None:
    async with observed(state) as url:
        got, _, body = await get(f"{url}/readyz")
        health = await get(f"{url}/healthz")

    assert (got, json.loads(body)) == (status, told)
    assert (health[0], json.loads(health[2])) == (200, {"status": "ok"})


async def test_metrics_are_shown_in_prometheus_own_form() -> None:
    async with observed(RouterStatus()) as url:
        status, kind, body = await get(f"{url}/metrics")

    assert (status, kind.startswith("text/plain")) == (200, True)
    assert "trunkline_tests_total 1.0" in body


async def test_metrics_need_a_key_where_keys_are_checked() -> None:
    check = Authenticate([Secret("a-key-of-a-client")]).check
    async with observed(RouterStatus(), check) as url:
        without = await get(f"{url}/metrics")
        wrong = await get(f"{url}/metrics", authorization="Bearer no")
        right = await get(f"{url}/metrics", authorization="Bearer a-key-of-a-client")
        assert (await get(f"{url}/healthz"))[0] == 200

    for status, _, body in (without, wrong):
        assert status == 401
        assert json.loads(body)["error"]["code"] == "invalid_api_key"
    assert right[0] == 200


async def test_any_other_path_is_not_there() -> None:
    async with observed(RouterStatus()) as url:
        status, kind, body = await get(f"{url}/v1/models")

    assert (status, kind) == (404, "application/json")
    assert json.loads(body)["error"]["type"] == "invalid_request_error"


async def test_a_port_in_use_is_an_error() -> None:
    async with observed(RouterStatus()) as url:
        port = int(url.rpartition(":")[2])
        taken = Observed(RouterStatus, show_of(CollectorRegistry()), None)
        with pytest.raises(OSError, match="in use"):
            await listen("127.0.0.1", port, taken)
