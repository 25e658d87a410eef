"""The router as a whole: it starts with or without a list, and a drain cuts nobody off."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from structlog.testing import capture_logs

from launch.serve import new_metrics
from router.app import RouterApp
from router.config import ModelListConfig, RouterConfig
from tests.support.gateway import gateway, row, write_list
from tests.support.one_provider import (
    CONTENT,
    DONE,
    FINISH,
    PATIENCE,
    error_of,
    request,
    running,
)
from tests.support.typed import (
    everything,
    failure_of,
    posted,
    streamed,
    stubs,
    unary,
    until_failure,
)
from tests.support.upstream import Connection, Request, drip, hang, reply
from trunkline.v1 import model_service_pb2 as models


def config(state: Path, **fields: object) -> RouterConfig:
    return RouterConfig(state_dir=state, grpc_port=0, **fields)  # type: ignore[arg-type]


async def test_a_router_starts_drains_and_closes_however_often_it_is_closed(tmp_path: Path) -> None:
    app = RouterApp(config(tmp_path), new_metrics())
    port = await app.start()
    async with stubs(f"127.0.0.1:{port}") as client:
        listed = await client.models.ListModels(models.ListModelsRequest())
        assert app.status().serves_list
        await app.drain(5)
        with pytest.raises(grpc.aio.AioRpcError):
            await client.models.ListModels(models.ListModelsRequest())
    await app.close()
    await app.close()

    assert listed.generation == 1
    assert app.status().draining


async def test_a_router_that_never_started_can_be_closed(tmp_path: Path) -> None:
    await RouterApp(config(tmp_path), new_metrics()).close()


async def test_a_port_in_use_is_an_error_and_not_a_second_listener(tmp_path: Path) -> None:
    first = RouterApp(config(tmp_path / "first"), new_metrics())
    port = await first.start()
    second = RouterApp(RouterConfig(state_dir=tmp_path / "second", grpc_port=port), new_metrics())
    try:
        with pytest.raises(OSError, match="in use"):
            await second.start()
    finally:
        await second.close()
        await first.close()


async def test_ipv6_is_written_with_or_without_brackets(tmp_path: Path) -> None:
    for host in ("::1", "[::1]"):
        app = RouterApp(config(tmp_path, grpc_host=host), new_metrics())
        try:
            port = await app.start()
            async with stubs(f"[::1]:{port}") as client:
                await client.models.ListModels(models.ListModelsRequest())
        finally:
            await app.close()


@pytest.mark.parametrize("stream", [False, True])
async def test_without_any_list_a_call_is_told_to_come_back(
    tmp_path: Path, *, stream: bool
) -> None:
    environ = {"MODEL_LIST_URL": str(tmp_path / "none.json")}
    async with gateway(tmp_path, environ) as started, stubs(started.grpc) as client:
        with capture_logs() as logs:
            status, headers, body = await started.post(request(stream=stream))
            typed = await failure_of(client.chat.CreateChatCompletion(unary()))

    assert (status, error_of(body)["code"]) == (503, "no_healthy_deployment")
    assert int(headers["retry-after"]) >= 1
    assert (typed.code, typed.info.reason) == (
        grpc.StatusCode.UNAVAILABLE,
        "NO_HEALTHY_DEPLOYMENT",
    )
    assert typed.retry
    ended = [line["status"] for line in logs if line["event"] == "call_ended"]
    assert ended == ["NO_HEALTHY_DEPLOYMENT", "NO_HEALTHY_DEPLOYMENT"]


async def test_a_list_that_comes_later_is_served(tmp_path: Path) -> None:
    source = tmp_path / "models.json"
    listed = ModelListConfig(source=str(source))
    app = RouterApp(config(tmp_path / "state", model_list=listed), new_metrics())
    try:
        port = await app.start()
        assert not app.status().serves_list
        assert app.status().degraded
        write_list(source, [row("m", "/demo/v1/chat/completions", upstream_model="demo/echo")])
        await app.registry.refresh_now()
        async with stubs(f"127.0.0.1:{port}") as client:
            answer = await client.chat.CreateChatCompletion(unary("later"))
    finally:
        await app.close()

    assert answer.completion.choices[0].message.content == "later"
    assert app.status().generation == 1


class Relay:
    """A reader as slow as the test wants: what the router sends waits here until the gate is open."""

    def __init__(self, address: str) -> None:
        host, port = address.split(":")
        self._host, self._port = host, int(port)
        self.gate = asyncio.Event()
        self.gate.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.address = ""

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        router_reader, router_writer = await asyncio.open_connection(self._host, self._port)
        copying = (
            self._copy(reader, router_writer, is_held=False),
            self._copy(router_reader, writer, is_held=True),
        )
        for copy in copying:
            self._tasks.add(asyncio.create_task(copy, name="relay"))

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_held: bool
    ) -> None:
        try:
            while data := await reader.read(65536):
                if is_held:
                    await self.gate.wait()
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def relayed(address: str) -> AsyncIterator[Relay]:
    relay = Relay(address)
    server = await asyncio.start_server(relay.accept, "127.0.0.1", 0)
    relay.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield relay
    finally:
        server.close()
        await relay.close()
        await server.wait_closed()


async def test_a_drain_waits_for_a_slow_reader_of_a_large_answer(tmp_path: Path) -> None:
    whole = b'{"choices":[],"x":"' + b"x" * 30 * 1024 * 1024 + b'"}'
    options = (("grpc.max_receive_message_length", -1),)
    async with (
        running(tmp_path, reply(whole)) as (started, provider),
        relayed(started.grpc) as relay,
        stubs(relay.address, options) as client,
    ):
        await client.models.ListModels(models.ListModelsRequest())
        relay.gate.clear()
        call = client.forward.Forward(posted(json.dumps(request()).encode()))
        answering = asyncio.ensure_future(_result(call))
        await asyncio.wait_for(provider.arrived.wait(), PATIENCE)
        draining = asyncio.create_task(started.router.drain(10 * PATIENCE))
        idle = asyncio.create_task(started.router._door.wait_idle())
        # The call has been answered, and most of its answer waits for its reader.
        done, _ = await asyncio.wait({draining, answering, idle}, timeout=0.6)
        assert not done
        relay.gate.set()
        await asyncio.wait_for(asyncio.gather(draining, idle), PATIENCE)
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)


async def _result(call: grpc.aio.Call) -> bytes:
    answer = await call  # type: ignore[misc]  # (a unary call can be awaited; its stub's type does not say so)
    body: bytes = answer.body
    return body


async def test_a_drain_lets_a_stream_end_and_takes_no_new_calls(tmp_path: Path) -> None:
    finish = asyncio.Event()

    async def slow(request: Request, connection: Connection) -> None:
        await connection.head(200, {"content-type": "text/event-stream"})
        await connection.chunk(CONTENT)
        await finish.wait()
        await connection.chunk(FINISH + DONE)
        await connection.end()

    async with running(tmp_path, slow) as (started, _), stubs(started.grpc) as client:
        call = client.chat.StreamChatCompletion(streamed())
        first = await call.read()
        draining = asyncio.create_task(started.router.drain(PATIENCE))
        async with stubs(started.grpc) as late:
            while True:
                probe = late.models.ListModels(models.ListModelsRequest())
                if await probe.code() is not grpc.StatusCode.OK:
                    break
        assert not draining.done()
        finish.set()
        rest = await everything(call)
        await asyncio.wait_for(draining, PATIENCE)

    assert first.chunk.choices[0].delta.content == "hi"
    assert rest[-1].chunk.choices[0].finish_reason == "stop"


async def test_a_drain_that_takes_too_long_ends_what_is_left(tmp_path: Path) -> None:
    script = drip(CONTENT, then=hang)
    async with running(tmp_path, script) as (started, provider), stubs(started.grpc) as client:
        call = client.chat.StreamChatCompletion(streamed())
        await call.read()
        await asyncio.wait_for(started.router.drain(0.05), PATIENCE)
        await until_failure(call)
        await asyncio.wait_for(provider.left.wait(), PATIENCE)


async def test_a_drain_does_not_wait_for_those_who_only_watch(tmp_path: Path) -> None:
    async with gateway(tmp_path, {}) as started, stubs(started.grpc) as client:
        watch = client.models.WatchModels(models.WatchModelsRequest())
        await watch.read()
        await asyncio.wait_for(started.router.drain(10 * PATIENCE), PATIENCE)

        assert await watch.read() is grpc.aio.EOF


KEYS = {"TRUNKLINE_API_KEYS": "a-key-of-a-client"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("POST", "/v1/responses", 404),
        ("GET", "/v1/", 404),
        ("GET", "/v1/models/none/at/all", 404),
        ("DELETE", "/v1/models", 405),
        ("PUT", "/v1/models/demo/echo", 405),
        ("GET", "/v1/chat/completions", 405),
        ("PATCH", "/v1/chat/completions", 405),
    ],
)
async def test_which_paths_there_are_is_told_to_those_with_a_key(
    tmp_path: Path, method: str, path: str, status: int
) -> None:
    right = {"authorization": "Bearer a-key-of-a-client"}
    async with gateway(tmp_path, KEYS) as started:
        seen = []
        for headers in ({}, {"authorization": "Bearer no"}, right):
            url = started.url + path
            async with started.http.request(method, url, headers=headers) as response:
                seen.append((response.status, error_of(await response.read())["code"]))
                if response.status == 405:
                    assert response.headers["allow"]

    assert seen[:2] == [(401, "invalid_api_key")] * 2
    assert seen[2][0] == status
