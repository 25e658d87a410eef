"""What is read from OpenAI-style answers on their way through, without changing or keeping them.

A fast typed decoder skips all that is not asked for. Providers send odd types (null lists, numbers as
text): where the typed decoder objects, the slow path reads the same from plain values, leniently.
"""

import json
from typing import Any

import msgspec

from router.values import Usage
from router.wire import jsontext


class _Details(msgspec.Struct):
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class UsagePeek(msgspec.Struct):
    """OpenAI's usage object."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None

    def value(self) -> Usage:
        """Return it as our value; what is absent counts as zero."""
        prompt, completion = self.prompt_tokens_details, self.completion_tokens_details
        return Usage(
            prompt_tokens=_tokens(self.prompt_tokens),
            completion_tokens=_tokens(self.completion_tokens),
            cached_tokens=_tokens(prompt.cached_tokens if prompt else None),
            reasoning_tokens=_tokens(completion.reasoning_tokens if completion else None),
        )


_MOST_TOKENS = 2**53
"""What a double counts exactly, and no completion uses."""


def _tokens(count: int | None) -> int:
    return count if count and 0 < count < _MOST_TOKENS else 0


class ChoicePeek(msgspec.Struct):
    """A choice of a chunk."""

    index: int | None = None
    finish_reason: str | None = None
    delta: dict[str, Any] | None = None


class _LaterChoice(msgspec.Struct):
    """A choice once content has been seen: its delta need not be known any more."""

    index: int | None = None
    finish_reason: str | None = None


class ChunkPeek(msgspec.Struct):
    """A chunk; `delta` of its choices is known."""

    choices: list[ChoicePeek] | None = None
    usage: UsagePeek | None = None
    error: Any = None


class LaterChunkPeek(msgspec.Struct):
    """A chunk after the first content."""

    choices: list[_LaterChoice] | None = None
    usage: UsagePeek | None = None
    error: Any = None


class AnswerPeek(msgspec.Struct):
    """A whole answer."""

    usage: UsagePeek | None = None


_CHUNK = msgspec.json.Decoder(ChunkPeek)
_LATER_CHUNK = msgspec.json.Decoder(LaterChunkPeek)
_ANSWER = msgspec.json.Decoder(AnswerPeek)


def answer(body: bytes) -> AnswerPeek:
    """Check a whole answer and read its usage.

    Raises:
        MalformedJsonError: if it is not well-formed UTF-8 JSON.

    """
    try:
        if not body.isascii():
            body.decode()
        return _ANSWER.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        fields = _slowly(body)
        return AnswerPeek(_usage(fields.get("usage")))


def chunk(payload: bytes, *, with_delta: bool) -> ChunkPeek | LaterChunkPeek:
    """Check one chunk and read what completes, counts and fails a stream.

    Raises:
        MalformedJsonError: if it is not well-formed UTF-8 JSON.

    """
    try:
        if not payload.isascii():
            payload.decode()
        return _CHUNK.decode(payload) if with_delta else _LATER_CHUNK.decode(payload)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _chunk_slowly(payload)


def _slowly(data: bytes) -> dict[str, Any]:
    jsontext.check_slowly(data)
    try:
        value = json.loads(data, parse_int=_number)
    except RecursionError as exc:
        msg = "nested too deeply"
        raise jsontext.MalformedJsonError(msg) from exc
    return value if isinstance(value, dict) else {}


def _number(text: str) -> int | None:
    # Longer numbers are no counts, and Python refuses to read them at all.
    return int(text) if len(text) < 19 else None


def _chunk_slowly(payload: bytes) -> ChunkPeek:
    fields = _slowly(payload)
    listed = fields.get("choices")
    choices = (
        [_choice(c) for c in listed if isinstance(c, dict)] if isinstance(listed, list) else None
    )
    return ChunkPeek(choices, _usage(fields.get("usage")), fields.get("error"))


def _choice(fields: dict[str, Any]) -> ChoicePeek:
    index, reason, delta = (fields.get(k) for k in ("index", "finish_reason", "delta"))
    return ChoicePeek(
        index if isinstance(index, int) else None,
        None if reason is None else str(reason),
        delta if isinstance(delta, dict) else None,
    )


def _usage(value: object) -> UsagePeek | None:
    if not isinstance(value, dict):
        return None
    prompt, completion = (value.get(f"{k}_tokens_details") for k in ("prompt", "completion"))
    return UsagePeek(
        _count(value, "prompt_tokens"),
        _count(value, "completion_tokens"),
        _Details(cached_tokens=_count(prompt, "cached_tokens")),
        _Details(reasoning_tokens=_count(completion, "reasoning_tokens")),
    )


def _count(fields: object, key: str) -> int | None:
    value = fields.get(key) if isinstance(fields, dict) else None
    return int(value) if isinstance(value, int | float) and abs(value) < _MOST_TOKENS else None
