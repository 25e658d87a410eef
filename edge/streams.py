"""A client's connection: stricter than Tornado's about line ends, and it knows when it stands still."""

import re
import socket
from asyncio import Future
from collections.abc import Awaitable
from time import monotonic

from tornado.httputil import HTTPInputError
from tornado.iostream import IOStream, StreamClosedError

from edge.deadlines import Deadlines

_BARE_LINE_END = re.compile(rb"(?<!\r)\n|\r(?!\n)")

_KEEP_ALIVE = (
    ("TCP_KEEPIDLE", 60),
    ("TCP_KEEPALIVE", 60),
    ("TCP_KEEPINTVL", 15),
    ("TCP_KEEPCNT", 4),
)
"""Options and their values, in seconds and probes: a client that vanished is noticed in two minutes. A
platform has those that it has; macOS calls the first one by the name of the second."""


class ClientStream(IOStream):
    """The stream of one accepted connection. Lives as long as the connection. `heads` bounds its waits for
    requests.
    """

    def __init__(self, connection: socket.socket, heads: Deadlines) -> None:
        super().__init__(connection)
        self._heads = heads
        self._moved = monotonic()

    def read_until_regex(self, regex: bytes, max_bytes: int | None = None) -> Awaitable[bytes]:
        """Reads the head of a request, which is all that is read this way.

        Raises HTTPInputError if a line of it ends in anything but CR LF: what stands in front of us may see
        two lines where we see one, or the other way round. Raises StreamClosedError if the client has left:
        Tornado would go on with what it sent ahead.
        """
        if self.closed():
            raise StreamClosedError
        return self._read_head(super().read_until_regex(regex, max_bytes))

    async def _read_head(self, reading: Awaitable[bytes]) -> bytes:
        self._heads.begin(self)
        try:
            head = await reading
        finally:
            self._heads.end(self)
        if _BARE_LINE_END.search(head):
            raise HTTPInputError("a line that does not end in CR LF")
        return head

    def write(self, data: bytes | memoryview) -> "Future[None]":
        if not self.writing():
            self._moved = monotonic()
        return super().write(data)

    def send(self, data: bytes) -> "Future[None] | None":
        """Writes what the system takes at once, which nearly always is all: then there is nothing to wait
        for, and Tornado need not be asked to wait. Otherwise returns what ends when the rest has left.

        Raises StreamClosedError if the client has left.
        """
        if self.writing() or self.closed():
            return self.write(data)
        try:
            sent = self.write_to_fd(memoryview(data))
        except OSError:
            sent = 0  # `write` meets it again, and knows what to do
        return None if sent == len(data) else self.write(memoryview(data)[sent:])

    def set_nodelay(self, value: bool) -> None:  # noqa: FBT001 (as the base has it)
        """Nothing: Tornado switches it on and off for each answer, and here it is always on."""

    def write_to_fd(self, data: memoryview) -> int:
        sent = super().write_to_fd(data)
        self._moved = monotonic()
        return sent

    def stalled_seconds(self) -> float:
        """How long the client has taken nothing of what waits for it; 0 if nothing does."""
        return monotonic() - self._moved if self.writing() else 0.0

    def has_left(self) -> bool:
        """Whether the client has closed its side, or is gone.

        Tornado sees that by itself, unless the client has sent more than one request: what lies in its buffer
        keeps it from reading on, up to the end.
        """
        if self.closed():
            return True
        try:
            return self.socket.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True


def set_options(connection: socket.socket) -> None:
    """Has the system send what is written at once, and notice a peer that vanishes without a word."""
    # Nagle's algorithm would hold a chunk back until the client has acknowledged the one before.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE:
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
