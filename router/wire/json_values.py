"""Incremental decoder of JSON objects that stand in one array, or one after the other.

Some APIs stream an array whose elements arrive one by one (Gemini without `alt=sse`), or answer with an
object where a stream was asked for. Bytes are cut where an object ends; whether it is well formed is for
its reader to check. The strategy: only quotes, backslashes and brackets are looked at, each byte once, so
the work is linear however the input is cut.
"""

import re
from typing import Final

from router.wire.sse import MAX_EVENT_BYTES, EventTooLargeError

_STRING: Final = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)
_OUTSIDE_STRINGS: Final = re.compile(rb'[^"{}\[\]]*')
_BETWEEN: Final = re.compile(rb"[ \t\r\n,\[\]]*")


class JsonValuesDecoder:
    """Bytes in, objects out. Lives as long as one response; `feed` after an error is undefined."""

    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max = max_bytes
        self._parts: list[bytes] = []
        self._size = 0
        self._depth = 0
        self._in_string = False
        self._after_backslash = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and return the objects that they complete.

        Raises:
            EventTooLargeError: when an object grows beyond the limit.
            ValueError: when something stands between objects.

        """
        found = []
        start = at = 0
        while at < len(data):
            if self._in_string:
                at = self._string(data, at)
            elif self._depth:
                at = self._nested(data, at)
                if not self._depth:
                    self._keep(data[start:at])
                    found.append(b"".join(self._parts))
                    self._parts, self._size = [], 0
            else:
                at = self._between(data, at)
                start = at - 1 if self._depth else at
        if self._depth:
            self._keep(data[start:])
        return found

    def finish(self) -> list[bytes]:
        """Tell that the input has ended; an object that was cut short is returned as it is."""
        rest, self._parts = b"".join(self._parts), []
        return [rest] if rest else []

    def _string(self, data: bytes, at: int) -> int:
        """Go to the end of a string, or of the data."""
        if self._after_backslash:
            self._after_backslash = False
            at += 1
        found = _STRING.match(data, at)
        at = found.end() if found else at
        if data[at : at + 1] == b'"':
            self._in_string = False
        else:
            # What stops short of the end is a backslash whose other half is still to come.
            self._after_backslash = at < len(data)
        return at + 1

    def _nested(self, data: bytes, at: int) -> int:
        """Go past the next quote or bracket."""
        found = _OUTSIDE_STRINGS.match(data, at)
        at = found.end() if found else at
        mark = data[at : at + 1]
        if mark == b'"':
            self._in_string = True
        elif mark:
            self._depth += 1 if mark in b"{[" else -1
        return at + 1

    def _between(self, data: bytes, at: int) -> int:
        """Go to the next object, which begins there, or to the end of the data."""
        found = _BETWEEN.match(data, at)
        at = found.end() if found else at
        if data[at : at + 1] == b"{":
            self._depth = 1
            # Its bracket is counted here, and kept with the rest of it.
            return at + 1
        if at < len(data):
            msg = "something that is no object"
            raise ValueError(msg)
        return at

    def _keep(self, part: bytes) -> None:
        self._parts.append(part)
        self._size += len(part)
        if self._size > self._max:
            raise EventTooLargeError
