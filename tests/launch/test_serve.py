"""Topologies run until a signal: what they announce, in which order they drain, and how they end."""

import asyncio
import json
import os
import shlex
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from edge.app import EdgeRefusedError
from edge.metrics import show_of
from launch import config as configuration
from launch import serve
from launch.inprocess.channel import InProcessChannel
from router.app import RouterApp
from router.errors import ConfigError


def config(tmp_path: Path, **environ: str) -> configuration.Config:
    ports = {"TRUNKLINE_HTTP_PORT": "0", "TRUNKLINE_GRPC_PORT": "0"}
    return configuration.load({"TRUNKLINE_STATE_DIR": str(tmp_path), **ports, **environ})


async def signalled(stop: asyncio.Event) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    await stop.wait()


async def interrupted_twice(stop: asyncio.Event) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    await stop.wait()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.Event().wait()


async def done_at_once(stop: asyncio.Event) -> None:
    del stop


@pytest.mark.parametrize(
    ("topology", "status"),
    [(signalled, 0), (done_at_once, 0), (interrupted_twice, serve.EXIT_FORCED)],
)
def test_one_signal_ends_in_good_order_and_a_second_one_at_once(
    topology: serve.Running, status: int
) -> None:
    assert serve.run(topology) == status


@pytest.mark.parametrize(
    "error", [ConfigError("KEY", "'value'", "another"), EdgeRefusedError("not here")]
)
def test_what_cannot_start_says_why_in_one_line(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    async def refused(stop: asyncio.Event) -> None:
        raise error

    assert serve.run(refused) == serve.EXIT_CONFIG
    assert capsys.readouterr().err == f"trunkline: {error}\n"


class Recorder:
    """Stands in for both tiers and notes what is asked of them, in order."""

    def __init__(self, edge_takes: float) -> None:
        self.said: list[str] = []
        self.left: list[float] = []
        self.channel: object = None
        self._edge_takes = edge_takes

    @asynccontextmanager
    async def router_running(self, *_: object, **__: object) -> AsyncIterator[tuple[Any, int]]:
        self.said.append("router started")
        yield _RouterSide(self), 50051
        self.said.append("router closed")

    @asynccontextmanager
    async def edge_running(
        self, _config: object, channel: object, *_: object
    ) -> AsyncIterator[tuple[Any, int]]:
        self.channel = channel
        self.said.append("edge started")
        yield _EdgeSide(self), 8080
        self.said.append("edge closed")

    async def pass_time(self) -> None:
        await asyncio.sleep(self._edge_takes)


class _RouterSide:
    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.registry = SimpleNamespace(snapshot=SimpleNamespace(models=()))

    async def announce_drain(self) -> None:
        self._recorder.said.append("router announced")

    async def drain(self, seconds: float) -> None:
        self._recorder.said.append("router drained")
        self._recorder.left.append(seconds)


class _EdgeSide:
    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    async def drain(self) -> None:
        self._recorder.said.append("edge drained")
        await self._recorder.pass_time()


@pytest.mark.parametrize(
    ("budget", "edge_takes", "is_enough"),
    [("0.01", 0.05, lambda left: left == 0.0), ("600", 0.05, lambda left: 500 < left < 599.97)],
)
async def test_both_tiers_share_one_budget_and_the_edge_ends_first(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    budget: str,
    edge_takes: float,
    is_enough: Callable[[float], bool],
) -> None:
    recorder = Recorder(edge_takes)
    monkeypatch.setattr(serve, "router_running", recorder.router_running)
    monkeypatch.setattr(serve, "edge_running", recorder.edge_running)
    stop = asyncio.Event()
    stop.set()

    await serve.serve(config(tmp_path, TRUNKLINE_DRAIN_SECONDS=budget))(stop)

    assert recorder.said == [
        "router started",
        "edge started",
        "router announced",
        "edge drained",
        "router drained",
        "edge closed",
        "router closed",
    ]
    (left,) = recorder.left
    assert is_enough(left), left
    assert isinstance(recorder.channel, InProcessChannel)


def test_a_banner_says_where_the_tiers_listen_and_gives_a_line_that_can_be_run(
    tmp_path: Path,
) -> None:
    lines = serve.banner(config(tmp_path), http_port=1, grpc_port=2, metrics_port=3).splitlines()

    assert lines[:3] == [
        "Trunkline HTTP  http://127.0.0.1:1",
        "Trunkline metrics  http://127.0.0.1:3/metrics",
        "Trunkline gRPC  127.0.0.1:2",
    ]
    (line,) = [line for line in lines if "curl" in line]
    command = shlex.split(line)
    assert command[:2] == ["curl", "http://127.0.0.1:1/v1/chat/completions"]
    assert json.loads(command[command.index("-d") + 1])["messages"]


def test_a_banner_never_shows_a_key(tmp_path: Path) -> None:
    shown = serve.banner(config(tmp_path, TRUNKLINE_API_KEYS="canary-key"), http_port=1)

    assert "Bearer <key>" in shown
    assert "canary" not in shown


def test_a_tier_without_http_gives_no_line_to_try(
    tmp_path: Path,
) -> None:
    assert serve.banner(config(tmp_path), grpc_port=2) == "Trunkline gRPC  127.0.0.1:2\n"


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1:7"),
        ("0.0.0.0", "127.0.0.1:7"),
        ("::", "[::1]:7"),
        ("[::]", "[::1]:7"),
        ("::1", "[::1]:7"),
        ("[::1]", "[::1]:7"),
        ("localhost", "localhost:7"),
    ],
)
def test_a_listener_on_all_addresses_is_reached_on_loopback(host: str, address: str) -> None:
    assert serve.local_address(host, 7) == address


def test_each_gateway_of_a_process_has_metrics_of_its_own() -> None:
    first, second = serve.new_metrics(), serve.new_metrics()

    assert b"process_" in generate_latest(first)
    assert generate_latest(second).count(b"python_info{") == 1


@pytest.mark.parametrize("name", ["TRUNKLINE_HTTP_HOST", "TRUNKLINE_GRPC_HOST"])
def test_beyond_loopback_keys_are_required_on_either_port(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}.*TRUNKLINE_API_KEYS"):
        serve.require_keys_of(config(tmp_path, **{name: "0.0.0.0"}))

    serve.require_keys_of(config(tmp_path, **{name: "0.0.0.0", "TRUNKLINE_API_KEYS": "a-key"}))
    serve.require_keys_of(config(tmp_path, **{name: "::1"}))


async def test_a_port_in_use_is_told_by_the_name_of_its_variable(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        names = ("TRUNKLINE_GRPC_PORT", "TRUNKLINE_HTTP_PORT", "TRUNKLINE_METRICS_PORT")
        settings = config(tmp_path, **dict.fromkeys(names, port))
        metrics = serve.new_metrics()
        app = RouterApp(settings.router, CollectorRegistry())
        starts: list[AbstractAsyncContextManager[object]] = [
            serve.router_running(settings, metrics),
            serve.edge_running(settings, "127.0.0.1:1", metrics),
            serve.observed(settings, app, show_of(metrics)),
        ]
        for name, start in zip(names, starts, strict=True):
            with pytest.raises(ConfigError, match=rf"{name}.*{port}.*in use"):
                await start.__aenter__()
        await app.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
async def test_a_lone_router_is_watched_where_a_port_is_given_and_with_a_key_beyond_loopback(
    tmp_path: Path, host: str
) -> None:
    environ = {
        "TRUNKLINE_GRPC_HOST": host,
        "TRUNKLINE_API_KEYS": "a-key-of-a-client",
        "TRUNKLINE_METRICS_PORT": "0",
    }
    settings, metrics = config(tmp_path, **environ), serve.new_metrics()
    async with (
        serve.router_running(settings, metrics) as (app, _),
        serve.observed(settings, app, show_of(metrics)) as port,
        serve.observed(replace(settings, metrics_port=None), app, show_of(metrics)) as none,
        aiohttp.ClientSession() as http,
    ):
        url = f"http://127.0.0.1:{port}"
        async with http.get(f"{url}/readyz") as ready:
            assert ready.status == 200
        async with http.get(f"{url}/metrics") as shown:
            assert shown.status == (200 if host == "127.0.0.1" else 401)

    assert none is None
