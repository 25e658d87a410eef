"""HTTP/1.1 as bytes: reads requests from them, writes heads of answers. Does no input or output.

Strategy: heads are read by llhttp, the parser of Node, with nothing that it calls lenient. Bodies are read
here: their pieces pass as they came, and nothing behind a request is looked at before its answer is over.
"""

import re
from collections.abc import Callable, Mapping
from enum import Enum
from functools import lru_cache
from typing import Final, Literal, NamedTuple

import httptools
from tornado.httputil import RequestStartLine

SIZE_DIGITS: Final = 16
"""Of a chunk's size; more would be no number that fits in eight bytes."""

SHORT: Final = 64
"""Bytes of a header's name that is worth remembering: clients send the same ones over and over."""

_HEX = re.compile(rb"[0-9a-fA-F]{1,%d}" % SIZE_DIGITS)
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_HOST = re.compile(r"[\w.~!$&'()*+;=:%\[\]-]*", re.ASCII)
"""RFC 3986, 3.2.2, without the comma: several headers of a name are joined by commas."""

_BLANK = re.compile(rb"(?:\r\n){0,16}")
_LINE_END: Final = b"\r\n"
_HEAD_END: Final = b"\r\n\r\n"


class MalformedError(Exception):
    """What came is no request as RFC 9112 has it, or could be read in two ways; the message says why."""


class End(Enum):
    """Stands behind the last piece of a request."""

    END = "end"


END: Final = End.END


Fields = dict[str, str]
"""Headers of a request by their names in lower case; several of one name are joined by commas.

In place of Tornado's `HTTPHeaders`, which looks up names slowly.
"""


class Head(NamedTuple):
    """A request up to its body. `waits` says that the client asks before it sends the body."""

    start_line: RequestStartLine
    headers: Fields
    keeps_alive: bool
    waits: bool


Event = Head | bytes | Literal[End.END]
"""A request is one head, any pieces of its body, and the end."""


class RequestReader:
    """Reads one request after the other from the bytes of a connection.

    A head, with what stands in front of it, has at most `head_bytes`.
    """

    def __init__(self, head_bytes: int) -> None:
        self._head_bytes = head_bytes
        self._data = b""
        self._at = 0
        self._left = 0
        self._step: Callable[[], Event | None] = self._head

    @property
    def waiting(self) -> int:
        """How many bytes came that no event has told of."""
        return len(self._data) - self._at

    def feed(self, data: bytes) -> None:
        """Takes what came next."""
        self._data = self._data[self._at :] + data if self.waiting else data
        self._at = 0

    def next(self) -> Event | None:
        """The next event; None until more comes. Raises MalformedError, and is of no more use then."""
        event = self._step()
        if self._at == len(self._data):
            self._data, self._at = b"", 0  # it would lie here until more comes
        return event

    def _head(self) -> Event | None:
        data, start = self._data, self._at
        if blank := _BLANK.match(data, start):  # RFC 9112, 2.2: a client may send some too many
            start = blank.end()
        found = data.find(_HEAD_END, start)
        end = len(data) if found < 0 else found + len(_HEAD_END)
        if end - self._at > self._head_bytes:
            raise MalformedError(f"The head is over the limit of {self._head_bytes} bytes.")
        if found < 0:
            return None
        self._at = end
        head = _read(data[start:end])
        self._expect_body(head.headers)
        return head

    def _expect_body(self, headers: Fields) -> None:
        coding = headers.get("transfer-encoding")
        self._left = int(headers.get("content-length", 0))
        if coding is None:
            self._step = self._sized if self._left else self._end
        elif coding.lower() == "chunked":
            self._step = self._size
        else:
            raise MalformedError("The only transfer coding here is chunked.")

    def _sized(self) -> Event | None:
        return self._piece(self._end)

    def _size(self) -> Event | None:
        line = self._line(SIZE_DIGITS)
        if line is None:
            return None
        if not _HEX.fullmatch(line):
            raise MalformedError("A chunk's size is no hexadecimal number.")
        self._left = int(line, 16)
        self._step = self._chunk if self._left else self._last_line
        return self._step()

    def _chunk(self) -> Event | None:
        return self._piece(self._chunk_end)

    def _chunk_end(self) -> Event | None:
        if self._line(0) is None:
            return None
        self._step = self._size
        return self._step()

    def _last_line(self) -> Event | None:
        # Trailers would be header fields that nobody has judged.
        return None if self._line(0) is None else self._end()

    def _end(self) -> Event:
        self._step = self._head
        return END

    def _piece(self, then: Callable[[], Event | None]) -> bytes | None:
        """What is there of the `_left` bytes that are missing; the step after the last of them is `then`."""
        size = min(self.waiting, self._left)
        if not size:
            return None
        piece = self._data[self._at : self._at + size]
        self._at += size
        self._left -= size
        if not self._left:
            self._step = then
        return piece

    def _line(self, most: int) -> bytes | None:
        """The next line, of at most so many bytes; None until it is whole. Raises MalformedError."""
        end = self._data.find(_LINE_END, self._at, self._at + most + 2)
        if end >= 0:
            line, self._at = self._data[self._at : end], end + 2
            return line
        if self.waiting > most + 1 or (self.waiting == most + 1 and self._data[-1:] != b"\r"):
            raise MalformedError("A chunk is not as it should be.")
        return None


class _Found:
    """Takes what llhttp finds in a head."""

    __slots__ = ("is_whole", "pairs", "target")

    def __init__(self) -> None:
        self.target = b""
        self.pairs: list[tuple[bytes, bytes]] = []
        self.is_whole = False

    def on_url(self, part: bytes) -> None:
        self.target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        self.pairs.append((name, value))

    def on_headers_complete(self) -> None:
        self.is_whole = True


def _read(head: bytes) -> Head:
    """A whole head, with its last line end. Raises MalformedError."""
    if not head.isascii():
        head = _in_ascii(head)
    found = _Found()
    parser = httptools.HttpRequestParser(found)
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        pass  # nothing else is spoken here: RFC 9110, 7.8 has such a request answered as it is
    except httptools.HttpParserError as exc:
        raise MalformedError(f"{exc}.") from exc
    method, version = parser.get_method(), parser.get_http_version()
    # One space each, and a version: RFC 9112, 3.
    first = b"%b %b HTTP/%b\r\n" % (method, found.target, version.encode())
    if not found.is_whole or version not in ("1.0", "1.1") or not head.startswith(first):
        raise MalformedError("The first line is not as it should be.")
    headers: Fields = {}
    for raw_name, raw_value in found.pairs:
        name, value = _name(raw_name), raw_value.decode("latin-1").rstrip(" \t")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    _check_host(version, headers)
    start_line = RequestStartLine(
        method.decode(), found.target.decode("latin-1"), f"HTTP/{version}"
    )
    # RFC 9110, 10.1.1: an old client does not know of it.
    waits = version == "1.1" and headers.get("expect", "").lower() == "100-continue"
    # What follows a CONNECT would be no request, had it been granted.
    keeps_alive = method != b"CONNECT" and _keeps_alive(version, headers)
    return Head(start_line, headers, keeps_alive, waits)


def _name(raw: bytes) -> str:
    """A header's name in lower case."""
    return _known_name(raw) if len(raw) <= SHORT else _read_name(raw)


def _read_name(raw: bytes) -> str:
    return raw.decode().lower()


_known_name = lru_cache(maxsize=1024)(_read_name)


def _check_host(version: str, headers: Fields) -> None:
    """RFC 9112, 3.2: there is one, and it is one. Raises MalformedError."""
    host = headers.get("host")
    if host is None:
        if version == "1.1":
            raise MalformedError("There is no Host.")
    elif not _HOST.fullmatch(host):
        raise MalformedError("The Host is none, or there are several.")


def _keeps_alive(version: str, headers: Fields) -> bool:
    """RFC 9112, 9.3. By ourselves: llhttp has forgotten it when the head was all of the request."""
    options = headers.get("connection", "").lower()
    return "close" not in options and (version == "1.1" or "keep-alive" in options)


def _in_ascii(head: bytes) -> bytes:
    """Encodes what no URL may hold: some clients send a name in it as it is written."""
    first, end, rest = head.partition(_LINE_END)
    return _NOT_ASCII.sub(lambda found: b"%%%02X" % found[0][0], first) + end + rest


def head_of_answer(code: int, reason: str, headers: Mapping[str, str]) -> bytes:
    """The head of an answer. Raises ValueError if a line of it would be two."""
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    text = f"HTTP/1.1 {code} {reason}\r\n{''.join(lines)}\r\n"
    if not text.count("\n") == text.count("\r") == len(lines) + 2:
        raise ValueError("a header of the answer has a line end in it")
    return text.encode("latin-1")
