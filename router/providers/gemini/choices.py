"""The choices of one answer, as its chunks tell them: deltas while it goes on, an end for each.

A candidate's end is told when all has come: Gemini states `finishReason` in its last chunk, older models
in each. A prompt that is blocked has no candidates: it becomes one choice, ended by the filter.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from router.providers.gemini import answer, chunk
from router.providers.gemini.chunk import Candidate, Chunk, text_of
from router.providers.gemini.draft import FunctionNames
from router.providers.gemini.reader import CallIds, Delta, Reader


@dataclass(frozen=True, slots=True)
class Context:
    """What the request determines of the answer. `created` is Unix time in seconds."""

    created: int
    include_usage: bool
    model: str
    names: FunctionNames


@dataclass(frozen=True, slots=True)
class Piece:
    """Something said of one choice. `extras` stand on the choice itself, beside the delta."""

    index: int
    delta: Delta
    extras: dict[str, Any] = field(default_factory=dict)
    finish_reason: str | None = None


@dataclass(slots=True)
class _Choice:
    reader: Reader
    reason: str | None = None
    last: dict[str, Any] = field(default_factory=dict)
    refusal: str | None = None


class Choices:
    """Chunks in, pieces out. Lives as long as one answer."""

    def __init__(self, context: Context) -> None:
        self.usage: dict[str, Any] = {}
        self.envelope: dict[str, Any] = {}
        self.feedback: msgspec.Raw | None = None
        self._context = context
        self._choices: dict[int, _Choice] = {}
        self._ids: CallIds | None = None

    @property
    def is_complete(self) -> bool:
        """Whether each candidate seen has ended, and there was one."""
        ended = [choice.reason is not None for choice in self._choices.values()]
        return bool(ended) and all(ended)

    def add(self, told: Chunk) -> Iterator[Piece]:
        """Yield what a chunk says.

        Raises:
            ValueError: if a part cannot be read.

        """
        self._begin(told)
        if isinstance(told.usage_metadata, dict) and (
            answer.states_tokens(told.usage_metadata) or not self.usage
        ):
            self.usage = told.usage_metadata
        found = chunk.block(told)
        if found is not None:
            self.feedback = told.prompt_feedback
        if found is not None and not told.candidates and not self._choices:
            blocked = self._choice(0)
            blocked.reason, blocked.refusal = "SAFETY", found[1] or None
            blocked.last = {"native_finish_reason": found[0]}
        for index, candidate in chunk.numbered(told):
            yield from self._add(index, candidate)

    def finish(self) -> Iterator[Piece]:
        """Yield the end of each choice."""
        for index, choice in sorted(self._choices.items()):
            for delta in choice.reader.finish():
                yield Piece(index, delta)
            reason = answer.finish_reason(choice.reason, calls_tools=choice.reader.calls > 0)
            is_silent = reason == answer.FILTERED and not choice.reader.has_text
            if is_silent and choice.refusal:
                yield Piece(index, {"refusal": choice.refusal})
            last = answer.native_reason(choice.reason) | choice.last
            yield Piece(index, {}, last, reason)

    def _begin(self, told: Chunk) -> None:
        """Open the answer with its first chunk."""
        if self._ids is None:
            stated = text_of(told.response_id)
            self._ids = CallIds(stated or str(self._context.created))
            self.envelope = {
                "id": stated,
                "created": self._context.created,
                "model": text_of(told.model_version) or self._context.model,
            }

    def _choice(self, index: int) -> _Choice:
        if index not in self._choices:
            ids = self._ids or CallIds(str(self._context.created))
            self._choices[index] = _Choice(Reader(self._context.names, ids))
        return self._choices[index]

    def _add(self, index: int, candidate: Candidate) -> Iterator[Piece]:
        choice = self._choice(index)
        parts = candidate.content.parts if candidate.content else None
        deltas = [delta for raw in parts or () for delta in choice.reader.read(raw)]
        extras = chunk.extras(candidate)
        logprobs = answer.told_logprobs(candidate.logprobs_result)
        reason = answer.reason_name(candidate.finish_reason)
        if reason is not None:
            choice.reason = reason
            choice.refusal = text_of(candidate.finish_message) or None
            # What comes with the end stands at the end.
            choice.last |= extras
            extras = {}
        if logprobs is not None:
            extras["logprobs"] = logprobs
        if extras and not deltas:
            deltas = [{}]
        for i, delta in enumerate(deltas):
            yield Piece(index, delta, extras if i + 1 == len(deltas) else {})
