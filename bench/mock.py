"""The provider: answers as it is told, and costs as little as Python can.

No framework: one protocol per connection, answers made once and kept. Each chunk of a stream carries the time
at which it was sent. Prints its port.
"""

import argparse
import asyncio
import json
import sys
from collections import deque
from functools import lru_cache
from time import perf_counter_ns
from typing import Final, cast

import uvloop

from bench.asks import STAMP, Orders, orders

_FLOOD: Final = 64
"""Chunks in one write of a stream without gaps."""

_FRAME: Final = {
    "id": "chatcmpl-bench",
    "object": "chat.completion.chunk",
    "created": 1_700_000_000,
}
_USAGE: Final = {"prompt_tokens": 9, "completion_tokens": 200, "total_tokens": 209}

_STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


def _answer(fields: object) -> bytes:
    body = json.dumps(fields).encode()
    head = (
        f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@lru_cache(maxsize=16)
def _whole(size: int) -> bytes:
    text = "It depends on the length of the rule. " * (size // 38 + 1)
    message = {"role": "assistant", "content": text[: max(1, size - 300)]}
    return _answer(
        {
            **_FRAME,
            "object": "chat.completion",
            "model": "bench-upstream",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": _USAGE,
        }
    )


@lru_cache(maxsize=1)
def _embeddings() -> bytes:
    vector = [round(0.001 * (i % 97) - 0.04, 6) for i in range(256)]
    data = [{"object": "embedding", "index": i, "embedding": vector} for i in range(2)]
    usage = {"prompt_tokens": 9, "total_tokens": 9}
    return _answer({"object": "list", "data": data, "model": "bench-upstream", "usage": usage})


def _framed(event: bytes) -> bytes:
    data = b"data: " + event + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(data), data)


def _chunk(choices: list[object], **more: object) -> bytes:
    return json.dumps({**_FRAME, "model": "bench-upstream", "choices": choices, **more}).encode()


def _delta(finish: str | None = None, **delta: str) -> dict[str, object]:
    return {"index": 0, "delta": delta, "finish_reason": finish}


_BLANK: Final = b"0" * 19
_BEFORE, _, _AFTER = _framed(
    _chunk([_delta(content=f"{STAMP.decode()}{_BLANK.decode()} coast")])
).partition(_BLANK)
_FIRST: Final = _framed(_chunk([_delta(role="assistant", content="")]))
_LAST: Final = (
    _framed(_chunk([_delta("stop")]))
    + _framed(_chunk([], usage=_USAGE))
    + _framed(b"[DONE]")
    + b"0\r\n\r\n"
)


def _text() -> bytes:
    return b"%b%019d%b" % (_BEFORE, perf_counter_ns(), _AFTER)


class _Connection(asyncio.Protocol):
    """Answers one request after the other."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._need = 0
        self._waiting: deque[tuple[bytes, Orders]] = deque()
        self._is_answering = False
        self._left = 0
        self._next = 0.0
        self._gap = 0.0
        self._is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._left = 0

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        if self._left and not self._gap:
            self._flood()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= self._need:
            head_end = self._buffer.find(b"\r\n\r\n")
            if head_end < 0:
                return
            head = bytes(self._buffer[:head_end]).lower()
            self._need = head_end + 4 + _length(head)
            if len(self._buffer) < self._need:
                return
            body = self._buffer[head_end + 4 : self._need]
            del self._buffer[: self._need]
            self._need = 0
            self._waiting.append((head, orders(body)))
            if not self._is_answering:
                self._take()
            if not self._buffer:
                return

    def _take(self) -> None:
        self._is_answering = bool(self._waiting)
        if self._waiting:
            head, told = self._waiting.popleft()
            if told.delay:
                self._loop.call_later(told.delay / 1000, self._answer, head, told)
            else:
                self._answer(head, told)

    def _answer(self, head: bytes, told: Orders) -> None:
        if self._transport.is_closing():
            return
        if told.chunks:
            self._begin_stream(told)
            return
        is_embedding = b"/embeddings" in head.partition(b"\r\n")[0]
        self._transport.write(_embeddings() if is_embedding else _whole(told.size))
        self._take()

    def _begin_stream(self, told: Orders) -> None:
        self._transport.write(_STREAM_HEAD + _FIRST)
        self._left = max(1, told.chunks - 3)
        self._gap = told.gap / 1000
        if self._gap:
            self._next = self._loop.time()
            self._tick()
        else:
            self._flood()

    def _tick(self) -> None:
        """Send one chunk; the next is due by the plan, however late this one is."""
        if not self._left:
            return
        self._transport.write(_text())
        self._left -= 1
        if self._left:
            self._next += self._gap
            self._loop.call_at(self._next, self._tick)
        else:
            self._end_stream()

    def _flood(self) -> None:
        while self._left and not self._is_paused:
            count = min(_FLOOD, self._left)
            self._left -= count
            self._transport.write(_text() * count)
            if not self._left:
                self._end_stream()

    def _end_stream(self) -> None:
        self._transport.write(_LAST)
        self._take()


def _length(head: bytes) -> int:
    found = head.find(b"\r\ncontent-length:")
    if found < 0:
        return 0
    return int(head[found + 17 :].partition(b"\r\n")[0])


async def _serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", port, backlog=4096)
    sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    uvloop.run(_serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
