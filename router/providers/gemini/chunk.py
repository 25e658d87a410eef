"""An answer of Gemini's, or one chunk of it: the same shape. Providers' answers are read leniently.

Source: https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse.
"""

from collections.abc import Iterator
from itertools import count
from typing import Any, Final

import msgspec

from router.wire import jsontext

_NONE: Final = msgspec.Raw(b"")


class Content(msgspec.Struct):
    """The content of a candidate."""

    parts: list[msgspec.Raw] | None = None


class Candidate(msgspec.Struct, rename="camel"):
    """One candidate; what only passes through is the text that the provider wrote."""

    content: Content | None = None
    index: Any = None
    finish_reason: Any = None
    finish_message: Any = None
    logprobs_result: msgspec.Raw = _NONE
    avg_logprobs: msgspec.Raw = _NONE
    safety_ratings: msgspec.Raw = _NONE
    citation_metadata: msgspec.Raw = _NONE
    grounding_metadata: msgspec.Raw = _NONE
    url_context_metadata: msgspec.Raw = _NONE


class Chunk(msgspec.Struct, rename="camel"):
    """A `GenerateContentResponse`, or an error in its place."""

    candidates: list[Candidate] | None = None
    prompt_feedback: msgspec.Raw = _NONE
    usage_metadata: Any = None
    model_version: Any = None
    response_id: Any = None
    error: Any = None


_CHUNK = msgspec.json.Decoder(Chunk)

_PASSED: Final = {
    "avgLogprobs": "avg_logprobs",
    "safetyRatings": "safety_ratings",
    "citationMetadata": "citation_metadata",
    "groundingMetadata": "grounding_metadata",
    "urlContextMetadata": "url_context_metadata",
}
"""What a choice carries besides, under Gemini's own names."""

MAX_CANDIDATES: Final = 128
"""An index beyond is not Gemini's: `candidateCount` ends at 8."""

_MAX_REASON: Final = 100

_EMPTY: Final = (b"", b"null", b"{}", b"[]")


def decode(data: bytes) -> Chunk:
    """Read one.

    Raises:
        ValueError: if it is none.

    """
    jsontext.check(data)
    if b"\n" in data:
        # Google sets its JSON out in lines; in what passes through they would be part of what is said.
        data = msgspec.json.format(data, indent=-1)
    return _CHUNK.decode(data)


def numbered(chunk: Chunk) -> Iterator[tuple[int, Candidate]]:
    """Yield the candidates with the index that each states, or else the first that none states.

    That is its place, or 0, which protobuf leaves out.
    """
    candidates = chunk.candidates or []
    stated = {index for each in candidates if (index := _index(each)) is not None}
    free = (index for index in count() if index not in stated)
    for candidate in candidates:
        index = _index(candidate)
        yield (next(free) if index is None else index), candidate


def _index(candidate: Candidate) -> int | None:
    found = candidate.index
    is_index = isinstance(found, int) and not isinstance(found, bool)
    return found if is_index and 0 <= found < MAX_CANDIDATES else None


def extras(candidate: Candidate) -> dict[str, Any]:
    """Return what a candidate says beyond OpenAI's fields."""
    raws = {key: getattr(candidate, name) for key, name in _PASSED.items()}
    found: dict[str, Any] = {key: raw for key, raw in raws.items() if bytes(raw) not in _EMPTY}
    message = text_of(candidate.finish_message)
    return found | ({"finishMessage": message} if message else {})


def block(chunk: Chunk) -> tuple[str, str] | None:
    """Return why the prompt itself was blocked, and what is said to it; None if it was not."""
    raw = bytes(chunk.prompt_feedback)
    found = msgspec.json.decode(raw) if raw else None
    feedback = found if isinstance(found, dict) else {}
    reason = feedback.get("blockReason")
    if not reason or not isinstance(reason, str | int):
        return None
    return str(reason)[:_MAX_REASON], text_of(feedback.get("blockReasonMessage"))


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else ""
