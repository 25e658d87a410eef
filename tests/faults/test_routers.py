"""Routers that die, hang, stop, come back or have no list: what edges and their clients see of it.

Each test is a row of the matrix in docs/degraded.md. Routers are processes and die by signals; each has
a provider of its own, so that a test knows which router has a call.
"""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest

from edge.app import EdgeApp
from edge.channel import open_channel
from edge.config import EdgeConfig
from launch import config as configuration
from launch.serve import new_metrics
from tests.support.gateway import row, write_list
from tests.support.one_provider import CONTENT, DONE, FINISH, ROLE, error_of, frames, request
from tests.support.process import PATIENCE, Running, lasting_port, started
from tests.support.upstream import Script, Upstream, drip, hang, reply, upstream

ANSWER = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}}]}
WHOLE = drip(ROLE, CONTENT, FINISH + DONE)

KNOWN = (grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.TRANSIENT_FAILURE)
"""States of an edge's channel that has heard of its routers."""

KILLED_OR_HUNG = pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])


@dataclass
class Router:
    """A router's process, its provider, and how to start it again at the same address."""

    running: Running
    provider: Upstream
    start: Callable[[], Awaitable[Running]]

    async def kill(self) -> None:
        self.send(signal.SIGKILL)
        await self.running.end()

    async def stop(self) -> None:
        self.send(signal.SIGTERM)
        await self.running.end()

    async def start_again(self) -> None:
        self.running = await self.start()

    def send(self, number: signal.Signals) -> None:
        self.running.process.send_signal(number)


@dataclass
class Tiers:
    """An edge in this process, and the routers behind it."""

    url: str
    http: aiohttp.ClientSession
    routers: list[Router]

    async def chat(self, *, stream: bool = False, **fields: object) -> tuple[int, Any, bytes]:
        body = request(stream=stream, **fields)
        async with self.http.post(f"{self.url}/v1/chat/completions", json=body) as response:
            return response.status, response.headers, await response.read()

    async def get(self, path: str) -> tuple[int, Any]:
        async with self.http.get(self.url + path) as response:
            return response.status, await response.json()

    async def until_ready_says(self, *degraded: str) -> int:
        """Wait until /readyz names this and nothing else; return its status."""
        while True:
            status, body = await self.get("/readyz")
            if body["degraded"] == list(degraded):
                return status
            await asyncio.sleep(0.05)

    async def until_called(self, router: Router) -> None:
        """Make calls until one of them reaches `router`."""
        before = len(router.provider.requests)
        while len(router.provider.requests) == before:
            await self.chat()
            await asyncio.sleep(0.05)

    async def busy_and_idle(self) -> tuple[Router, Router]:
        """Wait until one of two routers has a call; give it, and the other one."""
        first, second = self.routers
        arrivals = [asyncio.ensure_future(r.provider.arrived.wait()) for r in (first, second)]
        await asyncio.wait(arrivals, return_when=asyncio.FIRST_COMPLETED)
        for arrival in arrivals:
            arrival.cancel()
        return (first, second) if first.provider.requests else (second, first)


@asynccontextmanager
async def tiers(
    tmp_path: Path, script: Script, *sources: str, **environ: str
) -> AsyncIterator[Tiers]:
    """Give an edge in front of two routers, each with a provider that follows `script`.

    `sources` are their model lists, in place of one that has the model.
    """
    listed = write_list(tmp_path / "models.json", [row("m", "/openai/v1/chat/completions")])
    async with AsyncExitStack() as stack:
        routers = await asyncio.gather(
            *(
                _router(
                    stack, tmp_path / str(number), script, {**environ, "MODEL_LIST_URL": source}
                )
                for number, source in enumerate(sources or (listed, listed))
            )
        )
        given = {"TRUNKLINE_ROUTER": ",".join(router.running.grpc for router in routers)}
        config = replace(
            configuration.load(given).edge, http_port=0, keepalive_time=1.0, keepalive_timeout=3.0
        )
        url = await stack.enter_async_context(_edge(config))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        async with asyncio.timeout(PATIENCE):
            yield Tiers(url, http, routers)


async def _router(
    stack: AsyncExitStack, state: Path, script: Script, environ: dict[str, str]
) -> Router:
    provider = await stack.enter_async_context(upstream(script))
    environ = {
        "TRUNKLINE_GRPC_PORT": str(lasting_port()),
        "TRUNKLINE_PROVIDERS__OPENAI__BASE_URL": provider.url,
        "OPENAI_API_KEY": "key",
        "TRUNKLINE_LOG_LEVEL": "error",
        **environ,
    }

    async def start() -> Running:
        return await stack.enter_async_context(started("router", state=state, **environ))

    return Router(await start(), provider, start)


@asynccontextmanager
async def _edge(config: EdgeConfig) -> AsyncIterator[str]:
    async with open_channel(config) as channel:
        # Until then a call may go to any router.
        while (state := channel.get_state(try_to_connect=True)) not in KNOWN:
            await channel.wait_for_state_change(state)
        app = EdgeApp(config, channel, new_metrics())
        try:
            yield f"http://127.0.0.1:{await app.start()}"
        finally:
            await app.close()


@KILLED_OR_HUNG
async def test_a_unary_call_whose_router_is_lost_is_answered_by_another(
    tmp_path: Path, fault: signal.Signals
) -> None:
    large = "x" * 900_000
    async with tiers(tmp_path, hang) as running:
        answering = asyncio.ensure_future(running.chat(user=large))
        busy, idle = await running.busy_and_idle()
        idle.provider.script = reply(ANSWER)
        busy.send(fault)
        status, _, body = await answering

        assert (status, json.loads(body)) == (200, ANSWER)
        assert [len(r.provider.requests) for r in (busy, idle)] == [1, 1]
        assert idle.provider.requests[0].fields["user"] == large


@KILLED_OR_HUNG
async def test_a_stream_whose_router_is_lost_before_the_first_content_comes_whole_from_another(
    tmp_path: Path, fault: signal.Signals
) -> None:
    async with tiers(tmp_path, drip(ROLE, then=hang)) as running:
        answering = asyncio.ensure_future(running.chat(stream=True))
        busy, idle = await running.busy_and_idle()
        idle.provider.script = WHOLE
        busy.send(fault)
        status, _, body = await answering

        assert (status, body) == (200, ROLE + CONTENT + FINISH + DONE)
        assert [len(r.provider.requests) for r in (busy, idle)] == [1, 1]


@KILLED_OR_HUNG
async def test_a_stream_whose_router_is_lost_after_content_ends_with_an_error_frame(
    tmp_path: Path, fault: signal.Signals
) -> None:
    async with (
        tiers(tmp_path, drip(ROLE, CONTENT, then=hang)) as running,
        running.http.post(
            f"{running.url}/v1/chat/completions", json=request(stream=True)
        ) as response,
    ):
        seen = b""
        while not seen.endswith(CONTENT):
            seen += await response.content.readuntil(b"\n\n")
        busy, idle = await running.busy_and_idle()
        busy.send(fault)
        last = frames(await response.content.read())

        assert seen == ROLE + CONTENT
        assert [error_of(frame)["code"] for frame in last] == ["upstream_truncated"]
        assert idle.provider.requests == []


async def test_a_router_that_hung_takes_calls_again_once_it_goes_on(tmp_path: Path) -> None:
    async with tiers(tmp_path, hang) as running:
        answering = asyncio.ensure_future(running.chat())
        busy, idle = await running.busy_and_idle()
        idle.provider.script = busy.provider.script = reply(ANSWER)
        busy.send(signal.SIGSTOP)
        assert (await answering)[0] == 200
        place = running.routers.index(busy) + 1
        assert await running.until_ready_says(f"Router {place} of 2: No answer.") == 200

        busy.send(signal.SIGCONT)
        # It learns that its call was given up, and gives up its own.
        await busy.provider.left.wait()
        await running.until_called(busy)
        assert await running.until_ready_says() == 200


async def test_what_a_router_tells_of_a_failure_is_final(tmp_path: Path) -> None:
    async with tiers(tmp_path, reply({"error": {"message": "busy"}}, 503)) as running:
        status, headers, body = await running.chat()
        busy, idle = await running.busy_and_idle()

    assert (status, error_of(body)["message"]) == (503, "busy")
    assert not [name for name in headers if name.lower().startswith("grpc")]
    assert busy.provider.requests
    assert idle.provider.requests == []


async def test_one_of_two_routers_down_is_degraded_and_serves(tmp_path: Path) -> None:
    async with tiers(tmp_path, reply(ANSWER)) as running:
        first, second = running.routers
        assert await running.until_ready_says() == 200
        await second.kill()
        assert await running.until_ready_says("Router 2 of 2: No answer.") == 200
        assert [(await running.chat())[0] for _ in range(4)] == [200] * 4

        await second.start_again()
        await running.until_called(second)
        assert await running.until_ready_says() == 200
        await first.kill()
        assert await running.until_ready_says("Router 1 of 2: No answer.") == 200
        assert [(await running.chat())[0] for _ in range(4)] == [200] * 4


async def test_all_routers_down_is_said_at_once_and_over_when_one_is_back(tmp_path: Path) -> None:
    async with tiers(tmp_path, reply(ANSWER)) as running:
        for router in running.routers:
            await router.kill()
        for stream in (False, True):
            status, headers, body = await running.chat(stream=stream)
            assert (status, error_of(body)["code"]) == (503, "no_healthy_deployment")
            assert int(headers["retry-after"]) > 0
        assert await running.until_ready_says("No router answers.") == 503
        assert await running.get("/healthz") == (200, {"status": "ok"})

        await running.routers[0].start_again()
        await running.until_called(running.routers[0])
        assert await running.until_ready_says("Router 2 of 2: No answer.") == 200


async def test_all_routers_hung_is_said_instead_of_waited_for(tmp_path: Path) -> None:
    async with tiers(tmp_path, hang) as running:
        answering = asyncio.ensure_future(running.chat())
        await running.busy_and_idle()
        for router in running.routers:
            router.send(signal.SIGSTOP)
        for answer in (await answering, await running.chat()):
            assert (answer[0], error_of(answer[2])["code"]) == (503, "no_healthy_deployment")
        assert await running.until_ready_says("No router answers.") == 503


async def test_a_router_without_a_list_gets_no_calls_while_another_serves(tmp_path: Path) -> None:
    listed = write_list(tmp_path / "m.json", [row("m", "/openai/v1/chat/completions")])
    absent = tmp_path / "absent.json"
    async with tiers(
        tmp_path, reply(ANSWER), listed, str(absent), MODEL_LIST_REFRESH_SECONDS="0.2"
    ) as running:
        status, ready = await running.get("/readyz")
        assert (status, ready["status"]) == (200, "degraded")
        assert ready["degraded"][0] == "Router 2 of 2: No model list is served."
        for _ in range(4):
            assert (await running.chat())[0] == 200
            assert len((await running.get("/v1/models"))[1]["data"]) == 1

        write_list(absent, [row("m", "/openai/v1/chat/completions")])
        await running.until_called(running.routers[1])
        assert await running.until_ready_says() == 200


async def test_while_no_router_has_a_list_each_says_so_itself(tmp_path: Path) -> None:
    absent = str(tmp_path / "absent.json")
    async with tiers(tmp_path, reply(ANSWER), absent, absent) as running:
        status, headers, body = await running.chat()
        models = await running.get("/v1/models")
        ready, said = await running.get("/readyz")

    assert (status, error_of(body)["code"]) == (503, "no_healthy_deployment")
    assert "model list" in error_of(body)["message"]
    assert "retry-after" in headers
    assert models == (200, {"object": "list", "data": []})
    assert (ready, said["status"]) == (503, "unavailable")
    assert "Router 1 of 2: No model list is served." in said["degraded"]


async def test_a_router_that_stops_ends_its_calls_and_gets_no_new_ones(tmp_path: Path) -> None:
    finish = asyncio.Event()

    async def slow(*of_call: Any) -> None:
        await finish.wait()
        await reply(ANSWER)(*of_call)

    async with tiers(tmp_path, slow) as running:
        answering = asyncio.ensure_future(running.chat())
        busy, idle = await running.busy_and_idle()
        idle.provider.script = reply(ANSWER)
        busy.send(signal.SIGTERM)
        place = running.routers.index(busy) + 1
        assert await running.until_ready_says(f"Router {place} of 2: No answer.") == 200
        others = [(await running.chat())[0] for _ in range(4)]
        finish.set()

        assert others == [200] * 4
        assert (await answering)[0] == 200
        assert len(busy.provider.requests) == 1
        assert (await busy.running.end())[0] == 0
        assert await running.until_ready_says(f"Router {place} of 2: No answer.") == 200


async def test_a_call_that_outlasts_the_stop_of_its_router_is_answered_by_another(
    tmp_path: Path,
) -> None:
    async with tiers(tmp_path, hang, TRUNKLINE_DRAIN_SECONDS="0.2") as running:
        answering = asyncio.ensure_future(running.chat())
        busy, idle = await running.busy_and_idle()
        idle.provider.script = reply(ANSWER)
        busy.send(signal.SIGTERM)

        assert (await answering)[0] == 200


async def test_routers_that_are_restarted_one_after_the_other_lose_no_call(tmp_path: Path) -> None:
    is_over = False
    lost: list[bytes] = []

    async def trickle(running: Tiers, *, stream: bool) -> None:
        while not is_over:
            status, _, body = await running.chat(stream=stream)
            if status != 200:
                lost.append(body)
            await asyncio.sleep(0.02)

    async def answer(asked: Any, connection: Any) -> None:
        script = WHOLE if asked.fields.get("stream") else reply(ANSWER)
        await script(asked, connection)

    async with tiers(tmp_path, answer) as running:
        callers = [asyncio.ensure_future(trickle(running, stream=way)) for way in (False, True)]
        for router in running.routers:
            await router.stop()
            await router.start_again()
            await running.until_called(router)
        is_over = True
        await asyncio.gather(*callers)

    assert lost == []


async def test_a_request_that_was_arriving_when_a_gateway_began_to_stop_is_answered(
    tmp_path: Path,
) -> None:
    body = json.dumps({**request(), "model": "demo/echo"}).encode()
    async with started("serve", state=tmp_path) as running, asyncio.timeout(PATIENCE):
        host, port = running.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n"
            b"content-length: %d\r\n\r\n" % len(body)
        )
        assert b" 100 " in await reader.readuntil(b"\r\n\r\n")
        running.process.send_signal(signal.SIGTERM)
        await _until_refused(host, int(port))
        writer.write(body)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        status, _ = await running.end()

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert status == 0


async def _until_refused(host: str, port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except ConnectionError:
            return
        writer.close()
        with suppress(ConnectionError):  # it was waiting to be accepted
            await writer.wait_closed()
