"""The parts of one candidate, as they come, turned into deltas of OpenAI's message.

A whole answer is a stream of one chunk: both are read here, so what a client puts together is the same.
Beside OpenAI's own members a delta carries `reasoning_content` for thoughts; `thought_signatures` and,
on a call, `extra_content.google.thought_signature`, to be sent back; `images`; and `provider_blocks`,
what OpenAI has no word for: code that Gemini runs, its own tools and their results. Those are never
`tool_calls`: a client would try to run them. `router.providers.gemini.replay` tells what they mean.
Source: https://ai.google.dev/api/caching#Part.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import msgspec

from router.providers.gemini.draft import MADE_ID, FunctionNames
from router.providers.gemini.partial import PartialArg, PartialArguments

Delta = dict[str, Any]

NO_ARGUMENTS: Final = "{}"
"""Arguments of a call that has none."""


class _Part(msgspec.Struct, rename="camel"):
    """A part of any kind; what is read leniently is anything."""

    text: Any = None
    thought: Any = None
    thought_signature: Any = None
    function_call: msgspec.Raw = msgspec.Raw(b"")
    inline_data: Any = None


class _Call(msgspec.Struct, rename="camel"):
    """A function call, whole or a piece of one; `args` is the text that the provider wrote."""

    id: Any = None
    name: Any = None
    args: msgspec.Raw = msgspec.Raw(b"")
    partial_args: list[PartialArg] | None = None
    will_continue: Any = None


_PART = msgspec.json.Decoder(_Part)
_CALL = msgspec.json.Decoder(_Call)
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])

_SAYS_NOTHING: Final = frozenset({"thought", "thoughtSignature", "text"})


@dataclass(slots=True)
class CallIds:
    """Ids for calls that Gemini gave none: unique in a conversation, and known as ours when they return."""

    answer: str
    _numbers: Iterator[int] = field(default_factory=count)

    def next(self) -> str:
        return f"{MADE_ID}{self.answer}_{next(self._numbers)}"


@dataclass(slots=True)
class _Open:
    """A call whose arguments are still to come."""

    index: int
    arguments: PartialArguments


@dataclass(slots=True)
class Reader:
    """Reads one candidate. Lives as long as one answer."""

    names: FunctionNames
    ids: CallIds
    has_text: bool = False
    calls: int = 0
    _lengths: dict[str, int] = field(default_factory=lambda: {"text": 0, "thought": 0})
    _counts: dict[str, int] = field(default_factory=dict)
    _open: _Open | None = None
    _has_audio: bool = False

    def read(self, raw: msgspec.Raw) -> Iterator[Delta]:
        """Yield what a part says.

        Raises:
            ValueError: if it is no part at all.

        """
        part = _PART.decode(raw)
        signature = part.thought_signature if isinstance(part.thought_signature, str) else ""
        if bytes(part.function_call) not in (b"", b"null"):
            yield from self._call(_CALL.decode(part.function_call), signature)
        elif isinstance(part.text, str):
            yield from self._say(part.text, signature, is_thought=part.thought is True)
        elif isinstance(part.inline_data, dict) and part.thought is not True:
            yield from self._show(part.inline_data, raw, signature)
        elif _MEMBERS.decode(raw).keys() - _SAYS_NOTHING:
            yield self._own(raw)
        elif signature:
            yield from self._say("", signature, is_thought=part.thought is True)

    def finish(self) -> Iterator[Delta]:
        """Yield what has waited for the candidate's end."""
        yield from self._close()

    def _next(self, name: str) -> int:
        self._counts[name] = self._counts.get(name, -1) + 1
        return self._counts[name]

    def _say(self, text: str, signature: str, *, is_thought: bool) -> Iterator[Delta]:
        kind = "thought" if is_thought else "text"
        at = self._lengths[kind]
        self._lengths[kind] += len(text)
        delta: Delta = {}
        if text:
            self.has_text |= not is_thought
            delta["reasoning_content" if is_thought else "content"] = text
        if signature:
            entry = {"index": self._next("thought_signatures"), "part": kind}
            entry |= {"at": at, "length": len(text), "thought_signature": signature}
            delta["thought_signatures"] = [entry]
        if delta:
            yield delta

    def _own(self, raw: msgspec.Raw) -> Delta:
        """Give a part of Gemini's own as it is."""
        place = {"index": self._next("provider_blocks"), "at": self._lengths["text"]}
        return {"provider_blocks": [{**place, **_MEMBERS.decode(raw)}]}

    def _show(self, media: dict[str, Any], raw: msgspec.Raw, signature: str) -> Iterator[Delta]:
        media_type, data = media.get("mimeType"), media.get("data")
        if not isinstance(media_type, str) or not isinstance(data, str):
            yield self._own(raw)
        elif media_type.startswith("image/"):
            url = f"data:{media_type};base64,{data}"
            entry = {"index": self._next("images"), "type": "image_url", "image_url": {"url": url}}
            entry |= {"at": self._lengths["text"]}
            yield {"images": [entry | ({"thought_signature": signature} if signature else {})]}
        elif media_type.startswith("audio/") and not signature:
            yield {"audio": {"data": data} | self._audio_type(media_type)}
        else:
            yield self._own(raw)

    def _audio_type(self, media_type: str) -> dict[str, Any]:
        """Return what is said of audio once, before its first piece."""
        if self._has_audio:
            return {}
        self._has_audio = True
        return {"id": f"audio_{self.ids.answer}", "mime_type": media_type}

    def _call(self, call: _Call, signature: str) -> Iterator[Delta]:
        if isinstance(call.name, str) and call.name:
            yield from self._close()
            yield from self._begin(call, signature)
        elif self._open is not None and signature:
            yield _entry(self._open.index, **_signed(signature))
        if self._open is not None:
            for piece in call.partial_args or ():
                self._open.arguments.add(piece)
            if call.will_continue is not True:
                yield from self._close()

    def _begin(self, call: _Call, signature: str) -> Iterator[Delta]:
        index = self.calls
        self.calls += 1
        is_whole = call.will_continue is not True and not call.partial_args
        arguments = bytes(call.args).decode()
        if not is_whole:
            self._open = _Open(index, PartialArguments(arguments))
            arguments = ""
        elif arguments in ("", "null"):
            arguments = NO_ARGUMENTS
        given = call.id if isinstance(call.id, str) and call.id else self.ids.next()
        function = {"name": self.names.told(call.name), "arguments": arguments}
        yield _entry(index, id=given, type="function", function=function, **_signed(signature))

    def _close(self) -> Iterator[Delta]:
        opened, self._open = self._open, None
        if opened is not None:
            yield _entry(opened.index, function={"arguments": opened.arguments.text()})


def _entry(index: int, **members: Any) -> Delta:
    return {"tool_calls": [{"index": index, **members}]}


def _signed(signature: str) -> dict[str, Any]:
    google = {"google": {"thought_signature": signature}}
    return {"extra_content": google} if signature else {}
