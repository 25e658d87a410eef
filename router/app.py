"""The composition root of the router: the only module that knows all others.

It builds the object graph, starts, drains and closes it.
"""

import asyncio
import errno
import random
import time
from contextlib import suppress
from typing import Final

import grpc
from prometheus_client import CollectorRegistry, Gauge

from router.calls import Operation, Stage
from router.config import MESSAGE_MARGIN_BYTES, RouterConfig
from router.dispatch import DeploymentGauges, Dispatcher, Gates, Journal, Limits, World
from router.pipeline import Account, Admit, Authenticate, fold
from router.pipeline.models import get_model, list_models, refuse, watch_models
from router.pipeline.operation import by_operation
from router.providers import demo
from router.registry import Part, registry_of
from router.routing.health import HealthBook, Standing
from router.routing.snapshot import Snapshot
from router.rpc.door import Door
from router.rpc.server import Port, RpcServer, State
from router.transport.by_scheme import SchemeTransport
from router.transport.http import AiohttpTransport
from router.transport.signing import Signers
from router.transport.timed import TimedTransport
from router.values import Deployment
from trunkline.v1 import status_pb2

LAST_WORDS_SECONDS: Final = 5.0
"""How long an answer whose call has ended may take to leave the process: where a reader is slow, megabytes of
it stand in buffers. Only a peer that says nothing at all makes a stop take so long."""


class RouterApp:
    """A router. `start` it once, `drain` it when it is to stop, `close` it in the end.

    It serves its port, and the same through the servers that are given `beside` it. `part` is what it does
    for the model list, where others on this machine serve the same one.
    """

    def __init__(
        self,
        config: RouterConfig,
        metrics: CollectorRegistry,
        *beside: grpc.aio.Server,
        part: Part = Part.ALONE,
    ) -> None:
        self._config = config
        self._http = AiohttpTransport()
        self.registry = registry_of(part, config, self._http)
        self.authenticate = Authenticate(config.api_keys)
        self.book = HealthBook(random.random)
        self.world = self._world(metrics)
        self.admit = Admit(config.admission, metrics)
        self._is_draining = False
        self._show(metrics)
        self._announcing: asyncio.Task[None] | None = None
        self._door = Door(self._pipeline(metrics), lambda: self.registry.snapshot)
        self._rpc = RpcServer(
            self._door,
            self.authenticate,
            State(self.status, self._standing),
            port=Port(config.max_body_bytes + MESSAGE_MARGIN_BYTES, is_shared=config.reuse_port),
            beside=beside,
        )

    def _show(self, metrics: CollectorRegistry) -> None:
        registry = self.registry
        for name, words, value in (
            (
                "generation",
                "Number of the model list's state.",
                lambda: registry.snapshot.generation,
            ),
            ("models", "Models that are served.", lambda: len(registry.snapshot.models)),
            ("set_aside", "Rows that are not served.", lambda: len(registry.snapshot.set_aside)),
            (
                "degraded",
                "Whether something is wrong with the list.",
                lambda: len(registry.degraded()),
            ),
        ):
            gauge = Gauge(f"trunkline_model_list_{name}", words, registry=metrics)
            gauge.set_function(value)

    def _world(self, metrics: CollectorRegistry) -> World:
        return World(
            transport=SchemeTransport({"demo": TimedTransport(demo.answer)}, self._http),
            book=self.book,
            journal=Journal(metrics),
            limits=Limits(
                request=self._config.max_body_bytes,
                # What fits a message beside its envelope.
                answer=self._config.max_body_bytes + MESSAGE_MARGIN_BYTES // 2,
            ),
            gates=Gates(self._config.admission.deployment_queue),
            sign=Signers().sign,
            clock=time.time,
            random=random.random,
        )

    def _pipeline(self, metrics: CollectorRegistry) -> Stage:
        metrics.register(DeploymentGauges(self.book, time.monotonic))
        dispatcher = Dispatcher(self.world)
        terminal = by_operation({
            Operation.CHAT: dispatcher.chat,
            Operation.EMBEDDINGS: dispatcher.embeddings,
            Operation.EXPLAIN: dispatcher.explain,
            Operation.LIST_MODELS: list_models,
            Operation.GET_MODEL: get_model,
            Operation.WATCH_MODELS: watch_models(self.registry.watch),
            Operation.REFUSE: refuse,
        })  # fmt: skip
        return fold((Account(metrics), self.authenticate, self.admit), terminal)

    def _standing(self, deployment: Deployment) -> Standing:
        return self.book.standing(deployment, time.monotonic())

    def status(self) -> status_pb2.RouterStatus:
        """Say what the router is about."""
        return status_pb2.RouterStatus(
            checks_keys=self.authenticate.checks_keys,
            serves_list=self.registry.snapshot.generation > 0,
            draining=self._is_draining,
            generation=self.registry.snapshot.generation,
            degraded=(*self.registry.degraded(), *self.book.troubles(time.monotonic())),
        )

    async def reconfigure(self, config: RouterConfig) -> None:
        """Go by another configuration from the next call on; calls under way keep theirs.

        Ports, state directory and body limit stay as they are: they need a restart.

        Raises:
            ConfigError: if it cannot be used; nothing is changed then.

        """

        def at_swap() -> None:
            self.authenticate.follow(config.api_keys)
            self.admit.follow(config.admission)
            self.world.gates.queue = config.admission.deployment_queue

        is_moved = await self.registry.reconfigure(config, at_swap)
        if is_moved:
            await self.registry.move()

    def _forget_what_is_gone(self, snapshot: Snapshot) -> None:
        self.book.forget_all_but(snapshot.targets, time.monotonic())
        self.world.gates.forget_unused()

    async def start(self) -> int:
        """Load the list, then take calls; return the port.

        Raises:
            OSError: if the port cannot be had.

        """
        if self._config.reuse_port:
            # A bound port gets its share of the connections at once: not before they can be answered.
            await self.registry.start()
            port = self._bind()
        else:
            port = self._bind()
            await self.registry.start()
        await self._rpc.serve(is_serving=False)
        self._announcing = asyncio.create_task(self._announce(), name="announce-health")
        await self._rpc.start()
        return port

    def _bind(self) -> int:
        host, port = self._config.grpc_host.strip("[]"), self._config.grpc_port
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            return self._rpc.server.add_insecure_port(address)
        except RuntimeError as exc:
            raise OSError(errno.EADDRINUSE, "in use, or no address of this machine") from exc

    async def _announce(self) -> None:
        """Tell health watchers once a list is served, and forget what no list names any more."""
        async for snapshot in self.registry.watch():
            await self._rpc.serve(is_serving=True)
            self._forget_what_is_gone(snapshot)

    async def announce_drain(self) -> None:
        """Tell health checks that this router is about to stop, and end the watches of its list."""
        self._is_draining = True
        await self._rpc.health.enter_graceful_shutdown()
        await self.registry.close()

    async def drain(self, seconds: float) -> None:
        """Take no new calls and let those in flight end, at most `seconds` long."""
        await self.announce_drain()
        stopping = asyncio.create_task(self._rpc.stop(seconds), name="stop-rpc-server")
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._door.wait_idle()
        # The server waits for watchers too, who have no end of their own.
        self._rpc.health.end_watches()
        await self._rpc.stop(LAST_WORDS_SECONDS)
        await stopping

    async def close(self) -> None:
        """End what is left."""
        if self._announcing:
            self._announcing.cancel()
            with suppress(asyncio.CancelledError):
                await self._announcing
        await self._rpc.stop(None)
        await self.registry.close()
        await self._http.close()
