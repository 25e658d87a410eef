"""What the load asks for, and how the mock is told what to answer: in the text, which all gateways pass on.

bench:chunks=203,gap=20;      a stream of 203 chunks, 20 ms apart; gap=0: as fast as they are taken
bench:size=1300,delay=500;    an answer of about 1,300 bytes, half a second later
"""

import json
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

MARK: Final = b"bench:"

MODEL: Final = "bench"
EMBEDDING_MODEL: Final = "bench-embed"

STAMP: Final = b"t="
"""Stands in a chunk's text before the time at which it was sent: nanoseconds of the machine's clock."""


class Ask(msgspec.Struct, frozen=True):
    """One request. Sizes in bytes, times in milliseconds; `chunks` above 0: a stream."""

    size: int = 300
    answer: int = 1300
    delay: int = 0
    chunks: int = 0
    gap: int = 0
    embeds: bool = False
    model: str = ""


class Orders(NamedTuple):
    """What the mock is told to do."""

    size: int = 1300
    delay: int = 0
    chunks: int = 0
    gap: int = 0


def request(ask: Ask, port: int, headers: dict[str, str]) -> bytes:
    """Return the bytes of an HTTP request for `ask`."""
    body = _body(ask)
    lines = [
        f"POST /v1/{'embeddings' if ask.embeds else 'chat/completions'} HTTP/1.1",
        f"host: 127.0.0.1:{port}",
        "content-type: application/json",
        "authorization: Bearer bench-client-key",
        *(f"{name}: {value}" for name, value in headers.items()),
        f"content-length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _body(ask: Ask) -> bytes:
    orders = f"bench:chunks={ask.chunks},gap={ask.gap},size={ask.answer},delay={ask.delay};"
    if ask.embeds:
        texts = [orders + " The cat sat on the mat." * 4] * 2
        return json.dumps({"model": ask.model or EMBEDDING_MODEL, "input": texts}).encode()
    text = ("How long is the coast of an island? " * (ask.size // 36 + 1))[: ask.size]
    fields: dict[str, object] = {
        "model": ask.model or MODEL,
        "messages": [{"role": "user", "content": f"{orders} {text}"}],
        "temperature": 0.5,
    }
    if ask.chunks:
        fields |= {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps(fields).encode()


def orders(body: bytes | bytearray) -> Orders:
    """Return what a request's body tells the mock to do; the defaults where it tells nothing."""
    start = body.find(MARK)
    return _parsed(bytes(body[start : body.find(b";", start)])) if start >= 0 else Orders()


@lru_cache(maxsize=1024)
def _parsed(text: bytes) -> Orders:
    pairs = (pair.split("=") for pair in text[len(MARK) :].decode().split(","))
    return Orders(**{name: int(value) for name, value in pairs})
