"""Reads a stream as a client does, and sets when each chunk came against when it was sent. Pure."""

from bench.asks import STAMP

_STAMP_DIGITS = 19


class Events:
    """The chunks of one stream. Times in nanoseconds of the machine's clock.

    `delays`: of each chunk, from its sending to its arrival; `times`: when that was. `gaps`: how much longer
    than its sender each chunk let the reader wait after the one before.
    """

    def __init__(self, *, is_timed: bool) -> None:
        self.count = 0
        self.first = 0
        self.is_done = False
        self.delays: list[int] = []
        self.times: list[int] = []
        self.gaps: list[int] = []
        self._is_timed = is_timed
        self._rest = b""

    def take(self, data: bytes, now: int) -> None:
        """Take bytes that arrived at `now`."""
        *events, self._rest = (self._rest + data).split(b"\n\n")
        self.count += len(events)
        if not self.first and STAMP in data:
            self.first = now
        if events and events[-1].startswith(b"data: [DONE]"):
            self.is_done = True
            self.count -= 1
        if self._is_timed:
            for event in events:
                self._time(event, now)

    def _time(self, event: bytes, now: int) -> None:
        at = event.find(STAMP)
        if at < 0:
            return
        start = at + len(STAMP)
        delay = now - int(event[start : start + _STAMP_DIGITS])
        if self.delays:
            self.gaps.append(delay - self.delays[-1])
        self.delays.append(delay)
        self.times.append(now)
