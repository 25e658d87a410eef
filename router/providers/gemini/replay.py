"""An assistant's message as the parts that Gemini once gave, its signatures in their places.

Gemini signs parts of its answer (`thoughtSignature`) and wants them back as they were: on the function
call, on the text, on its own tools' parts. A client that resends the message as it got it replays them:

- on a call, `extra_content.google.thought_signature`, Google's own spelling for OpenAI's API. LiteLLM's
  `provider_specific_fields.thought_signature`, its ids with `__thought__`, and OpenRouter's
  `reasoning_details` are understood too;
- `thought_signatures` on the message: `{"part": "text" or "thought", "at", "length",
  "thought_signature"}` for `length` characters from `at` on of `content` or `reasoning_content`;
- `provider_blocks`, parts that OpenAI has no word for, as they were; `images`, those that the model made.
  Their `at` is the place in `content` before which they stood.

Source: https://ai.google.dev/gemini-api/docs/thought-signatures.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import msgspec

from router.errors import InvalidRequestError
from router.providers import fields
from router.providers.fields import Members
from router.providers.gemini import content
from router.providers.gemini.draft import MADE_ID, Draft, Part
from router.wire import jsontext

_ID_WITH_SIGNATURE: Final = "__thought__"
_PLACES: Final = frozenset({"index", "at"})

OWN_PARTS: Final = frozenset({
    "executableCode", "codeExecutionResult", "toolCall", "toolResponse", "inlineData", "fileData",
    "functionCall", "functionResponse",
})  # fmt: skip
"""One of these is in each part that `provider_blocks` may replay; others are not of Gemini's making."""


@dataclass(frozen=True, slots=True)
class _Signed:
    """A signature, and the text that it signs."""

    at: int
    length: int
    signature: str


@dataclass(slots=True)
class _Signatures:
    """All that an assistant's message says of signatures, apart from its calls."""

    text: list[_Signed] = field(default_factory=list)
    thought: list[_Signed] = field(default_factory=list)


def assistant_parts(message: Members, param: str, draft: Draft) -> list[Part]:
    """Return the parts of an assistant's turn.

    Raises:
        InvalidRequestError: for content that cannot be carried, or that is not as OpenAI has it.

    """
    signatures = _signatures(message, param)
    thoughts = _thoughts(message, param, draft)
    blocks = [*_provider_blocks(message, param, draft), *_media(message, param)]
    spoken = _spoken(message, param, draft)
    if all(part.keys() == {"text"} for part in spoken):
        text = "".join(part["text"] for part in spoken)
        signed = signatures.text or _whole_signature(message, param, len(text))
        if signed or blocks:
            texts = _cut(text, signed, (at for at, _ in blocks))
            # What stood before a text stands before it again.
            blocks = sorted([*blocks, *texts], key=lambda placed: placed[0])
            spoken = []
    return [
        *(_as_thought(part) for _, part in _cut(thoughts, signatures.thought, ())),
        *(part for _, part in blocks),
        *spoken,
        *_calls(message, param, draft),
    ]


def _as_thought(part: Part) -> Part:
    """Return a part of what was thought; one that is signed alone has no text."""
    return {key: value for key, value in part.items() if value} | {"thought": True}


def call_id(told: str) -> str | None:
    """Return the id that Gemini is to see for a call; None for one that we made up."""
    bare = told.partition(_ID_WITH_SIGNATURE)[0]
    return bare if bare and not bare.startswith(MADE_ID) else None


def _spoken(message: Members, param: str, draft: Draft) -> list[Part]:
    found = fields.text_or_objects(message.get("content"), f"{param}.content")
    spoken = content.parts(found, f"{param}.content", draft)
    refusal = fields.text(message.get("refusal"), f"{param}.refusal")
    return [*spoken, {"text": refusal}] if refusal else spoken


def _signatures(message: Members, param: str) -> _Signatures:
    signatures = _Signatures()
    param = f"{param}.thought_signatures"
    for i, entry in enumerate(fields.objects(message.get("thought_signatures"), param)):
        where = f"{param}.[{i}]"
        signed = _Signed(
            _place(entry, "at", where),
            _place(entry, "length", where),
            fields.required_text(entry, "thought_signature", where),
        )
        of_thought = fields.text(entry.get("part"), f"{where}.part") == "thought"
        (signatures.thought if of_thought else signatures.text).append(signed)
    return signatures


def _whole_signature(message: Members, param: str, length: int) -> list[_Signed]:
    """Return the one signature that Google's and LiteLLM's spellings give for a message's text."""
    google = _google(message, param)
    found = fields.text(google.get("thought_signature"), f"{param}.extra_content.google")
    if not found:
        own = fields.anything(message.get("provider_specific_fields"), param)
        several = own.get("thought_signatures") if isinstance(own, dict) else None
        first = several[0] if isinstance(several, list) and several else None
        found = first if isinstance(first, str) else None
    return [_Signed(0, length, found)] if found else []


def _google(holder: Members, param: str) -> Members:
    extra = fields.members(holder.get("extra_content"), f"{param}.extra_content")
    return fields.members(extra.get("google"), f"{param}.extra_content.google")


def _place(entry: Members, key: str, param: str) -> int:
    return max(0, fields.integer(entry.get(key), f"{param}.{key}") or 0)


def _cut(text: str, signed: list[_Signed], places: Iterable[int]) -> list[tuple[int, Part]]:
    """Cut `text` where signatures begin and end and at `places`; return its parts with their places."""
    edges = {0, len(text), *places}
    for each in signed:
        edges |= {each.at, each.at + each.length}
    cuts = sorted(edge for edge in edges if edge <= len(text))
    found: list[tuple[int, Part]] = [(a, {"text": text[a:b]}) for a, b in pairwise(cuts)]
    by_end = {a + len(part["text"]): part for a, part in found}
    for each in signed:
        end = min(each.at + each.length, len(text))
        part = by_end.get(end) if each.length else None
        if part is None or "thoughtSignature" in part:
            part = {"text": ""}
            found.append((end, part))
        part["thoughtSignature"] = each.signature
    # Where a signature stands alone, it ends what was said before it.
    return sorted(found, key=lambda placed: (placed[0], placed[1]["text"] != ""))


def _thoughts(message: Members, param: str, draft: Draft) -> str:
    """Return what the model thought. Signatures of other vendors' cannot be replayed: reported."""
    said = ""
    for key in ("reasoning_content", "reasoning"):
        said = said or fields.text(message.get(key), f"{param}.{key}") or ""
    param = f"{param}.thinking_blocks"
    blocks = fields.objects(message.get("thinking_blocks"), param)
    if blocks:
        draft.dropped.append(param)
    if not said:
        said = "".join(fields.text(b.get("thinking"), param) or "" for b in blocks)
    return said


def _provider_blocks(message: Members, param: str, draft: Draft) -> list[tuple[int, Part]]:
    param = f"{param}.provider_blocks"
    found: list[tuple[int, Part]] = []
    for i, block in enumerate(fields.objects(message.get("provider_blocks"), param)):
        if OWN_PARTS.isdisjoint(block):
            draft.dropped.append(param)
            continue
        part = {key: value for key, value in block.items() if key not in _PLACES}
        found.append((_place(block, "at", f"{param}.[{i}]"), part))
    return found


def _media(message: Members, param: str) -> list[tuple[int, Part]]:
    """Return what the model made: `images`, in OpenRouter's spelling, and `audio`."""
    found: list[tuple[int, Part]] = []
    for i, image in enumerate(fields.objects(message.get("images"), f"{param}.images")):
        where = f"{param}.images.[{i}]"
        url = fields.members(image.get("image_url"), f"{where}.image_url")
        part = content.inline(fields.required_text(url, "url", where), where)
        signature = fields.text(image.get("thought_signature"), where)
        signed = {"thoughtSignature": signature} if signature else {}
        found.append((_place(image, "at", where), part | signed))
    audio = fields.members(message.get("audio"), f"{param}.audio")
    if audio:
        data = fields.required_text(audio, "data", f"{param}.audio")
        media_type = fields.text(audio.get("mime_type"), f"{param}.audio") or "audio/wav"
        found.append((0, content.inline(f"data:{media_type};base64,{data}", f"{param}.audio")))
    return found


def _calls(message: Members, param: str, draft: Draft) -> list[Part]:
    details = _signatures_by_id(message, param)
    calls = fields.objects(message.get("tool_calls"), f"{param}.tool_calls")
    return [_call(c, f"{param}.tool_calls.[{i}]", draft, details) for i, c in enumerate(calls)]


def _signatures_by_id(message: Members, param: str) -> dict[str, str]:
    """Read OpenRouter's spelling: https://openrouter.ai/docs/use-cases/reasoning-tokens."""
    found = {}
    for entry in fields.objects(message.get("reasoning_details"), f"{param}.reasoning_details"):
        told = {key: fields.anything(entry.get(key), param) for key in ("id", "data", "format")}
        if str(told["format"]).startswith("google") and isinstance(told["data"], str):
            found[str(told["id"])] = told["data"]
    return found


def _call(call: Members, param: str, draft: Draft, details: Mapping[str, str]) -> Part:
    kind = fields.text(call.get("type"), f"{param}.type")
    if kind not in (None, "function"):
        msg = f"Tool calls of type '{kind}' cannot be sent to this model."
        raise InvalidRequestError(msg, param=f"{param}.type")
    function = fields.members(call.get("function"), f"{param}.function")
    name = fields.required_text(function, "name", f"{param}.function")
    told = fields.text(call.get("id"), f"{param}.id") or ""
    sent: dict[str, Any] = {"name": draft.names.sent(name)}
    if (own := call_id(told)) is not None:
        sent = {"id": own} | sent
    sent["args"] = _arguments(function, f"{param}.function.arguments")
    part: Part = {"functionCall": sent}
    signature = _call_signature(call, function, param) or details.get(told)
    signature = signature or told.partition(_ID_WITH_SIGNATURE)[2]
    return part | ({"thoughtSignature": signature} if signature else {})


def _call_signature(call: Members, function: Members, param: str) -> str | None:
    google = _google(call, param)
    found = fields.text(google.get("thought_signature"), f"{param}.extra_content.google")
    for holder in (call, function):
        own = fields.anything(holder.get("provider_specific_fields"), param)
        theirs = own.get("thought_signature") if isinstance(own, dict) else None
        found = found or (theirs if isinstance(theirs, str) else None)
    return found


def _arguments(function: Members, param: str) -> msgspec.Raw:
    """Return the arguments as the object that they are the text of, in that very text."""
    text = fields.text(function.get("arguments"), param) or ""
    if not text.strip():
        return msgspec.Raw(b"{}")
    if not is_object(text):
        raise InvalidRequestError(f"'{param}' must be a JSON object.", param=param)
    return msgspec.Raw(text.encode())


def is_object(text: str) -> bool:
    """Whether `text` is a JSON object, from its first character to its last."""
    if not text.lstrip(" \t\r\n").startswith("{"):
        return False
    try:
        jsontext.check(text.encode())
    except (jsontext.MalformedJsonError, UnicodeEncodeError):
        return False
    return True
