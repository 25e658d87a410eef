"""What a caller sees of its RPC: the calls of `grpc.aio`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from functools import partial
from typing import Any

import grpc

from launch.inprocess.rpc import CANCELLED, EOF, FORGOTTEN, OK, Rpc, Sink, Status


class _Call(grpc.aio.Call):
    """The caller's side of one RPC. Who lets go of it cancels it."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def __repr__(self) -> str:
        status = self._rpc.status
        state = f"{status.code}, {status.details!r}" if status else "under way"
        return f"<{type(self).__name__} {self._rpc.method} [{state}]>"

    def __del__(self) -> None:
        if self._rpc.status is None and not self._rpc.loop.is_closed():
            self._rpc.abandon(FORGOTTEN)

    def cancel(self) -> bool:
        return self._rpc.abandon(CANCELLED)

    def cancelled(self) -> bool:
        status = self._rpc.status
        return status is not None and status.code is grpc.StatusCode.CANCELLED

    def done(self) -> bool:
        return self._rpc.status is not None

    def time_remaining(self) -> float | None:
        return self._rpc.time_remaining()

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        if self._rpc.status is not None:
            callback(self)
        else:
            self._rpc.callbacks.append(partial(callback, self))

    async def initial_metadata(self) -> grpc.aio.Metadata:
        initial = self._rpc.initial
        return grpc.aio.Metadata(*(await self._rpc.started() if initial is None else initial))

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        status = self._rpc.status or await self._rpc.ended()
        return grpc.aio.Metadata(*status.trailing)

    async def code(self) -> grpc.StatusCode:
        return (await self._rpc.ended()).code

    async def details(self) -> str:
        return (await self._rpc.ended()).details

    async def debug_error_string(self) -> str | None:
        return _debug_string(await self._rpc.ended())

    async def wait_for_connection(self) -> None:
        """Wait until the servicer has said something."""
        await self._rpc.started()
        if self._rpc.status is not None:
            self._raise_for(self._rpc.status)

    def _raise_for(self, status: Status) -> None:
        if status.is_local:
            raise asyncio.CancelledError
        if status.code is not OK:
            raise grpc.aio.AioRpcError(
                status.code,
                grpc.aio.Metadata(*self._rpc.initial or ()),
                grpc.aio.Metadata(*status.trailing),
                details=status.details,
                debug_error_string=_debug_string(status),
            )


class UnaryUnaryCall(_Call, grpc.aio.UnaryUnaryCall[Any, Any]):
    """A call with one answer; awaited, it gives it."""

    def __await__(self) -> Generator[Any, None, Any]:
        rpc = self._rpc
        try:
            status = rpc.status or (yield from rpc.ended())
        except asyncio.CancelledError:
            self.cancel()
            raise
        self._raise_for(status)
        return rpc.response


class UnaryStreamCall(_Call, grpc.aio.UnaryStreamCall[Any, Any]):
    """A call with a stream of answers: iterated or read, not both."""

    def __init__(self, rpc: Rpc) -> None:
        super().__init__(rpc)
        self._is_iterated: bool | None = None
        self._is_over = False

    def __aiter__(self) -> AsyncIterator[Any]:
        self._use(is_iterated=True)
        return self

    async def __anext__(self) -> Any:
        rpc = self._rpc
        if self._is_over:
            raise StopAsyncIteration
        # What `_next` does, without another coroutine for each message.
        if rpc.messages:
            return rpc.take()
        try:
            message = await rpc.awaited()
        except asyncio.CancelledError:
            self.cancel()
            raise
        if message is EOF:
            self._is_over = True
            self._raise_for(await self._rpc.ended())
            raise StopAsyncIteration
        return message

    async def pour(self, sink: Sink) -> None:
        """Give each message that is still to come to `sink`, in the turn in which it is written.

        In place of an iteration, which would wake a task for each message. `sink` returns None, or a future:
        the next message waits for its end. Raises what an iteration would, and what `sink` raises.
        """
        rpc = self._rpc
        self._use(is_iterated=True)
        if rpc.status is None:
            rpc.pour_into(sink)
        try:
            status = rpc.status or await rpc.ended()
        except asyncio.CancelledError:
            self.cancel()
            raise
        self._is_over = True
        fault, rpc.fault = rpc.fault, None
        if fault is not None:
            raise fault
        self._raise_for(status)

    async def read(self) -> Any:
        """Return the next message, `grpc.aio.EOF` at the end."""
        if self._rpc.status is None:
            self._use(is_iterated=False)
        message = await self._next()
        if message is EOF:
            self._raise_for(await self._rpc.ended())
        return message

    async def _next(self) -> Any:
        rpc = self._rpc
        if rpc.messages:
            return rpc.take()
        try:
            return await rpc.awaited()
        except asyncio.CancelledError:
            self.cancel()
            raise

    def _use(self, *, is_iterated: bool) -> None:
        if self._is_iterated is None:
            self._is_iterated = is_iterated
        elif self._is_iterated is not is_iterated:
            raise grpc.aio.UsageError(
                "The iterator and read/write APIs may not be mixed on a single RPC."
            )


def _debug_string(status: Status) -> str | None:
    if status.is_local:
        return None
    if status.code is OK:
        return ""
    return f"{status.code.name}:{status.details}" if status.details else status.code.name
