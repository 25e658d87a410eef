"""Runs tiers until a signal ends them: start, announce, wait, drain, stop.

SIGTERM and SIGINT drain: no new calls, those in flight end, at most `drain_seconds` long, exit status 0.
A second signal ends at once.
"""

import asyncio
import gc
import json
import shlex
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import grpc
import structlog
import uvloop
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from edge.app import EdgeApp, EdgeRefusedError
from edge.channel import open_channel
from edge.metrics import Show
from launch import descriptors, ports
from launch.config import Config, is_loopback, require_keys
from launch.inprocess import FORWARDED, InProcessServer
from launch.observe import Observed, listen
from launch.reload import ignore_hangups, reloading
from launch.seat import ALONE, Seat
from router.app import RouterApp
from router.config import MESSAGE_MARGIN_BYTES
from router.errors import ConfigError
from router.registry import Part

_LOG = structlog.get_logger("trunkline.launch")

GC_THRESHOLD: Final = 10_000
"""Objects more than there were at the last collection: a few hundred calls at once."""

EXIT_CONFIG: Final = 1
EXIT_FORCED: Final = 130

Running = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
"""A topology: starts its tiers, waits for the event, drains and closes."""


def new_metrics() -> CollectorRegistry:
    """Return a registry of this process: no global state, so that tests run several gateways in one."""
    disable_created_metrics()
    metrics = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=metrics)
    return metrics


def run(topology: Running) -> int:
    """Run `topology` until a signal; return the exit status."""
    descriptors.raise_limit()
    _spare_the_collector()
    try:
        return uvloop.run(_until_signal(topology))
    except KeyboardInterrupt:
        return EXIT_FORCED


def _spare_the_collector() -> None:
    """Leave what was made at the start out of every collection, and collect less often.

    A call makes some hundred objects that end with it, without the collector; its own rhythm (after 700)
    looks at all that is young several times per call.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 20)


async def _until_signal(topology: Running) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    ignore_hangups()
    running = asyncio.create_task(topology(stop), name="topology")

    def on_signal() -> None:
        if stop.is_set():
            running.cancel()
        stop.set()

    # Until the tiers run there is nothing to reload; by default the signal would end the process.
    loop.add_signal_handler(signal.SIGHUP, lambda: None)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    stopping = asyncio.create_task(stop.wait(), name="await-signal")
    await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    try:
        await running
    except asyncio.CancelledError:
        return EXIT_FORCED
    except (ConfigError, EdgeRefusedError) as exc:
        sys.stderr.write(f"trunkline: {exc}\n")
        return EXIT_CONFIG
    return 0


@asynccontextmanager
async def router_running(
    config: Config,
    metrics: CollectorRegistry,
    *beside: grpc.aio.Server,
    part: Part = Part.ALONE,
) -> AsyncIterator[tuple[RouterApp, int]]:
    """Give a started router, which serves through `beside` too, and its port; close it in the end."""
    app = RouterApp(config.router, metrics, *beside, part=part)
    try:
        try:
            port = await app.start()
        except OSError as exc:
            raise ports.cannot_listen(ports.GRPC, config, exc) from exc
        yield app, port
    finally:
        await app.close()


@asynccontextmanager
async def edge_running(
    config: Config,
    router: str | grpc.aio.Channel,
    metrics: CollectorRegistry,
    show: Show | None = None,
) -> AsyncIterator[tuple[EdgeApp, int]]:
    """Give a started edge of `router`, a gRPC target or a channel, and its port; close both in the end."""
    async with AsyncExitStack() as stack:
        channel = (
            open_channel(replace(config.edge, router_target=router))
            if isinstance(router, str)
            else router
        )
        stack.push_async_callback(channel.close)
        app = EdgeApp(config.edge, channel, metrics, show)
        stack.push_async_callback(app.close)
        try:
            port = await app.start()
        except OSError as exc:
            raise ports.cannot_listen(ports.HTTP, config, exc) from exc
        yield app, port


@asynccontextmanager
async def observed(config: Config, app: RouterApp, show: Show) -> AsyncIterator[int | None]:
    """Serve a lone router's metrics and readiness over HTTP, where a port for them is configured."""
    if config.metrics_port is None:
        yield None
        return
    host = config.router.grpc_host
    check = None if is_loopback(host) else app.authenticate.check
    try:
        shown = Observed(app.status, show, check, config.router.reuse_port)
        server, port = await listen(host, config.metrics_port, shown)
    except OSError as exc:
        raise ports.cannot_listen(ports.METRICS, config, exc) from exc
    try:
        yield port
    finally:
        server.stop()
        await server.close_all_connections()


def require_keys_of(config: Config) -> None:
    """Refuse to serve others than this machine without keys, on either port.

    Raises:
        ConfigError: naming both variables.

    """
    require_keys(
        config.router,
        ("TRUNKLINE_HTTP_HOST", config.edge.http_host),
        ("TRUNKLINE_GRPC_HOST", config.router.grpc_host),
    )


def local_server(config: Config) -> InProcessServer:
    """Return what a router serves an edge of the same process through; nothing passes a socket."""
    limit = config.router.max_body_bytes + MESSAGE_MARGIN_BYTES
    return InProcessServer(max_message_bytes=limit, handed_over=FORWARDED)


def serve(config: Config, seat: Seat = ALONE) -> Running:
    """Both tiers in one process, on one event loop; the edge calls the router without a socket."""

    async def topology(stop: asyncio.Event) -> None:
        require_keys_of(config)
        metrics = new_metrics()
        local = local_server(config)
        running = router_running(config, metrics, local, part=seat.part)
        async with running as (router, grpc_port):
            channel, show = local.open_channel(), seat.show(metrics)
            async with edge_running(config, channel, metrics, show) as (edge, http_port):

                async def apply(changed: Config) -> None:
                    require_keys_of(changed)
                    await router.reconfigure(changed.router)
                    edge.reconfigure(changed.edge)

                model = first_callable(router)
                text = banner(config, http_port=http_port, grpc_port=grpc_port, model=model)
                async with reloading(config, apply) as reloader:
                    announce(config, seat, text)
                    await stop.wait()
                seconds = reloader.config.router.drain_seconds
                _LOG.info("drain_started", seconds=seconds)
                # One budget for both: the edge's calls are the router's, and end first.
                until = asyncio.get_running_loop().time() + seconds
                await router.announce_drain()
                await edge.drain()
                await router.drain(max(0.0, until - asyncio.get_running_loop().time()))
        _LOG.info("stopped")

    return topology


def router(config: Config, seat: Seat = ALONE) -> Running:
    """The router tier alone."""

    async def topology(stop: asyncio.Event) -> None:
        require_keys(config.router, ("TRUNKLINE_GRPC_HOST", config.router.grpc_host))
        metrics = new_metrics()
        async with (
            router_running(config, metrics, part=seat.part) as (app, port),
            observed(config, app, seat.show(metrics)) as metrics_port,
        ):

            async def apply(changed: Config) -> None:
                require_keys(changed.router, ("TRUNKLINE_GRPC_HOST", changed.router.grpc_host))
                await app.reconfigure(changed.router)

            async with reloading(config, apply) as reloader:
                announce(config, seat, banner(config, grpc_port=port, metrics_port=metrics_port))
                await stop.wait()
            seconds = reloader.config.router.drain_seconds
            _LOG.info("drain_started", seconds=seconds)
            await app.drain(seconds)
        _LOG.info("stopped")

    return topology


def edge(config: Config, seat: Seat = ALONE) -> Running:
    """The edge tier alone."""

    async def topology(stop: asyncio.Event) -> None:
        metrics = new_metrics()
        target, show = config.edge.router_target, seat.show(metrics)
        async with edge_running(config, target, metrics, show) as (app, port):

            async def apply(changed: Config) -> None:
                app.reconfigure(changed.edge)

            async with reloading(config, apply) as reloader:
                announce(config, seat, banner(config, http_port=port))
                await stop.wait()
            _LOG.info("drain_started", seconds=reloader.config.edge.drain_seconds)
            await app.drain()
        _LOG.info("stopped")

    return topology


TOPOLOGIES: Final = {"serve": serve, "router": router, "edge": edge}
"""By the command that runs them."""


def local_address(host: str, port: int) -> str:
    """Return the address at which this machine reaches a listener on `host`."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "[::]": "::1"}.get(host, host)  # noqa: S104 (compared, not bound)
    return f"[{host.strip('[]')}]:{port}" if ":" in host else f"{host}:{port}"


def announce(config: Config, seat: Seat, text: str) -> None:
    """Tell users what they are to read, and of what is ignored."""
    for name in config.unknown_variables:
        _LOG.warning("unknown_variable_ignored", variable=name)
    seat.announce(text)


def banner(
    config: Config,
    *,
    http_port: int | None = None,
    grpc_port: int | None = None,
    metrics_port: int | None = None,
    model: str = "<model>",
) -> str:
    """Return where the tiers listen and, where HTTP is served, a line to try `model` with."""
    lines = []
    if http_port is not None:
        lines.append(f"Trunkline HTTP  http://{local_address(config.edge.http_host, http_port)}")
    if metrics_port is not None:
        address = local_address(config.router.grpc_host, metrics_port)
        lines.append(f"Trunkline metrics  http://{address}/metrics")
    if grpc_port is not None:
        lines.append(f"Trunkline gRPC  {local_address(config.router.grpc_host, grpc_port)}")
    if http_port is not None:
        lines += ["", "Try it:", "", _curl(config, http_port, model), ""]
    return "\n".join(lines) + "\n"


def first_callable(app: RouterApp) -> str:
    """Return a model that a first request can be tried with."""
    for model in app.registry.snapshot.models:
        if any(d.provider.missing_variable is None for d in model.deployments):
            return model.id
    return "<model>"


def _curl(config: Config, http_port: int, model: str) -> str:
    address = local_address(config.edge.http_host, http_port)
    key = " -H 'authorization: Bearer <key>'" if config.router.api_keys else ""
    messages = [{"role": "user", "content": "Hello!"}]
    body = shlex.quote(json.dumps({"model": model, "messages": messages}))
    return f"  curl http://{address}/v1/chat/completions{key} -H 'content-type: application/json' -d {body}"
