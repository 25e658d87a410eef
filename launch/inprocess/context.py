"""What a servicer sees of its RPC: `grpc.aio.ServicerContext`."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, Never

import grpc

from launch.inprocess.metadata import Metadata, checked
from launch.inprocess.passing import Pass
from launch.inprocess.rpc import OK, Rpc, Status

_BY_NUMBER: Final = {code.value[0]: code for code in grpc.StatusCode}

PEER: Final = "inprocess:"


class Context(grpc.aio.ServicerContext[Any, Any]):
    """The servicer's side of one RPC."""

    def __init__(self, rpc: Rpc, pass_response: Pass) -> None:
        self._rpc = rpc
        self._pass_response = pass_response
        self._code: grpc.StatusCode | None = None
        self._details = ""
        self._trailing: Metadata = ()
        self._is_answered = False
        self.aborted: grpc.aio.AbortError | None = None
        self.callbacks: list[Callable[[], object]] = []

    def __repr__(self) -> str:
        return f"<Context of {self._rpc.method}>"

    # What came

    def invocation_metadata(self) -> Any:
        return self._rpc.invocation

    def time_remaining(self) -> Any:
        remaining = self._rpc.time_remaining()
        return None if remaining is None else max(remaining, 0.0)

    def peer(self) -> str:
        return PEER

    def peer_identities(self) -> None:
        return None

    def peer_identity_key(self) -> None:
        return None

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        return {}

    async def read(self) -> Any:
        raise grpc.aio.UsageError("No method here has a stream of requests.")

    # What goes

    async def send_initial_metadata(self, initial_metadata: Any) -> None:
        self.raise_if_over()
        if self._rpc.initial is not None:
            raise grpc.aio.UsageError("Send initial metadata failed: already sent")
        self._rpc.start(checked(initial_metadata))

    async def write(self, message: Any) -> None:
        taken = self.offer(message)
        if taken is not None:
            await taken
            self.raise_if_over()

    def offer(self, message: Any) -> asyncio.Future[None] | None:
        """Begin to write: return what ends when a reader is there for `message`, None if one was."""
        rpc = self._rpc
        if rpc.status is not None:
            self.raise_if_over()
        if rpc.initial is None:
            rpc.start(())
        return rpc.offer(self._pass_response(message))

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        self._trailing = checked(trailing_metadata)

    def set_code(self, code: Any) -> None:
        self._code = (
            code
            if isinstance(code, grpc.StatusCode)
            else _BY_NUMBER.get(code, grpc.StatusCode.UNKNOWN)
        )

    def set_details(self, details: str) -> None:
        self._details = details

    def set_compression(self, compression: object) -> None:
        """Nothing is compressed that is not sent."""

    def disable_next_message_compression(self) -> None:
        """See `set_compression`."""

    async def abort(
        self, code: grpc.StatusCode, details: str = "", trailing_metadata: Any = ()
    ) -> Never:
        """End the RPC; raises what has to reach the caller of the servicer."""
        if self.aborted is not None:
            raise grpc.aio.UsageError("Abort already called!")
        if code is OK:
            raise ValueError("An RPC cannot be aborted with OK.")
        if trailing_metadata:
            self.set_trailing_metadata(trailing_metadata)
        self.set_code(code)
        self._details = details or self._details
        self.aborted = grpc.aio.AbortError("Locally aborted.")
        self.finish(self._code or grpc.StatusCode.UNKNOWN, self._details)
        raise self.aborted

    async def abort_with_status(self, status: Any) -> Never:
        await self.abort(status.code, status.details, status.trailing_metadata)

    # How it ends

    def code(self) -> Any:
        return self._code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> Any:
        return self._trailing

    def done(self) -> bool:
        return self._is_answered

    def cancelled(self) -> bool:
        return self._code is grpc.StatusCode.CANCELLED

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        """Have `callback` called with this context when the servicer has ended."""
        self.callbacks.append(partial(callback, self))

    def raise_if_over(self) -> None:
        """Raise what ended this RPC, should a servicer go on after it."""
        if self.aborted is not None:
            raise self.aborted
        if self._is_answered:
            raise grpc.aio.UsageError("RPC already finished.")
        if self._rpc.status is not None:
            raise grpc.aio.InternalError("The caller is gone.")

    def finish(self, code: grpc.StatusCode | None = None, details: str | None = None) -> None:
        """Answer with a status: the one that was set, or OK, unless another is given."""
        self._is_answered = True
        self._rpc.end(
            Status(
                code or self._code or OK,
                self._details if details is None else details,
                self._trailing,
            )
        )

    def fail(self, code: grpc.StatusCode, details: str) -> None:
        """Answer with a failure that the servicer did not tell; a code that it has set stands."""
        if not self._is_answered:
            self.finish(self._code if self._code not in (None, OK) else code, details)

    def answer(self, message: Any) -> None:
        """Answer a unary RPC."""
        if self._code in (None, OK):
            self._rpc.response = self._pass_response(message)
        self.finish()
