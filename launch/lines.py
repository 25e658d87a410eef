"""Writes log lines off the event loop: a full pipe, or a slow disk behind it, keeps no call waiting.

Lines are collected for a moment and written together by a thread of their own, in their order. What a process
has logged leaves it when it ends by itself; one that is killed may take its last moment with it.
"""

import atexit
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final, TextIO

GATHER_SECONDS: Final = 0.02
"""How long lines are collected: one waking of the thread for many lines."""

CLOSE_SECONDS: Final = 2.0
"""How long the end of a process waits for its last lines to be taken."""

MAX_LINES: Final = 100_000
"""Lines that wait for a pipe nobody reads; beyond it the oldest are dropped, and how many is said."""


class LineWriter:
    """A text stream as loggers want it. One for the process; `close` writes what is left."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: deque[str] = deque()
        self._dropped = 0
        self._waiting = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_closing = False
        atexit.register(self.close)

    def write(self, text: str) -> None:
        """Have `text` written soon."""
        if len(self._lines) >= MAX_LINES:
            self._lines.popleft()
            self._dropped += 1
        self._lines.append(text)
        if not self._waiting.is_set():
            self._waiting.set()
            if self._thread is None:
                self._begin()

    def flush(self) -> None:
        """Nothing: what was written leaves soon, and when the process ends."""

    def close(self) -> None:
        """Write what is left, now. A pipe that nobody reads is given `CLOSE_SECONDS`."""
        self._is_closing = True
        self._waiting.set()
        if self._thread is None:
            self._begin()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    def _begin(self) -> None:
        self._thread = threading.Thread(target=self._run, name="log-lines", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._is_closing:
            self._waiting.wait()
            if not self._is_closing:
                time.sleep(GATHER_SECONDS)
            self._waiting.clear()
            self._drain()
        self._drain()

    def _drain(self) -> None:
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        dropped, self._dropped = self._dropped, 0
        if dropped:
            lines.append(f"trunkline: {dropped} log lines were dropped, nobody read them\n")
        try:
            for text in together(lines):
                self._stream.write(text)
                self._stream.flush()
        except (OSError, ValueError):
            # Nobody reads it any more; there is nowhere to say so.
            return


def together(lines: Iterable[str]) -> Iterator[str]:
    """Yield whole lines, as many at once as a pipe takes in one piece: other workers write to it too."""
    batch: list[str] = []
    size = 0
    for line in lines:
        own = len(line) if line.isascii() else len(line.encode(errors="replace"))
        if batch and size + own > select.PIPE_BUF:
            yield "".join(batch)
            batch, size = [], 0
        batch.append(line)
        size += own
    if batch:
        yield "".join(batch)


STANDARD_ERROR: Final = LineWriter(sys.stderr)
"""Where this process logs to."""
