"""A chat completion request as Gemini's generateContent: says what the caller said, and no more.

Sources: https://platform.openai.com/docs/api-reference/chat/create,
https://ai.google.dev/api/generate-content.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from router.errors import InvalidRequestError
from router.providers import fields
from router.providers.capabilities import Carrier
from router.providers.fields import Members
from router.providers.gemini.address import is_on_vertex, model_in
from router.providers.gemini.draft import Draft, FunctionNames
from router.providers.gemini.families import family_of
from router.providers.gemini.generation import encode_generation
from router.providers.gemini.tools import encode_tools
from router.providers.gemini.turns import encode_messages
from router.values import Deployment, Dialect
from router.wire.chat_request import ChatRequest

_MEMBERS = msgspec.json.Decoder(Members)

_CARRIER: Final = Carrier(Dialect.GEMINI)

NATIVE_FIELDS: Final[Mapping[str, str]] = {
    "safety_settings": "safetySettings",
    "cached_content": "cachedContent",
    "labels": "labels",
}
"""Gemini's own fields, by the snake case that OpenAI's callers write; either spelling passes as it is."""

NATIVE_GENERATION: Final[Mapping[str, str]] = {
    "thinking_config": "thinkingConfig",
    "speech_config": "speechConfig",
    "image_config": "imageConfig",
    "media_resolution": "mediaResolution",
    "audio_timestamp": "audioTimestamp",
    "response_modalities": "responseModalities",
}
"""Members of `generationConfig` that pass likewise."""

NATIVE_WHOLE: Final[Mapping[str, str]] = {
    "generation_config": "generationConfig",
    "tool_config": "toolConfig",
}
"""Objects whose members stand beside what OpenAI's fields became."""

_TIERS: Final[Mapping[str, str]] = {
    "default": "standard",
    "flex": "flex",
    "priority": "priority",
}
"""`service_tier` by OpenAI's values; `auto` is Gemini's own default, others are reported."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A request as it goes out, and what the decoder must know of it."""

    body: bytes
    dropped: tuple[str, ...]
    names: FunctionNames


def encode(request: ChatRequest, deployment: Deployment) -> Encoded:
    """Translate `request` for `deployment`.

    Raises:
        InvalidRequestError: if the request is not as OpenAI has it, or its content cannot be carried.

    """
    family = family_of(model_in(deployment.path) or deployment.upstream_model)
    draft = Draft(_fields(request), family, is_on_vertex(deployment.path))
    encode_messages(draft)
    encode_tools(draft)
    encode_generation(draft)
    _encode_tier(draft)
    asked = draft.generation.get("thinkingConfig")
    _pass_native(draft.fields, draft)
    _pass_extra_body(draft)
    _report_overruled(asked, draft)
    if draft.generation:
        draft.body["generationConfig"] = draft.generation
    draft.dropped += _CARRIER.left_out(draft.fields)
    return Encoded(
        msgspec.json.encode(draft.body), tuple(dict.fromkeys(draft.dropped)), draft.names
    )


def _fields(request: ChatRequest) -> Members:
    try:
        return _MEMBERS.decode(request.body)
    except (msgspec.DecodeError, RecursionError) as exc:
        msg = f"The request cannot be translated for this model: {exc}"
        raise InvalidRequestError(msg) from exc


def _encode_tier(draft: Draft) -> None:
    tier = fields.text(draft.fields.get("service_tier"), "service_tier")
    if tier in (None, "auto"):
        return
    if tier in _TIERS and not draft.is_on_vertex:
        draft.body["serviceTier"] = _TIERS[tier]
    elif tier != "default":
        draft.dropped.append("service_tier")


def _pass_native(found: Members, draft: Draft) -> None:
    for snake, own in NATIVE_FIELDS.items():
        if (value := _either(found, snake, own)) is not None:
            draft.body[own] = value
    for snake, own in NATIVE_GENERATION.items():
        if (value := _either(found, snake, own)) is not None:
            draft.generation[own] = value
    for snake, own in NATIVE_WHOLE.items():
        if (value := _either(found, snake, own)) is not None:
            target = (
                draft.generation if own == "generationConfig" else draft.body.setdefault(own, {})
            )
            target |= fields.members(value, snake)


def _report_overruled(asked: object, draft: Draft) -> None:
    """Report what asked for thinking in other words than Gemini's own, which came before it."""
    if asked is None or draft.generation["thinkingConfig"] is asked:
        return
    stated = (k for k in ("thinking", "reasoning_effort") if k in draft.fields)
    draft.dropped += [k for k in stated if not fields.says_nothing(draft.fields[k])]


def _either(found: Members, snake: str, own: str) -> msgspec.Raw | None:
    for name in (snake, own):
        value = found.get(name)
        if not fields.says_nothing(value):
            return value
    return None


def _pass_extra_body(draft: Draft) -> None:
    """Read `extra_body.google`, which Google documents for OpenAI's clients."""
    extra = fields.members(draft.fields.get("extra_body"), "extra_body")
    google = fields.members(extra.get("google"), "extra_body.google")
    _pass_native(google, draft)
    draft.dropped += [f"extra_body.{key}" for key in extra if key != "google"]
    unknown = [key for key in google if key not in _CARRIER.native]
    draft.dropped += [f"extra_body.google.{key}" for key in unknown]
