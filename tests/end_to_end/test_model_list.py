"""Whatever happens to the list's source: the gateway keeps serving, and `/readyz` says what is wrong."""

import json
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.support.gateway import Gateway, gateway, row
from tests.support.upstream import Script, hang, hang_up, reply, reset, upstream
from trunkline.v1 import model_service_pb2 as pb
from trunkline.v1 import model_service_pb2_grpc as pb_grpc

ROWS = [
    row(f"demo/m{i}", "/demo/v1/chat/completions", upstream_model="demo/echo") for i in range(10)
]


async def ready(started: Gateway) -> tuple[int, dict[str, Any]]:
    async with started.http.get(f"{started.url}/readyz") as response:
        return response.status, await response.json()


async def served(started: Gateway) -> dict[str, int]:
    async with started.http.get(f"{started.url}/v1/models") as response:
        return {model["id"]: model["created"] for model in (await response.json())["data"]}


async def answers(started: Gateway) -> bool:
    body = {"model": "demo/m0", "messages": [{"role": "user", "content": "hi"}]}
    return (await started.post(body))[0] == 200


def moved(location: str) -> Script:
    return reply(b"", 302, location=location)


BAD: dict[str, Script] = {
    "gone": hang_up,
    "reset": reset,
    "500": reply(b"oops", 500),
    "not json": reply(b"<html>"),
    "not a list": reply({"models": []}),
    "empty": reply([]),
    "all rows bad": reply([{"model_version": 1}] * 10),
    "shrunk": reply(ROWS[:4]),
    "moved away": moved("http://elsewhere.invalid/models.json"),
    "moved for ever": moved("/again"),
}


@pytest.mark.parametrize("trouble", BAD)
async def test_a_source_in_trouble_degrades_and_nothing_else(tmp_path: Path, trouble: str) -> None:
    async with upstream(reply(ROWS)) as source:
        environ = {"MODEL_LIST_URL": f"{source.url}/models.json"}
        async with gateway(tmp_path, environ) as started:
            before = await served(started)
            assert await ready(started) == (200, {"status": "ok", "degraded": []})
            source.script = BAD[trouble]
            await started.router.registry.refresh_now()

            status, state = await ready(started)
            assert (status, state["status"]) == (200, "degraded")
            assert "model list" in state["degraded"][0]
            assert await served(started) == before
            assert await answers(started)

            source.script = reply(ROWS)
            await started.router.registry.refresh_now()
            assert (await ready(started))[1] == {"status": "ok", "degraded": []}


@pytest.mark.parametrize("trouble", ["gone", "500", "empty", "shrunk"])
async def test_a_restart_serves_the_last_good_list_with_its_times(
    tmp_path: Path, trouble: str
) -> None:
    async with upstream(reply(ROWS)) as source:
        environ = {"MODEL_LIST_URL": f"{source.url}/models.json"}
        async with gateway(tmp_path, environ) as started:
            before = await served(started)
        source.script = BAD[trouble]
        async with gateway(tmp_path, environ) as restarted:
            assert (await ready(restarted))[1]["status"] == "degraded"
            assert await served(restarted) == before
            assert await answers(restarted)


async def test_without_any_list_the_process_stays_up_and_recovers(tmp_path: Path) -> None:
    async with upstream(hang_up) as source:
        environ = {"MODEL_LIST_URL": f"{source.url}/models.json"}
        async with gateway(tmp_path, environ) as started:
            status, state = await ready(started)
            assert status == 503
            assert any("source unreachable" in reason for reason in state["degraded"])
            assert await served(started) == {}
            assert (await started.post({"model": "demo/echo", "messages": []}))[0] == 503

            source.script = reply(ROWS)
            await started.router.registry.refresh_now()
            assert (await ready(started))[0] == 200
            assert await answers(started)


async def test_the_source_alone_gets_its_authorization_and_conditional_questions(
    tmp_path: Path,
) -> None:
    async with upstream(reply(ROWS, etag='"1"')) as source:
        environ = {
            "MODEL_LIST_URL": f"{source.url}/m?x=1",
            "MODEL_LIST_AUTHORIZATION": "Bearer list",
        }
        async with gateway(tmp_path, environ) as started:
            source.script = reply(b"", 304)
            await started.router.registry.refresh_now()

            assert await ready(started) == (200, {"status": "ok", "degraded": []})
            assert len(await served(started)) == 10

    first, second = source.requests
    assert first.headers["authorization"] == second.headers["authorization"] == "Bearer list"
    assert second.headers["if-none-match"] == '"1"'
    assert first.target == "/m?x=1"


async def test_watchers_get_each_new_state(tmp_path: Path) -> None:
    async with upstream(reply(ROWS)) as source:
        environ = {"MODEL_LIST_URL": f"{source.url}/models.json"}
        async with (
            gateway(tmp_path, environ) as started,
            grpc.aio.insecure_channel(started.grpc) as channel,
        ):
            watch: Any = pb_grpc.ModelServiceStub(channel).WatchModels(pb.WatchModelsRequest())
            first = await watch.read()
            source.script = reply(ROWS[:9])
            await started.router.registry.refresh_now()
            second = await watch.read()
            watch.cancel()

    assert (len(first.models), len(second.models)) == (10, 9)
    assert second.generation == first.generation + 1


async def test_a_slow_source_keeps_nobody_waiting_who_is_served(tmp_path: Path) -> None:
    async with upstream(reply(ROWS)) as source:
        environ = {"MODEL_LIST_URL": f"{source.url}/m", "MODEL_LIST_REFRESH_SECONDS": "0.01"}
        async with gateway(tmp_path, environ) as started:
            source.script = hang
            source.arrived.clear()
            await source.arrived.wait()

            assert len(await served(started)) == 10
            assert await answers(started)


def test_the_bundled_list_is_demo_alone() -> None:
    bundled = Path(__file__).resolve().parents[2] / "router" / "registry" / "bundled.json"

    assert all(r["handle"].startswith("/demo/") for r in json.loads(bundled.read_text()))
