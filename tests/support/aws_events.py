"""Writes AWS's binary event streams, for tests that read them."""

import json
import struct
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from zlib import crc32


def packed(kind: int, value: Any) -> bytes:
    """One value of a header, as AWS's specification has it."""
    if kind in (0, 1):
        return b""
    if kind in (6, 7):
        data = value.encode() if kind == 7 else value
        return struct.pack(">H", len(data)) + bytes(data)
    if kind == 9:
        return bytes(value.bytes)
    if kind == 8:
        value = int((value - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)
    return struct.pack({2: ">b", 3: ">h", 4: ">i", 5: ">q", 8: ">q"}[kind], value)


def message(payload: bytes = b"", *headers: tuple[str, int, Any]) -> bytes:
    head = b"".join(
        bytes([len(name.encode())]) + name.encode() + bytes([kind]) + packed(kind, value)
        for name, kind, value in headers
    )
    prelude = struct.pack(">II", len(head) + len(payload) + 16, len(head))
    body = prelude + struct.pack(">I", crc32(prelude)) + head + payload
    return body + struct.pack(">I", crc32(body))


def event(kind: str, payload: Any, message_type: str = "event") -> bytes:
    """One event of a service: its payload as JSON."""
    return message(
        payload if isinstance(payload, bytes) else json.dumps(payload).encode(),
        (f":{message_type}-type", 7, kind),
        (":content-type", 7, "application/json"),
        (":message-type", 7, message_type),
    )


def stream(events: Iterable[dict[str, Any]]) -> bytes:
    """Events as `{"messageStart": {…}}` each, one after the other."""
    return b"".join(event(kind, payload) for e in events for kind, payload in e.items())
