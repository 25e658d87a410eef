"""One RPC: what its two sides share. Lives from the call of a stub until both sides have let go of it.

Strategy: it ends once, by `end`, whoever comes first: the servicer with a status, the caller who cancels,
the deadline, a server that stops. What a caller does not hear any more is cancelled at the other side.

A message is taken from its writer when a reader is there for it: one is on its way at most.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

import grpc

from launch.inprocess.metadata import Metadata, Metadatum

T = TypeVar("T")

Sink = Callable[[Any], asyncio.Future[None] | None]
"""Takes a message; returns None, or what ends when the next one may come."""

OK: Final = grpc.StatusCode.OK
EOF: Final[Any] = grpc.aio.EOF


class Status(NamedTuple):
    """How an RPC ended."""

    code: grpc.StatusCode
    details: str = ""
    trailing: Metadata = ()
    is_local: bool = False
    """Cancelled by the caller, who sees `asyncio.CancelledError` for it."""


DEADLINE: Final = Status(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
CANCELLED: Final = Status(
    grpc.StatusCode.CANCELLED, "Locally cancelled by application!", is_local=True
)
FORGOTTEN: Final = Status(
    grpc.StatusCode.CANCELLED, "Cancelled upon garbage collection!", is_local=True
)


class Rpc:
    """The state of one RPC. `deadline` is a time of the loop's clock."""

    __slots__ = (
        "_ending",
        "_reader",
        "_sink",
        "_starting",
        "_timer",
        "_writer",
        "callbacks",
        "deadline",
        "fault",
        "initial",
        "invocation",
        "loop",
        "messages",
        "method",
        "response",
        "status",
        "task",
    )

    def __init__(self, method: str, loop: asyncio.AbstractEventLoop, timeout: float | None) -> None:
        self.method = method
        self.loop = loop
        self.invocation: tuple[Metadatum, ...] = ()
        self.initial: Metadata | None = None
        self.status: Status | None = None
        self.response: Any = None
        self.task: asyncio.Task[None] | None = None
        self.callbacks: list[Callable[[], object]] = []
        self._starting: list[asyncio.Future[Metadata]] = []
        self._ending: list[asyncio.Future[Status]] = []
        self.messages: list[Any] = []
        self._sink: Sink | None = None
        self.fault: BaseException | None = None
        self._reader: asyncio.Future[Any] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.deadline: float | None = None
        if timeout is not None:
            self.deadline = loop.time() + timeout
            if timeout > 0:
                self._timer = loop.call_at(self.deadline, self.abandon, DEADLINE)

    # How it begins and ends

    def start(self, metadata: Metadata) -> None:
        """Make initial metadata known to the caller."""
        self.initial = metadata
        wake(self._starting, metadata)

    def end(self, status: Status) -> bool:
        """End with `status`; return False if it has ended before."""
        if self.status is not None:
            return False
        self.status = status
        if self._timer is not None:
            self._timer.cancel()
        if self.initial is None:
            self.start(())
        self.messages.clear()
        self._sink = None
        wake(self._ending, status)
        self._end_reader()
        self._wake_writer()
        callbacks, self.callbacks = self.callbacks, []
        for callback in callbacks:
            callback()
        return True

    def abandon(self, status: Status) -> bool:
        """End with `status` from without, and cancel the servicer; return False if it has ended before."""
        has_ended = self.end(status)
        if has_ended and self.task is not None:
            self.task.cancel()
        return has_ended

    def time_remaining(self) -> float | None:
        """Return seconds until the deadline, None if there is none."""
        return None if self.deadline is None else self.deadline - self.loop.time()

    # What can be waited for: each waiter has a future of its own, which its task may cancel

    def started(self) -> asyncio.Future[Metadata]:
        """Return a future that gives the initial metadata."""
        return self._waiting(self._starting, self.initial)

    def ended(self) -> asyncio.Future[Status]:
        """Return a future that gives the status."""
        return self._waiting(self._ending, self.status)

    def _waiting(self, waiters: list[asyncio.Future[T]], known: T | None) -> asyncio.Future[T]:
        waiter: asyncio.Future[T] = self.loop.create_future()
        if known is None:
            waiters.append(waiter)
        else:
            waiter.set_result(known)
        return waiter

    # Streamed messages

    def offer(self, message: Any) -> asyncio.Future[None] | None:
        """Give a message to the reader; return what ends when it is there for it, None if it was.

        Raises:
            grpc.aio.UsageError: if another message is offered already.

        """
        if self._sink is not None:
            taken = self._pour(message)
            if taken is None:
                return None
            self._writer = self.loop.create_future()
            taken.add_done_callback(self._on_taken)
            return self._writer
        reader = self._reader
        if reader is not None:
            self._reader = None
            if not reader.done():
                reader.set_result(message)
                return None
        if self.messages:
            raise grpc.aio.UsageError("Another message is being written.")
        self.messages.append(message)
        self._writer = self.loop.create_future()
        return self._writer

    def pour_into(self, sink: Sink) -> None:
        """Have `sink` called with each message from now on, in the turn in which it is written.

        What `sink` returns is waited for before the next one. What it raises ends this RPC: its `fault`.

        Raises:
            grpc.aio.UsageError: if somebody reads messages already.

        """
        if self._sink is not None or self._reader is not None:
            raise grpc.aio.UsageError("Messages are being read already.")
        self._sink = sink
        if self.messages:
            taken = self._pour(self.messages.pop())
            if taken is None:
                self._wake_writer()
            else:
                taken.add_done_callback(self._on_taken)

    def _pour(self, message: Any) -> asyncio.Future[None] | None:
        assert self._sink is not None  # noqa: S101 (its callers have looked)
        try:
            return self._sink(message)
        except Exception as exc:  # noqa: BLE001 (it is raised where its caller waits)
            self._refuse(exc)
            return None

    def _on_taken(self, taken: asyncio.Future[None]) -> None:
        if taken.cancelled() or (failure := taken.exception()) is None:
            self._wake_writer()
        else:
            self._refuse(failure)

    def _refuse(self, failure: BaseException) -> None:
        self.fault = failure
        self.abandon(CANCELLED)

    def take(self) -> Any:
        """Return the message that is offered: the one in `messages`."""
        writer = self._writer
        if writer is not None and not writer.done():
            writer.set_result(None)
        return self.messages.pop()

    def awaited(self) -> asyncio.Future[Any]:
        """Return a future that gives the next message, `grpc.aio.EOF` when there is none any more.

        Raises:
            grpc.aio.UsageError: if somebody else waits for it.

        """
        if self._reader is not None or self._sink is not None:
            raise grpc.aio.UsageError("Another message is being read.")
        reader = self.loop.create_future()
        if self.status is not None:
            reader.set_result(EOF)
        else:
            self._reader = reader
        return reader

    def _end_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.set_result(EOF)

    def _wake_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None and not writer.done():
            writer.set_result(None)


def wake(waiters: list[asyncio.Future[T]], value: T) -> None:
    """Give `value` to all that wait for it."""
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(value)
    waiters.clear()
