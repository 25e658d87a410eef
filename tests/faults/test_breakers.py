"""Breakers open on what is broken, are seen everywhere, and close by real traffic alone."""

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.faults.places import Places, places
from tests.faults.test_retries_and_fallback import DOWN, LIMITED, WHOLE
from tests.support.gateway import Gateway
from tests.support.one_provider import PATIENCE, request
from tests.support.typed import stubs
from tests.support.upstream import Connection, Request, Upstream, hang, in_turn, reply, reset
from trunkline.v1 import model_service_pb2 as models

ONCE = {"retries": 0}


async def ask(made: Places, times: int = 1) -> list[int]:
    return [(await made.gateway.post(request()))[0] for _ in range(times)]


async def ready(gateway: Gateway) -> dict[str, object]:
    async with gateway.http.get(f"{gateway.url}/readyz") as response:
        assert response.status == 200
        said: dict[str, object] = await response.json()
        return said


async def metrics(gateway: Gateway) -> list[str]:
    async with gateway.http.get(f"{gateway.url}/metrics") as response:
        return (await response.text()).splitlines()


async def deployments(gateway: Gateway) -> list[models.Deployment]:
    async with stubs(gateway.grpc) as client:
        answer = await client.models.GetModel(models.GetModelRequest(id="m"))
        return list(answer.model.deployments)


async def test_a_deployment_that_fails_is_left_alone_and_the_other_serves(tmp_path: Path) -> None:
    async with places(tmp_path, {"a": DOWN, "b": WHOLE}, config=ONCE) as made:
        statuses = await ask(made, 15)
        said, lines, (a, b) = (
            await ready(made.gateway),
            await metrics(made.gateway),
            await deployments(made.gateway),
        )

    assert statuses == [200] * 15
    assert made.counts() == {"a": 10, "b": 15}
    assert said["status"] == "degraded"
    assert "a/m-at-a: its breaker is open" in str(said["degraded"])
    assert 'trunkline_deployment_breaker{deployment="a/m-at-a"} 2.0' in lines
    assert 'trunkline_deployment_breaker{deployment="b/m-at-b"} 0.0' in lines
    assert a.state == models.DEPLOYMENT_STATE_BREAKER_OPEN
    assert (a.unavailable_reason, a.retry_in_seconds > 0) == ("its breaker is open", True)
    assert (b.state, b.unavailable_reason) == (models.DEPLOYMENT_STATE_READY, "")


async def test_nobody_there_opens_a_breaker_after_five(tmp_path: Path) -> None:
    async with places(tmp_path, {"a": WHOLE, "b": WHOLE}, config=ONCE) as made:
        await stop_listening(made.at["a"])
        statuses = await ask(made, 8)
        said = await ready(made.gateway)

    assert statuses == [200] * 8
    assert made.counts() == {"a": 0, "b": 8}
    assert "a/m-at-a: its breaker is open" in str(said["degraded"])


async def stop_listening(provider: Upstream) -> None:
    provider.server.close()
    await provider.server.wait_closed()


async def test_the_last_candidate_is_asked_whatever_its_breaker_says(tmp_path: Path) -> None:
    async with places(tmp_path, {"a": DOWN}, config=ONCE) as made:
        broken = await ask(made, 12)
        said = await ready(made.gateway)
        made.at["a"].script = WHOLE
        mended = await ask(made)
        after = await ready(made.gateway)

    assert broken == [502] * 12
    assert made.counts() == {"a": 13}
    assert said["status"] == "degraded"
    assert mended == [200]
    assert after == {"status": "ok", "degraded": []}


async def test_one_call_of_the_real_traffic_is_the_probe(tmp_path: Path) -> None:
    async with places(tmp_path, {"a": DOWN, "b": WHOLE}, config=ONCE) as made:
        await ask(made, 10)
        book = made.gateway.router.book
        (broken,) = [health for health in book.known() if health.breaker.is_open]
        broken.breaker.reopens_at = asyncio.get_running_loop().time()
        still_down = await ask(made, 3)
        a_after_probe = made.counts()["a"]
        made.at["a"].script = WHOLE
        broken.breaker.reopens_at = asyncio.get_running_loop().time()
        well = await ask(made, 3)

    assert still_down == well == [200] * 3
    assert a_after_probe == 11
    assert made.counts()["a"] == 14
    assert not broken.breaker.is_open


async def test_refusals_of_the_callers_faults_open_nothing(tmp_path: Path) -> None:
    refused = reply({"error": {"message": "no"}}, 400)
    async with places(tmp_path, {"a": refused, "b": WHOLE}, config=ONCE) as made:
        statuses = await ask(made, 30)
        said = await ready(made.gateway)

    assert statuses == [400] * 30
    assert said["status"] == "ok"


async def test_a_caller_who_gives_up_early_harms_nobody(tmp_path: Path) -> None:
    async with places(tmp_path, {"a": hang}, config=ONCE) as made:
        for _ in range(12):
            status, _, _ = await made.gateway.post(request(), x_trunkline_timeout="0.05")
            assert status == 504
        said = await ready(made.gateway)

    assert said["status"] == "ok"


async def test_a_limit_of_the_rate_cools_one_deployment_for_as_long_as_it_says(
    tmp_path: Path,
) -> None:
    async with places(tmp_path, {"a": in_turn(LIMITED, WHOLE), "b": WHOLE}) as made:
        statuses = await ask(made, 5)
        a, _ = await deployments(made.gateway)
        said = await ready(made.gateway)

    assert statuses == [200] * 5
    assert made.counts() == {"a": 1, "b": 5}
    assert a.state == models.DEPLOYMENT_STATE_SET_ASIDE
    assert 20 < a.retry_in_seconds <= 30
    assert "a/m-at-a: set aside after rate_limited" in str(said["degraded"])


async def test_a_model_that_is_gone_is_set_aside(tmp_path: Path) -> None:
    gone = reply({"error": {"message": "retired"}}, 410)
    async with places(tmp_path, {"a": gone, "b": WHOLE}) as made:
        statuses = await ask(made, 3)

    assert statuses == [200] * 3
    assert made.counts() == {"a": 1, "b": 3}


async def test_where_a_request_would_go_is_explained_without_asking_anybody(tmp_path: Path) -> None:
    config = {"fallbacks": {"m": {"general": ["n"], "context_window": ["n"]}}, "retries": 1}
    served = {"m": ["a", "b"], "n": ["c"]}
    scripts = {"a": reset, "b": WHOLE, "c": WHOLE}
    async with places(tmp_path, scripts, models=served, config=config) as made:
        before = await explain(made)
        await ask(made, 6)
        counts = made.counts()
        after = await explain(made)

        assert made.counts() == counts
    assert route_of(before["candidates"]) == [
        ("primary", "a"), ("primary", "b"), ("fallback", "c"), ("context_window", "c"),
    ]  # fmt: skip
    assert before["skipped"] == []
    assert (before["model"], before["retries"], before["balancing"]) == ("m", 1, "peak_ewma")
    assert before["candidates"][0]["dropped_params"] == []
    assert route_of(after["candidates"])[:2] == [("primary", "a"), ("primary", "b")]
    assert after["candidates"][1]["expected_ms"] > 0


async def test_an_explanation_says_why_somebody_is_passed_over(tmp_path: Path) -> None:
    async with places(tmp_path, {"a": LIMITED, "b": WHOLE}) as made:
        await ask(made)
        said = await explain(made)

    assert route_of(said["candidates"]) == [("primary", "b")]
    (skipped,) = said["skipped"]
    assert (skipped["provider"], skipped["reason"]) == ("a", "set aside after rate_limited")
    assert 20 < skipped["retry_in_seconds"] <= 30


async def explain(made: Places) -> dict[str, Any]:
    status, _, body = await made.gateway.post(request(), path="/v1/route:explain")
    assert status == 200
    said: dict[str, Any] = json.loads(body)
    return said


def route_of(entries: list[dict[str, Any]]) -> list[tuple[object, object]]:
    return [(entry["chain"], entry["provider"]) for entry in entries]


async def test_more_calls_than_a_deployment_may_have_go_to_another(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def held(asked: Request, connection: Connection) -> None:
        await gate.wait()
        await WHOLE(asked, connection)

    config = {"providers": {"a": {"max_concurrency": 1}}}
    async with places(tmp_path, {"a": held, "b": WHOLE}, config=config) as made:
        first = asyncio.create_task(made.gateway.post(request()))
        await asyncio.wait_for(made.at["a"].arrived.wait(), PATIENCE)
        second = await made.gateway.post(request())
        gate.set()
        status, headers, _ = await first

    assert (second[0], second[1]["x-trunkline-provider"]) == (200, "b")
    assert (status, headers["x-trunkline-provider"]) == (200, "a")
