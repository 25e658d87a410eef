"""A client's connection: the least of HTTP/1.1 that tells when which bytes of an answer arrived."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter_ns
from typing import cast

_HEAD_END = b"\r\n\r\n"

Take = Callable[[bytes, int], None]
"""Takes bytes of a body, and when they came in nanoseconds."""


class BrokenError(Exception):
    """The connection ended inside an answer."""


@dataclass(slots=True)
class Answer:
    """What came back: `ended` in nanoseconds of the machine's clock, `size` of the body in bytes."""

    status: int = 0
    size: int = 0
    ended: int = 0


class Connection(asyncio.Protocol):
    """Sends a request and takes its answer, one at a time."""

    def __init__(self) -> None:
        self._buffer = b""
        self._left: int | None = None
        self._is_chunked = False
        self._take: Take | None = None
        self._answer: Answer | None = None
        self._done: asyncio.Future[Answer] | None = None
        self.is_open = False

    async def exchange(self, request: bytes, take: Take | None = None) -> Answer:
        """Send `request`; return its answer once it is complete. `take` sees the body as it arrives.

        Raises:
            BrokenError: if the connection ends before.

        """
        self._answer, self._take, self._left = Answer(), take, None
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._done

    def close(self) -> None:
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._done and not self._done.done():
            self._done.set_exception(BrokenError("the connection ended inside an answer"))

    def data_received(self, data: bytes) -> None:
        now = perf_counter_ns()
        if self._answer is None:
            return
        if self._left is None:
            self._buffer += data
            end = self._buffer.find(_HEAD_END)
            if end < 0:
                return
            data = self._begin(self._buffer[:end].lower(), self._buffer[end + 4 :])
        if self._is_chunked:
            self._chunks(data, now)
        else:
            self._plain(data, now)

    def _begin(self, head: bytes, rest: bytes) -> bytes:
        assert self._answer  # noqa: S101 (set by whoever sent the request)
        self._answer.status = int(head[9:12])
        self._buffer = b""
        self._is_chunked = b"\r\ntransfer-encoding: chunked" in head
        found = head.find(b"\r\ncontent-length:")
        is_sized = found >= 0 and not self._is_chunked
        self._left = int(head[found + 17 :].partition(b"\r\n")[0]) if is_sized else 0
        return rest

    def _plain(self, data: bytes, now: int) -> None:
        self._left = (self._left or 0) - len(data)
        self._pass_on(data, now)
        if self._left <= 0:
            self._end(now)

    def _chunks(self, data: bytes, now: int) -> None:
        """Take the framing off: what arrived together is passed on together."""
        data = self._buffer + data
        at, parts, is_over = 0, [], False
        while True:
            line_end = data.find(b"\r\n", at)
            if line_end < 0:
                break
            size = int(data[at:line_end].partition(b";")[0], 16)
            end = line_end + 2 + size
            if len(data) < end + 2:
                break
            if size == 0:
                is_over = True
                break
            parts.append(data[line_end + 2 : end])
            at = end + 2
        self._buffer = b"" if is_over else data[at:]
        if parts:
            self._pass_on(b"".join(parts), now)
        if is_over:
            self._end(now)

    def _pass_on(self, data: bytes, now: int) -> None:
        assert self._answer  # noqa: S101 (set by whoever sent the request)
        self._answer.size += len(data)
        if self._take and data:
            self._take(data, now)

    def _end(self, now: int) -> None:
        answer, done = self._answer, self._done
        self._answer = self._take = None
        if answer and done and not done.done():
            answer.ended = now
            done.set_result(answer)


async def connect(port: int) -> Connection:
    """Open a connection to a port of this machine."""
    loop = asyncio.get_running_loop()
    return (await loop.create_connection(Connection, "127.0.0.1", port))[1]
