"""Incremental decoder of server-sent events.

Follows https://html.spec.whatwg.org/multipage/server-sent-events.html: lines end in LF, CRLF or CR;
several `data` lines of one event are joined by LF; a blank line ends the event; an event that the
input breaks off in is not one. Comments and the fields `id` and `retry` carry nothing here.

The strategy: bytes are only ever cut at line ends, so a code point split over two reads is never
touched; what is left of the last line is kept as a list of parts and joined once, so the work stays
linear however the input is cut.
"""

import re
from typing import NamedTuple

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""Most bytes of one event. Images come inline, base64 in one event; memory must stay bounded."""

LINE_COST = 64
"""Bytes that a line of data takes besides its text: its object and its place in the list."""

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


class EventTooLargeError(ValueError):
    """One event is larger than `MAX_EVENT_BYTES`."""


class ServerSentEvent(NamedTuple):
    """One event: the bytes of its data, and its type where one was given."""

    data: bytes
    event: str = ""


class SseDecoder:
    """Bytes in, complete events out. Lives as long as one response; `feed` after an error is undefined."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max = max_event_bytes
        self._tail: list[bytes] = []
        self._size = 0
        self._held = 0
        self._data: list[bytes] = []
        self._event = ""
        self._at_start = True
        self._after_cr = False

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Take the next bytes and return the events that they complete.

        Raises:
            EventTooLargeError: when an event grows beyond the limit.

        """
        if self._after_cr and data:
            self._after_cr = False
            if data[:1] == b"\n":
                data = data[1:]
        if not data:
            return []
        if not self._size and (events := self._whole(data)):
            return events
        self._size += len(data)
        if b"\n" not in data and b"\r" not in data:
            self._tail.append(data)
            self._check_size()
            return []
        if self._tail:
            self._tail.append(data)
            data = b"".join(self._tail)
            self._tail.clear()
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            lines = _LINE_END.split(data)
        else:
            lines = data.split(b"\n")
        rest = lines.pop()
        if rest:
            self._tail.append(rest)
        return self._take(lines, len(rest))

    def _whole(self, data: bytes) -> list[ServerSentEvent] | None:
        """Return the events of a read that holds whole ones and nothing but data; None if it is not so plain.

        That is how nearly all reads are, and how providers write their events.
        """
        if not (data.startswith(b"data: ") and data.endswith(b"\n\n")) or self._event:
            return None
        if data.find(b"\n") == len(data) - 2 <= self._max and b"\r" not in data:
            self._at_start = False
            return [ServerSentEvent(data[6:-2])]
        parts = data[6:-2].split(b"\n\ndata: ")
        if b"\r" in data or data.count(b"\n") != 2 * len(parts):
            return None
        if len(data) > self._max and max(map(len, parts)) > self._max:
            return None
        self._at_start = False
        return [ServerSentEvent(part) for part in parts]

    def _take(self, lines: list[bytes], rest: int) -> list[ServerSentEvent]:
        events = []
        if self._at_start and lines:
            self._at_start = False
            lines[0] = lines[0].removeprefix(_BOM)
        for line in lines:
            if not line:
                if self._data:
                    events.append(ServerSentEvent(b"\n".join(self._data), self._event))
                    self._data = []
                    self._held = 0
                self._event = ""
            elif line.startswith(b"data:"):
                self._hold(line[6:] if line[5:6] == b" " else line[5:])
            elif line.startswith(b"event:"):
                self._event = line[6:].strip().decode("utf-8", "replace")
            elif line == b"data":
                self._hold(b"")
        self._size = self._held + rest
        self._check_size()
        return events

    def _hold(self, data: bytes) -> None:
        """Keep a line of data for its event. An empty one takes room too, in the list of lines."""
        self._data.append(data)
        self._held += len(data) + LINE_COST
        if self._held > self._max:
            raise EventTooLargeError

    def _check_size(self) -> None:
        if self._size > self._max:
            raise EventTooLargeError

    def finish(self) -> list[ServerSentEvent]:
        """Tell that the input has ended, and return an event that only lacked its blank line.

        The standard drops such an event. Providers that close right after `data: [DONE]` exist, so a
        complete last line counts here; whether the stream itself is complete is its dialect's question.
        """
        lines = [b"".join(self._tail), b""] if self._tail else [b""]
        self._tail.clear()
        return self._take(lines, 0)
