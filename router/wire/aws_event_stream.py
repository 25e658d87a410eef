"""Incremental decoder of AWS's binary event stream, `application/vnd.amazon.eventstream`.

A message is a prelude (total length, length of the headers, CRC of both), headers, a payload, and a CRC
of everything before it; all numbers are big-endian. A header is a name and a typed value.
Source: https://smithy.io/2.0/aws/amazon-eventstream.html

The strategy: bytes wait in one buffer until a whole message is there, and each byte is looked at a
fixed number of times, so the work is linear however the input is cut. Messages that came before a broken
one are still given out; `failure` tells of the broken one.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID
from zlib import crc32

MAX_HEADERS_BYTES: Final = 128 * 1024
MAX_PAYLOAD_BYTES: Final = 24 * 1024 * 1024
"""What AWS's own SDKs accept of one message; memory must stay bounded."""

_PRELUDE = struct.Struct(">II")
_CRC = struct.Struct(">I")
_FRAME_BYTES: Final = 16
"""Prelude, its CRC, and the message's CRC."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

HeaderValue = bool | int | bytes | str | datetime | UUID


class EventStreamError(ValueError):
    """The bytes are no event stream; the message says why."""


class EventTooLargeError(EventStreamError):
    """One message is larger than the limits."""


class EventCutShortError(EventStreamError):
    """The input ended in the middle of a message."""


@dataclass(frozen=True, slots=True)
class EventMessage:
    """One message: its headers (`:event-type` and the like) and its payload."""

    headers: Mapping[str, HeaderValue]
    payload: bytes = field(repr=False)

    def text(self, header: str) -> str:
        """Return a header that is a string; empty where it is absent or anything else."""
        value = self.headers.get(header)
        return value if isinstance(value, str) else ""


class AwsEventStreamDecoder:
    """Bytes in, complete messages out. Lives as long as one response.

    After `feed` or `finish` the caller looks at `failure`: once it is set, the returned messages are the
    last ones and the decoder takes no more.
    """

    def __init__(self) -> None:
        self.failure: EventStreamError | None = None
        self._buffer = bytearray()
        self._needed = 0

    def feed(self, data: bytes) -> list[EventMessage]:
        """Take the next bytes and return the messages that they complete."""
        messages: list[EventMessage] = []
        if self.failure is not None:
            return messages
        self._buffer += data
        try:
            while message := self._next():
                messages.append(message)
        except EventStreamError as exc:
            self.failure = exc
            self._buffer.clear()
        return messages

    def finish(self) -> None:
        """Tell that the input has ended; sets `failure` if it ended within a message."""
        if self.failure is None and self._buffer:
            self.failure = EventCutShortError(f"{len(self._buffer)} bytes of a message are left")

    def _next(self) -> EventMessage | None:
        """Take one message off the buffer, if it is there as a whole."""
        if not self._needed:
            if len(self._buffer) < _PRELUDE.size + _CRC.size:
                return None
            self._needed = self._checked_length()
        if len(self._buffer) < self._needed:
            return None
        data = bytes(memoryview(self._buffer)[: self._needed])
        del self._buffer[: self._needed]
        self._needed = 0
        return _message(data)

    def _checked_length(self) -> int:
        """Return the length of the message that begins the buffer, by a prelude that is sound."""
        total, headers = _PRELUDE.unpack_from(self._buffer)
        (stated,) = _CRC.unpack_from(self._buffer, _PRELUDE.size)
        if crc32(memoryview(self._buffer)[: _PRELUDE.size]) != stated:
            raise EventStreamError("the checksum of a prelude is wrong")
        if headers > MAX_HEADERS_BYTES or total - headers > MAX_PAYLOAD_BYTES + _FRAME_BYTES:
            raise EventTooLargeError(f"a message of {total} bytes")
        if total < headers + _FRAME_BYTES:
            raise EventStreamError("the lengths in a prelude contradict each other")
        return int(total)


def _message(data: bytes) -> EventMessage:
    """Take one whole message apart."""
    end = len(data) - _CRC.size
    (stated,) = _CRC.unpack_from(data, end)
    if crc32(memoryview(data)[:end]) != stated:
        raise EventStreamError("the checksum of a message is wrong")
    start = _PRELUDE.size + _CRC.size
    _, length = _PRELUDE.unpack_from(data)
    return EventMessage(_headers(data[start : start + length]), data[start + length : end])


def _headers(data: bytes) -> dict[str, HeaderValue]:
    headers: dict[str, HeaderValue] = {}
    at = 0
    try:
        while at < len(data):
            name_end = at + 1 + data[at]
            name = data[at + 1 : name_end].decode()
            headers[name], at = _READERS[data[name_end]](data, name_end + 1)
    except (struct.error, IndexError, KeyError, UnicodeDecodeError, OverflowError) as exc:
        raise EventStreamError("a header cannot be read") from exc
    return headers


Reader = Callable[[bytes, int], tuple[HeaderValue, int]]
"""Reads the value that begins at a place; returns it and where it ends."""


def _constant(*, value: bool) -> Reader:
    return lambda _data, at: (value, at)


def _integer(layout: str) -> Reader:
    number = struct.Struct(layout)
    return lambda data, at: (number.unpack_from(data, at)[0], at + number.size)


_LONG = _integer(">q")
_LENGTH = struct.Struct(">H")


def _sized(data: bytes, at: int) -> tuple[bytes, int]:
    (length,) = _LENGTH.unpack_from(data, at)
    return _exactly(length)(data, at + _LENGTH.size)


def _exactly(length: int) -> Callable[[bytes, int], tuple[bytes, int]]:
    def read(data: bytes, at: int) -> tuple[bytes, int]:
        if at + length > len(data):
            raise IndexError
        return data[at : at + length], at + length

    return read


def _text(data: bytes, at: int) -> tuple[HeaderValue, int]:
    value, end = _sized(data, at)
    return value.decode(), end


def _timestamp(data: bytes, at: int) -> tuple[HeaderValue, int]:
    milliseconds, end = _LONG(data, at)
    if not isinstance(milliseconds, int):
        raise KeyError
    return _EPOCH + timedelta(milliseconds=milliseconds), end


def _uuid(data: bytes, at: int) -> tuple[HeaderValue, int]:
    value, end = _exactly(16)(data, at)
    return UUID(bytes=value), end


_READERS: Final[Mapping[int, Reader]] = {
    0: _constant(value=True),
    1: _constant(value=False),
    2: _integer(">b"),
    3: _integer(">h"),
    4: _integer(">i"),
    5: _LONG,
    6: _sized,
    7: _text,
    8: _timestamp,
    9: _uuid,
}
"""Values of headers, by the number of their type."""
