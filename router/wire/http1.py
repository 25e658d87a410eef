"""HTTP/1.1 as bytes: reads responses from them. Does no input or output.

Strategy: llhttp, the parser of Node, reads heads and framing. It is as lenient as HTTP clients have to be
with servers (lines that end without a carriage return, odd characters in headers), and never about where a
body ends.
"""

from functools import lru_cache
from typing import Final

import httptools

HEAD_BYTES: Final = 256 * 1024
"""Of a head, of trailers, of anything that brings a response no further; providers send long policies."""

_SHORT: Final = 64
"""Bytes of a header's name that is worth remembering: providers send the same ones over and over."""

_UPGRADED: Final = 101
_BODILESS: Final = frozenset({_UPGRADED, 204, 304})


class MalformedError(Exception):
    """What came is no response as RFC 9112 has it; the message says why."""


class Response:
    """What has come of a response. `status` is 0 until its head is whole.

    `headers` by their names in lower case; of repeated ones the first, but of `transfer-encoding` the last.
    `pieces` are what came of the body, to be taken by whoever reads it; `size` counts their bytes.
    """

    __slots__ = ("headers", "is_over", "keeps_alive", "lasts", "pieces", "size", "status")

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.pieces: list[bytes] = []
        self.size = 0
        self.is_over = False
        self.keeps_alive = False
        """Whether another response may follow on the connection."""
        self.lasts = False
        """Whether the body ends where the connection does: RFC 9112, 6.3."""

    def take(self) -> bytes:
        """Return what came of the body since it was last taken."""
        pieces, self.pieces, self.size = self.pieces, [], 0
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class ResponseReader:
    """Reads one response after the other from the bytes of a connection.

    `is_spoiled` once more has come than was asked for: what follows would be taken for another response.
    `close` it in the end: it refers to itself.
    """

    def __init__(self) -> None:
        self._response = Response()
        self._response.is_over = True
        self._quiet = 0
        self.is_spoiled = False
        self._parser = httptools.HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )

    def begin(self) -> Response:
        """Return the response that what comes next belongs to."""
        self._response, self._quiet = Response(), 0
        return self._response

    def feed(self, data: bytes) -> None:
        """Take what came next. Raise `MalformedError`, and be of no more use then."""
        self._quiet += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            self.is_spoiled = True
            if not self._response.is_over:
                raise MalformedError(str(exc)) from exc
        if self._quiet > HEAD_BYTES:
            self.is_spoiled = True
            if not self._response.is_over:
                msg = f"More than {HEAD_BYTES} bytes bring it no further."
                raise MalformedError(msg)

    def finish(self) -> bool:
        """Take the end of the connection; return whether the response is complete."""
        response = self._response
        response.is_over = response.is_over or response.lasts
        return response.is_over

    def close(self) -> None:
        """Read no more."""
        del self._parser

    # What llhttp calls

    def on_message_begin(self) -> None:
        if self._response.is_over:
            raise MalformedError("Nobody has asked for more.")

    def on_header(self, name: bytes, value: bytes) -> None:
        response = self._response
        if response.status:
            # A trailer. The parser goes by some of them, so that what follows may be read in another way.
            response.keeps_alive = False
            return
        if b"\0" in value:
            raise MalformedError("There is a null byte in a header.")
        headers, key = response.headers, _name(name)
        # The last coding is the one that says where a body ends, on however many lines they stand.
        if key not in headers or key == "transfer-encoding":
            headers[key] = value.rstrip(b" \t").decode("utf-8", "surrogateescape")

    def on_headers_complete(self) -> None:
        response, status = self._response, self._parser.get_status_code()
        if status < 100:
            msg = f"There is no status {status}."
            raise MalformedError(msg)
        if status < 200 and status != _UPGRADED:
            response.headers.clear()  # the response is still to come: RFC 9110, 15.2
            return
        response.status, headers = status, response.headers
        response.keeps_alive = self._parser.should_keep_alive() and status != _UPGRADED
        coding = headers.get("transfer-encoding")
        if coding is None:
            is_sized = "content-length" in headers
        else:
            is_sized = coding.rpartition(",")[2].strip().lower() == "chunked"
        response.lasts = not is_sized and status not in _BODILESS
        self._quiet = 0

    def on_body(self, piece: bytes) -> None:
        response = self._response
        response.pieces.append(piece)
        response.size += len(piece)
        self._quiet = 0

    def on_message_complete(self) -> None:
        if self._response.status:
            self._response.is_over = True


def _name(raw: bytes) -> str:
    """Return a header's name in lower case. Raises MalformedError if there is a space in it."""
    return _known_name(raw) if len(raw) <= _SHORT else _read_name(raw)


def _read_name(raw: bytes) -> str:
    if b" " in raw or b"\t" in raw:
        raise MalformedError("There is a space in a header's name.")  # RFC 9112, 5.1
    return raw.decode("latin-1").lower()


_known_name = lru_cache(maxsize=1024)(_read_name)
