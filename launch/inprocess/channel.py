"""The channel that stubs are made with: `grpc.aio.Channel`, to a server of the same process."""

import asyncio
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Never, Self

import grpc

from launch.inprocess.calls import UnaryStreamCall, UnaryUnaryCall
from launch.inprocess.metadata import checked
from launch.inprocess.rpc import CANCELLED, DEADLINE, Rpc, Status

if TYPE_CHECKING:
    from launch.inprocess.server import InProcessServer, Route

_READY = grpc.ChannelConnectivity.READY


class InProcessChannel(grpc.aio.Channel):
    """A channel to `server`. Lives until `close`, on one event loop."""

    def __init__(self, server: "InProcessServer") -> None:
        self.server = server
        self.under_way: set[Rpc] = set()
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<InProcessChannel {self.get_state().name} [{len(self.under_way)} calls]>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Take no more calls; cancel those under way after `grace` seconds, at once if None."""
        if self._is_closed:
            return
        self._is_closed = True
        if grace and self.under_way:
            await asyncio.wait([rpc.ended() for rpc in self.under_way], timeout=grace)
        for rpc in tuple(self.under_way):
            rpc.abandon(CANCELLED)
        self.server.wake_waiting()

    def raise_if_closed(self) -> None:
        """Raise UsageError once it is closed."""
        if self._is_closed:
            raise grpc.aio.UsageError("Channel is closed.")

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:  # noqa: FBT001, FBT002 (as promised)
        return grpc.ChannelConnectivity.SHUTDOWN if self._is_closed else self.server.state

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Wait until the state is another one."""
        self.raise_if_closed()
        while self.get_state() is last_observed_state:
            await self.server.changed()

    async def channel_ready(self) -> None:
        """Wait until calls are taken."""
        while (state := self.get_state()) is not _READY:
            await self.wait_for_state_change(state)

    def unary_unary(
        self,
        method: str,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: bool | None = False,  # noqa: FBT001, FBT002 (as generated code gives it)
    ) -> Any:
        return _Method(self, method, request_serializer, response_deserializer, UnaryUnaryCall)

    def unary_stream(
        self,
        method: str,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: bool | None = False,  # noqa: FBT001, FBT002 (likewise)
    ) -> Any:
        return _Method(self, method, request_serializer, response_deserializer, UnaryStreamCall)

    def stream_unary(self, *_: Any, **__: Any) -> Any:
        return _refuse

    def stream_stream(self, *_: Any, **__: Any) -> Any:
        return _refuse


class _Method:
    """Starts the calls of one method for one stub; a multi-callable, as grpc calls it."""

    def __init__(
        self,
        channel: InProcessChannel,
        method: str,
        write: Any,
        parse: Any,
        kind: Callable[[Rpc], UnaryUnaryCall | UnaryStreamCall],
    ) -> None:
        self._channel = channel
        self._method = method
        self._write = write
        self._parse = parse
        self._kind = kind
        self._route: Route | None = None

    def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,
        metadata: Any = None,
        wait_for_ready: bool | None = None,
        **_: Any,
    ) -> UnaryUnaryCall | UnaryStreamCall:
        """Start a call, which runs whether or not it is awaited. Raises UsageError on a closed channel."""
        channel = self._channel
        channel.raise_if_closed()
        rpc = Rpc(self._method, asyncio.get_running_loop(), timeout)
        try:
            rpc.invocation = checked(metadata)
        except grpc.aio.InternalError as exc:
            rpc.end(Status(grpc.StatusCode.INTERNAL, str(exc)))
        if timeout is not None and timeout <= 0:
            rpc.end(DEADLINE)
        if rpc.status is None:
            channel.under_way.add(rpc)
            rpc.callbacks.append(partial(channel.under_way.discard, rpc))
            if wait_for_ready and channel.get_state() is not _READY:
                waiting = self._begin_when_ready(rpc, request)
                rpc.task = rpc.loop.create_task(waiting, name="await-server")
            else:
                self._begin(rpc, request)
        return self._kind(rpc)

    def _begin(self, rpc: Rpc, request: Any) -> None:
        if self._route is None:
            self._route = self._channel.server.route(self._method, self._write, self._parse)
        self._channel.server.begin(rpc, request, self._route)

    async def _begin_when_ready(self, rpc: Rpc, request: Any) -> None:
        await self._channel.channel_ready()
        self._begin(rpc, request)


def _refuse(*_: Any, **__: Any) -> Never:
    raise NotImplementedError("An in-process channel carries no streams of requests.")
