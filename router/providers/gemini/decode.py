"""A whole answer of Gemini's as a chat completion: the deltas of a stream of one chunk, put together."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from router.providers.adapter import Completion
from router.providers.gemini import answer, chunk, errors
from router.providers.gemini.choices import Choices, Context, Piece
from router.providers.gemini.chunk import Chunk

_LISTS: Final = ("thought_signatures", "provider_blocks", "images")


@dataclass(slots=True)
class _Message:
    """One choice, as its pieces add up."""

    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    refusal: str | None = None
    calls: list[dict[str, Any]] = field(default_factory=list)
    lists: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    audio: list[dict[str, Any]] = field(default_factory=list)
    extras: dict[str, Any] = field(default_factory=dict)
    finish_reason: str = "stop"

    def add(self, piece: Piece) -> None:
        delta = piece.delta
        self.texts += [delta["content"]] if "content" in delta else []
        self.thoughts += [delta["reasoning_content"]] if "reasoning_content" in delta else []
        self.refusal = delta.get("refusal", self.refusal)
        self.audio += [delta["audio"]] if "audio" in delta else []
        for entry in delta.get("tool_calls", ()):
            self._add_call(entry)
        for key in _LISTS:
            for entry in delta.get(key, ()):
                told = {name: value for name, value in entry.items() if name != "index"}
                self.lists.setdefault(key, []).append(told)
        self.extras |= piece.extras
        self.finish_reason = piece.finish_reason or self.finish_reason

    def _add_call(self, entry: dict[str, Any]) -> None:
        if entry["index"] == len(self.calls):
            self.calls.append({key: value for key, value in entry.items() if key != "index"})
            return
        call = self.calls[entry["index"]]
        call["function"]["arguments"] += entry.get("function", {}).get("arguments", "")
        if "extra_content" in entry:
            call["extra_content"] = entry["extra_content"]

    def told(self, index: int, created: int) -> dict[str, Any]:
        """Return the choice as OpenAI has it."""
        is_textless = bool(self.calls or self.refusal or self.audio or self.lists.get("images"))
        is_textless |= self.finish_reason == answer.FILTERED
        message = {
            "role": "assistant",
            "content": None if is_textless and not self.texts else "".join(self.texts),
            "refusal": self.refusal,
        }
        extras = {
            "tool_calls": self.calls,
            "reasoning_content": "".join(self.thoughts),
            "audio": _joined(self.audio, created),
            **self.lists,
        }
        return {
            "index": index,
            "message": message | {key: value for key, value in extras.items() if value},
            "logprobs": self.extras.pop("logprobs", None),
            "finish_reason": self.finish_reason,
            **self.extras,
        }


def _joined(pieces: list[dict[str, Any]], created: int) -> dict[str, Any]:
    """Return audio as OpenAI has it. Gemini keeps none, so it expires at once; it gives no transcript."""
    if not pieces:
        return {}
    data = pieces[0]["data"]
    if len(pieces) > 1:
        sound = b"".join(base64.b64decode(piece["data"]) for piece in pieces)
        data = base64.b64encode(sound).decode()
    return {**pieces[0], "data": data, "expires_at": created, "transcript": ""}


def decode(body: bytes, context: Context) -> Completion:
    """Read the body of a 200.

    Raises:
        UpstreamError: if it cannot be read, or is a failure in disguise.

    """
    choices = Choices(context)
    try:
        told = chunk.decode(body)
        _refuse(told)
        pieces = [*choices.add(told), *choices.finish()]
        completion = msgspec.json.encode(_completion(choices, pieces, context))
    except (ValueError, RecursionError, OverflowError) as exc:
        raise errors.unreadable("an answer", exc) from exc
    return Completion(completion, answer.read_usage(choices.usage))


def _refuse(told: Chunk) -> None:
    if told.error is not None:
        raise errors.stated_failure(told.error)
    if not told.candidates and chunk.block(told) is None:
        raise errors.unreadable("an answer without candidates")


def _completion(choices: Choices, pieces: Iterable[Piece], context: Context) -> dict[str, Any]:
    messages: dict[int, _Message] = {}
    for piece in pieces:
        messages.setdefault(piece.index, _Message()).add(piece)
    completion: dict[str, Any] = {
        "object": "chat.completion",
        **choices.envelope,
        "choices": [m.told(index, context.created) for index, m in sorted(messages.items())],
        "usage": answer.told_usage(choices.usage),
        "service_tier": answer.service_tier(choices.usage),
        "promptFeedback": choices.feedback,
    }
    return {key: value for key, value in completion.items() if value is not None}
