"""A chat completion request as Anthropic's Messages request: says what the caller said, and no more.

Sources: https://platform.openai.com/docs/api-reference/chat/create,
https://platform.claude.com/docs/en/api/messages.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from router.errors import InvalidRequestError
from router.providers import fields
from router.providers.anthropic.draft import Draft
from router.providers.anthropic.families import family_of
from router.providers.anthropic.platform import model_of, preamble
from router.providers.anthropic.thinking import encode_sampling, encode_thinking
from router.providers.anthropic.tools import encode_tools
from router.providers.anthropic.turns import encode_messages
from router.providers.capabilities import Carrier
from router.providers.fields import Members
from router.providers.names import Names
from router.values import Deployment, Dialect
from router.wire.chat_request import ChatRequest

_MEMBERS = msgspec.json.Decoder(Members)

_CARRIER: Final = Carrier(Dialect.ANTHROPIC)

_TIERS: Final[Mapping[str, str]] = {
    "auto": "auto",
    "priority": "auto",
    "fast": "auto",
    "default": "standard_only",
    "standard_only": "standard_only",
}
"""`service_tier` by OpenAI's values; others are reported."""

# Anthropic asks for no e-mail addresses and telephone numbers in `metadata.user_id`.
# Each part excludes what ends it, so that the work stays linear in what a caller sends.
_IDENTIFYING = re.compile(r"[^\s@]+@[^\s@]+|(?=[^+\s().-]{0,20}[+\s().-])\+?[\d\s().-]{7,20}")


@dataclass(frozen=True, slots=True)
class Encoded:
    """A request as it goes out, and what the decoder must know of it."""

    body: bytes
    dropped: tuple[str, ...]
    tool_names: Names
    json_tool: str | None


def encode(request: ChatRequest, deployment: Deployment) -> Encoded:
    """Translate `request` for `deployment`.

    Raises:
        InvalidRequestError: if the request is not as OpenAI has it, or its content cannot be carried.

    """
    draft = Draft(_fields(request), family_of(model_of(deployment)))
    _refuse_choices(draft)
    draft.body |= preamble(deployment)
    draft.body["max_tokens"] = _max_tokens(draft, deployment)
    encode_messages(draft)
    encode_tools(draft)
    encode_thinking(draft)
    encode_sampling(draft)
    _encode_stop(draft)
    _encode_user(draft)
    _encode_tier(draft)
    _pass_native(draft)
    if request.stream:
        draft.body["stream"] = True
    draft.dropped += _CARRIER.left_out(draft.fields)
    body = msgspec.json.encode(draft.body)
    return Encoded(body, tuple(dict.fromkeys(draft.dropped)), draft.tool_names, draft.json_tool)


def _fields(request: ChatRequest) -> Members:
    try:
        return _MEMBERS.decode(request.body)
    except (msgspec.DecodeError, RecursionError) as exc:
        msg = f"The request cannot be translated for this model: {exc}"
        raise InvalidRequestError(msg) from exc


def _refuse_choices(draft: Draft) -> None:
    n = fields.integer(draft.fields.get("n"), "n")
    if n is not None and n != 1:
        msg = "This model gives one choice at a time: 'n' must be 1."
        raise InvalidRequestError(msg, param="n")


def _max_tokens(draft: Draft, deployment: Deployment) -> int:
    """Return `max_tokens`, which Anthropic demands: the caller's, else the most the model can give."""
    for name in ("max_completion_tokens", "max_tokens"):
        asked = fields.integer(draft.fields.get(name), name)
        if asked is not None:
            return asked
    return deployment.max_output_tokens or draft.family.max_output_tokens


def _encode_stop(draft: Draft) -> None:
    asked = fields.texts(draft.fields.get("stop"), "stop")
    # Anthropic refuses stop sequences of white space alone.
    sent = [text for text in asked if text.strip()]
    if len(sent) < len(asked):
        draft.dropped.append("stop")
    if sent:
        draft.body["stop_sequences"] = sent


def _encode_user(draft: Draft) -> None:
    """Fill `metadata.user_id` from itself, `safety_identifier` or `user`; the first that is there counts."""
    metadata = fields.anything(draft.fields.get("metadata"), "metadata") or {}
    if not isinstance(metadata, dict):
        raise InvalidRequestError("'metadata' must be an object.", param="metadata")
    if metadata.keys() - {"user_id"}:
        draft.dropped.append("metadata")
    native = metadata.get("user_id")
    chosen = native if isinstance(native, str) else None
    for name in ("safety_identifier", "user"):
        user = fields.text(draft.fields.get(name), name)
        if user and (_IDENTIFYING.fullmatch(user) or chosen not in (None, user)):
            draft.dropped.append(name)
        elif user:
            chosen = user
    if chosen:
        draft.body["metadata"] = {"user_id": chosen}


def _encode_tier(draft: Draft) -> None:
    tier = fields.text(draft.fields.get("service_tier"), "service_tier")
    if tier is None:
        return
    if tier in _TIERS:
        draft.body["service_tier"] = _TIERS[tier]
    else:
        draft.dropped.append("service_tier")


def _pass_native(draft: Draft) -> None:
    for name in _CARRIER.native:
        value = draft.fields.get(name)
        if value is None or fields.says_nothing(value):
            continue
        if name == "output_config":
            # Its members stand beside what `response_format` and `reasoning_effort` became.
            own = fields.members(value, name)
            draft.body[name] = {**draft.body.get(name, {}), **own}
        else:
            draft.body[name] = value
