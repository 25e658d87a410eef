"""Overload is told at once; what was let in is answered."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc

from router.config import AdmissionConfig
from tests.faults.places import places
from tests.faults.test_retries_and_fallback import DOWN, WHOLE
from tests.support.one_provider import error_of, request
from tests.support.patience import until
from tests.support.typed import failure_of, stubs, unary
from tests.support.upstream import Connection, Request, Script

Answer = tuple[int, Any, bytes]


class Held:
    """A script that answers nobody until `open` is set."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    def script(self) -> Script:
        async def script(asked: Request, connection: Connection) -> None:
            await self.open.wait()
            await WHOLE(asked, connection)

        return script


async def test_beyond_concurrency_and_queue_calls_are_refused_at_once(tmp_path: Path) -> None:
    held = Held()
    config = {"limits": {"concurrency": 2, "queue": 1}}
    async with (
        places(tmp_path, {"a": held.script()}, config=config) as made,
        stubs(made.gateway.grpc) as client,
    ):
        inside = [asyncio.create_task(made.gateway.post(request())) for _ in range(2)]
        await until(lambda: made.counts()["a"] == 2)
        queued = asyncio.create_task(made.gateway.post(request()))
        await until(lambda: made.gateway.router.admit.gate.waiting == 1)
        status, headers, body = await made.gateway.post(request())
        typed = await failure_of(client.chat.CreateChatCompletion(unary()))
        listing = await made.gateway.http.get(f"{made.gateway.url}/v1/models")
        held.open.set()
        answered = [(await task)[0] for task in (*inside, queued)]

    assert (status, error_of(body)["code"], headers["retry-after"]) == (503, "overloaded", "1")
    assert (typed.code, typed.info.reason) == (grpc.StatusCode.UNAVAILABLE, "OVERLOADED")
    assert typed.retry
    assert listing.status == 200
    assert answered == [200, 200, 200]
    assert made.counts() == {"a": 3}


async def test_one_full_deployment_has_a_short_queue_of_its_own(tmp_path: Path) -> None:
    held = Held()
    config = {
        "limits": {"deployment_queue": 1},
        "providers": {"a": {"max_concurrency": 1}},
        "retries": 0,
    }
    async with places(tmp_path, {"a": held.script()}, config=config) as made:
        inside = asyncio.create_task(made.gateway.post(request()))
        await until(lambda: made.counts()["a"] == 1)
        queued = asyncio.create_task(made.gateway.post(request()))
        (gate,) = made.gateway.router.world.gates.known()
        await until(lambda: gate.waiting == 1)
        status, headers, body = await made.gateway.post(request())
        held.open.set()
        answered = [(await task)[0] for task in (inside, queued)]

    assert (status, error_of(body)["code"], headers["retry-after"]) == (503, "overloaded", "1")
    assert answered == [200, 200]
    assert (gate.inside, gate.waiting) == (0, 0)


async def test_another_queue_of_deployments_holds_after_a_reload(tmp_path: Path) -> None:
    held = Held()
    config = {"providers": {"a": {"max_concurrency": 1}}, "retries": 0}
    async with places(tmp_path, {"a": held.script()}, config=config) as made:
        router = made.gateway.router
        inside = asyncio.create_task(made.gateway.post(request()))
        await until(lambda: made.counts()["a"] == 1)
        await router.reconfigure(
            replace(router._config, admission=AdmissionConfig(deployment_queue=0))
        )
        status, _, body = await made.gateway.post(request())
        held.open.set()
        assert (await inside)[0] == 200
        (gate,) = router.world.gates.known()

    assert (status, error_of(body)["code"]) == (503, "overloaded")
    assert gate.queue == 0


async def test_a_caller_who_leaves_the_queue_gives_up_the_place(tmp_path: Path) -> None:
    held = Held()
    config = {"limits": {"concurrency": 1, "queue": 1}}
    async with places(tmp_path, {"a": held.script()}, config=config) as made:
        inside = asyncio.create_task(made.gateway.post(request()))
        await until(lambda: made.counts()["a"] == 1)
        gate = made.gateway.router.admit.gate
        gone = asyncio.create_task(made.gateway.post(request()))
        await until(lambda: gate.waiting == 1)
        gone.cancel()
        await until(lambda: gate.waiting == 0)
        held.open.set()
        assert (await inside)[0] == 200
        assert (await made.gateway.post(request()))[0] == 200

    assert (gate.inside, gate.waiting) == (0, 0)


async def test_a_full_model_is_waited_for_when_those_that_stand_in_for_it_fail(
    tmp_path: Path,
) -> None:
    held = Held()
    config = {
        "fallbacks": {"m": ["n"]},
        "providers": {"a": {"max_concurrency": 1}},
        "retries": 0,
    }
    scripts, models = {"a": held.script(), "b": DOWN}, {"m": ["a"], "n": ["b"]}
    async with places(tmp_path, scripts, models=models, config=config) as made:
        inside = asyncio.create_task(made.gateway.post(request()))
        await until(lambda: made.counts()["a"] == 1)
        queued = asyncio.create_task(made.gateway.post(request()))
        (gate,) = made.gateway.router.world.gates.known()
        await until(lambda: queued.done() or gate.waiting == 1)
        held.open.set()
        answered = [await task for task in (inside, queued)]

    assert [status for status, _, _ in answered] == [200, 200]
    assert [headers["x-trunkline-provider"] for _, headers, _ in answered] == ["a", "a"]
    assert made.counts() == {"a": 2, "b": 1}
