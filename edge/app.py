"""Composition: builds the edge's object graph, listens, drains, closes."""

import asyncio
import resource
import sys

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from prometheus_client import CollectorRegistry

from edge.admission import Admission
from edge.channel import routers_of
from edge.config import EdgeConfig
from edge.cors import CorsPolicy
from edge.deadlines import Deadlines
from edge.handlers import EdgeContext
from edge.inflight import InFlight
from edge.listening import open_sockets
from edge.metrics import EdgeMetrics, Show
from edge.readiness import Check, ask_router
from edge.routes import Routes
from edge.server import EdgeServer
from trunkline.v1.forward_service_pb2_grpc import ForwardServiceStub
from trunkline.v1.model_service_pb2_grpc import ModelServiceStub

UNWIND_SECONDS = 1.0
"""For requests that were cut to see it and let go."""


class EdgeRefusedError(Exception):
    """The edge must not listen where it was told to."""


class EdgeApp:
    """An edge: HTTP on one port, one channel to the routers.

    Lives as long as the process: `start` once, `drain` to stop in good order, `close` at the end (also
    after a failed `start`). The channel and the registry stay the caller's; close the channel last. `show`
    gives what scrapers read; by default the registry.
    """

    def __init__(
        self,
        config: EdgeConfig,
        channel: grpc.aio.Channel,
        registry: CollectorRegistry,
        show: Show | None = None,
    ) -> None:
        self._config = config
        self._in_flight = InFlight()
        metrics = EdgeMetrics(registry, show)
        self._admission = Admission(config.limits, descriptor_limit(), metrics)
        self._context = EdgeContext(
            config=config,
            cors=CorsPolicy(config.cors_origins),
            in_flight=self._in_flight,
            metrics=metrics,
            admission=self._admission,
            bodies=Deadlines(config.limits.body_seconds),
            forward=ForwardServiceStub(channel),
            models=ModelServiceStub(channel),
            check_health=tuple(map(_health_check, routers_of(channel))),
        )
        self._server = EdgeServer(Routes(self._context).begin, config.limits, self._admission)

    def __repr__(self) -> str:
        return f"<EdgeApp {self._config.http_host} {self._in_flight!r}>"

    async def start(self) -> int:
        """Listens; returns the port.

        Raises EdgeRefusedError if others than this machine could reach a gateway that checks no keys, and
        OSError if the port is in use or the host is not here.
        """
        if self._config.is_beyond_loopback:
            await self._require_keys()
        sockets = await open_sockets(
            self._config.http_host, self._config.http_port, reuse_port=self._config.reuse_port
        )
        port = int(sockets[0].getsockname()[1])
        await self._server.listen(sockets)
        return port

    def reconfigure(self, config: EdgeConfig) -> None:
        """Goes by another configuration from the next request on. Host, port, router and body limit stay."""
        self._config = config
        self._context.config = config
        self._context.cors = CorsPolicy(config.cors_origins)
        self._admission.follow(config.limits)

    async def drain(self) -> None:
        """Stops accepting, waits for requests in flight (at most `drain_seconds`), then closes."""
        self._in_flight.is_draining = True
        self._server.stop()
        await self._server.close_connections(besides=self._in_flight.connections())
        if not await self._in_flight.wait_empty(self._config.drain_seconds):
            self._in_flight.cancel_calls()
            await self._in_flight.wait_empty(UNWIND_SECONDS)
        await self.close()

    async def close(self) -> None:
        """Closes at once: requests in flight are cut, their calls cancelled."""
        self._server.stop()
        await self._server.close_connections()
        await self._in_flight.wait_empty(UNWIND_SECONDS)
        self._context.bodies.stop()

    async def _require_keys(self) -> None:
        wait, checks = self._config.router_wait, self._context.check_health
        states = await asyncio.gather(*(ask_router(check, wait, waits=True) for check in checks))
        known = [state.checks_keys for state in states if state is not None]
        if known and all(known):
            return
        found = "checks no keys" if known else "does not answer, so it is unknown if it checks keys"
        raise EdgeRefusedError(
            f"TRUNKLINE_HTTP_HOST: got {self._config.http_host!r}, but the router {found};"
            " expected a loopback address, or TRUNKLINE_API_KEYS set for the router"
        )


def descriptor_limit() -> int:
    """How many descriptors this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else sys.maxsize


def _health_check(channel: grpc.aio.Channel) -> Check:
    # By hand: the health package's stub has no types for the asynchronous channel.
    return channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=HealthCheckRequest.SerializeToString,
        response_deserializer=HealthCheckResponse.FromString,
    )
