"""Collects servicers as a gRPC server does, and has them called by channels of the same process."""

import asyncio
import contextvars
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, Never

import grpc

from launch.inprocess.channel import InProcessChannel
from launch.inprocess.context import Context
from launch.inprocess.passing import Pass, TooLargeError, copying, hand_over
from launch.inprocess.rpc import Rpc, Status, wake
from launch.inprocess.serving import Answering, answering, run

_UNIMPLEMENTED: Final = Status(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
_AWAY: Final = Status(grpc.StatusCode.UNAVAILABLE, "The in-process server is not serving.")
_STOPPED: Final = Status(grpc.StatusCode.UNAVAILABLE, "Cancelling all calls")


class Route(NamedTuple):
    """How calls of one method by one stub get to their servicer and back."""

    answer: Answering
    pass_request: Pass
    pass_response: Pass
    task_name: str


class _Details(NamedTuple):
    """What generic handlers are asked with."""

    method: str
    invocation_metadata: Any = ()


class InProcessServer(grpc.aio.Server):
    """Serves the channels that it has opened, from `start` until `stop`.

    `max_message_bytes` bounds each message, None for no bound, besides those of the methods in `handed_over`
    (full names): their messages reach the other side as they are, neither copied nor measured.
    """

    def __init__(
        self, *, max_message_bytes: int | None = None, handed_over: frozenset[str] = frozenset()
    ) -> None:
        self._limit = max_message_bytes
        self._handed_over = handed_over
        self._generic: list[grpc.GenericRpcHandler] = []
        self._state = grpc.ChannelConnectivity.IDLE
        self._context = contextvars.Context()
        self._waiting: list[asyncio.Future[None]] = []
        self._running: dict[asyncio.Task[None], Rpc] = {}

    def __repr__(self) -> str:
        return f"<InProcessServer {self._state.name} [{len(self._running)} calls]>"

    # What grpc.aio.Server promises

    def add_generic_rpc_handlers(
        self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]
    ) -> None:
        self._generic.extend(generic_rpc_handlers)

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, Any]
    ) -> None:
        """Nothing besides: generated code registers the same handlers as generic ones before."""

    def add_insecure_port(self, address: str) -> Never:
        raise grpc.aio.UsageError("An in-process server has no ports.")

    def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> Never:
        self.add_insecure_port(address)

    async def start(self) -> None:
        """Take calls."""
        if self._state is not grpc.ChannelConnectivity.IDLE:
            raise grpc.aio.UsageError("An in-process server starts once.")
        # What servicers see of context variables is what stands here, as little as over a socket.
        self._context = contextvars.copy_context()
        self._change(grpc.ChannelConnectivity.READY)

    async def stop(self, grace: float | None) -> None:
        """Take no more calls; cancel those under way after `grace` seconds, at once if None."""
        self._change(grpc.ChannelConnectivity.TRANSIENT_FAILURE)
        if self._running and grace:
            await asyncio.wait(self._running, timeout=grace)
        for rpc in tuple(self._running.values()):
            rpc.abandon(_STOPPED)
        if self._running:
            await asyncio.wait(self._running)

    async def wait_for_termination(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 (as promised)
        """Wait until stopped and idle; return whether `timeout` seconds were too short for it."""
        try:
            async with asyncio.timeout(timeout):
                while self._state is not grpc.ChannelConnectivity.TRANSIENT_FAILURE:
                    await self.changed()
                if self._running:
                    await asyncio.wait(self._running)
        except TimeoutError:
            return True
        return False

    # What channels use

    def open_channel(self) -> grpc.aio.Channel:
        """Return a channel to this server; its user closes it."""
        return InProcessChannel(self)

    @property
    def state(self) -> grpc.ChannelConnectivity:
        """READY while calls are taken; IDLE before, TRANSIENT_FAILURE after."""
        return self._state

    def changed(self) -> asyncio.Future[None]:
        """Return a future that ends when the state may have changed."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        return waiter

    def wake_waiting(self) -> None:
        """Have those who wait for a change look again."""
        wake(self._waiting, None)

    def route(self, method: str, write: Any, parse: Any) -> Route | None:
        """Return the way to a method; `write` and `parse` are the stub's. None if there is no such method."""
        details: Any = _Details(method)
        found: Any = next(
            filter(None, (handler.service(details) for handler in self._generic)), None
        )
        if found is None:
            return None
        name = f"rpc {method}"
        if method in self._handed_over:
            return Route(answering(found), hand_over, hand_over, name)
        return Route(
            answering(found),
            copying(write, found.request_deserializer, self._limit),
            copying(found.response_serializer, parse, self._limit),
            name,
        )

    def begin(self, rpc: Rpc, request: Any, route: Route | None) -> None:
        """Have `request` answered in a task of its own, or end `rpc` at once."""
        if self._state is not grpc.ChannelConnectivity.READY:
            rpc.end(_AWAY)
        elif route is None:
            rpc.end(_UNIMPLEMENTED)
        else:
            try:
                request = route.pass_request(request)
            except TooLargeError as exc:
                rpc.end(Status(grpc.StatusCode.RESOURCE_EXHAUSTED, f"SERVER: Received {exc}"))
            else:
                self._run(rpc, request, route)

    def _run(self, rpc: Rpc, request: Any, route: Route) -> None:
        context = Context(rpc, route.pass_response)
        rpc.task = task = rpc.loop.create_task(
            run(rpc, context, request, route.answer),
            name=route.task_name,
            context=self._context.copy(),
        )
        self._running[task] = rpc

        def ended(task: asyncio.Task[None]) -> None:
            del self._running[task]
            # They refer to the context: one that kept them would lie here until the collector came.
            callbacks, context.callbacks = context.callbacks, []
            for callback in callbacks:
                callback()

        task.add_done_callback(ended)

    def _change(self, state: grpc.ChannelConnectivity) -> None:
        self._state = state
        self.wake_waiting()
