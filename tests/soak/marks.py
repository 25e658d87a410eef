"""What a scripted provider writes into each part of an answer, so that whoever reads it can prove where it
is from: which call, which attempt, which part of how many, and how the provider meant the answer to end.
"""

from dataclasses import dataclass
from enum import StrEnum


class Ending(StrEnum):
    """How a provider ends a stream. Only WHOLE has `[DONE]`; UNMARKED is complete, but without it."""

    WHOLE = "whole"
    UNMARKED = "unmarked"
    CUT = "cut"
    RESET = "reset"
    ERROR = "error"
    GARBLED = "garbled"


COMPLETE = frozenset({Ending.WHOLE, Ending.UNMARKED})


@dataclass(frozen=True, slots=True)
class Mark:
    """Of one part of an answer. `attempt` is unique among all that all providers ever answered."""

    call: str
    attempt: str
    part: int
    parts: int
    ending: Ending

    def text(self, padding: int = 0) -> str:
        members = (self.call, self.attempt, self.part, self.parts, self.ending)
        return "|".join(map(str, members)) + "|" + "x" * padding


def read(text: str) -> Mark:
    """Return the mark in a text.

    Raises:
        ValueError: if that is not what stands there.

    """
    call, attempt, part, parts, ending, _ = text.split("|")
    return Mark(call, attempt, int(part), int(parts), Ending(ending))
