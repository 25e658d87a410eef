"""What was seen, what of it must not be, and how one is told from the other. Pure."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.soak.marks import COMPLETE, Ending, Mark, read

FAILURES: Final = frozenset({429, 502, 503, 504})
"""How callers are told of what providers do wrong; a 500 would be our own fault."""

MAX_KEPT: Final = 20
"""Violations that are kept in words; all are counted."""


@dataclass
class Ledger:
    """Lives as long as the soak."""

    seen: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    words: list[str] = field(default_factory=list)
    parts: int = 0
    _attempts: set[str] = field(default_factory=set, repr=False)

    def saw(self, kind: str, what: str) -> None:
        self.seen[f"{kind}: {what}"] += 1

    def must_not_be(self, what: str, words: object = "") -> None:
        self.violations[what] += 1
        if len(self.words) < MAX_KEPT:
            self.words.append(f"{what}: {str(words)[:300]}")

    def answered(self, call: str, texts: Sequence[str]) -> Ending | None:
        """Check what one call was given, whole or as far as it came; return how it was meant to end."""
        try:
            marks = [read(text) for text in texts]
        except ValueError:
            self.must_not_be("an answer that no provider gave", texts)
            return None
        self.parts += len(marks)
        if not marks:
            self.must_not_be("an answer without content", call)
            return None
        first = marks[0]
        if {mark.call for mark in marks} != {call}:
            self.must_not_be("an answer to another call", (call, first))
        if len({mark.attempt for mark in marks}) > 1:
            self.must_not_be("an answer put together from two attempts", texts)
        if [mark.part for mark in marks] != list(range(len(marks))):
            self.must_not_be("parts lost, doubled or out of order", [mark.part for mark in marks])
        self.first_time(first.attempt)
        return first.ending

    def first_time(self, attempt: str) -> None:
        """Check that no two calls were given the answer of one attempt."""
        if attempt in self._attempts:
            self.must_not_be("one answer for two calls", attempt)
        self._attempts.add(attempt)

    def streamed(self, call: str, texts: Sequence[str], *, is_done: bool, error: object) -> None:
        """Check a stream that was read to its end. `error` is what its last frame says went wrong."""
        ending = self.answered(call, texts)
        if ending is None:
            return
        is_all = len(texts) == _parts(texts)
        if is_done and ending is not Ending.WHOLE:
            self.must_not_be("a forged [DONE]", (ending, call))
        if ending in COMPLETE and (error or not is_all):
            self.must_not_be("a whole stream that arrived in part", (call, len(texts), error))
        if ending is Ending.WHOLE and not is_done:
            self.must_not_be("a [DONE] that was lost", call)
        if ending not in COMPLETE and not error:
            self.must_not_be("a broken stream that nobody was told of", (ending, call))

    def typed_streamed(self, call: str, texts: Sequence[str], *, is_ok: bool) -> None:
        """Check a typed stream: its status says what the last frames say over HTTP."""
        ending = self.answered(call, texts)
        if ending is None:
            return
        if is_ok and (ending not in COMPLETE or len(texts) != _parts(texts)):
            self.must_not_be("a broken stream that nobody was told of", (ending, call))
        if not is_ok and ending in COMPLETE:
            self.must_not_be("a whole stream that arrived in part", (ending, call))

    def refused(self, model: str, status: int, body: bytes, allowed: frozenset[int]) -> None:
        """Check a failure: its status, and that it is in OpenAI's shape."""
        if status not in allowed:
            self.must_not_be("an unexpected status", (model, status, body))
        try:
            error = json.loads(body)["error"]
        except (ValueError, KeyError, TypeError):
            error = None
        if not is_error(error):
            self.must_not_be("a failure that is not in OpenAI's shape", (status, body))


def is_error(error: Any) -> bool:
    """Whether something is OpenAI's error object."""
    return (
        isinstance(error, dict)
        and error.keys() >= {"message", "type", "param", "code"}
        and isinstance(error["message"], str)
        and isinstance(error["type"], str)
    )


def _parts(texts: Sequence[str]) -> int:
    last: Mark = read(texts[-1])
    return last.parts
