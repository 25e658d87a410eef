"""A chat completion request as Cohere's v2 chat request: says what the caller said, and no more.

Cohere refuses fields that it does not know, so nothing passes but what is named here.
Sources: https://platform.openai.com/docs/api-reference/chat/create, https://docs.cohere.com/reference/chat.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from router.errors import InvalidRequestError
from router.providers import fields
from router.providers.capabilities import Carrier
from router.providers.cohere.draft import Draft
from router.providers.cohere.families import family_of
from router.providers.cohere.messages import encode_messages
from router.providers.cohere.tools import encode_tools
from router.providers.fields import Members
from router.values import Deployment, Dialect
from router.wire.chat_request import ChatRequest

_MEMBERS = msgspec.json.Decoder(Members)

_CARRIER: Final = Carrier(Dialect.COHERE)

_AS_THEY_ARE: Final = ("thinking", "safety_mode", "citation_options", "strict_tools", "priority")
"""Of Cohere's own fields those that no other field has a say in."""

_RANGES: Final[Mapping[str, tuple[str, float, float]]] = {
    "top_p": ("p", 0.01, 0.99),
    "frequency_penalty": ("frequency_penalty", 0.0, 1.0),
    "presence_penalty": ("presence_penalty", 0.0, 1.0),
}
"""Numbers that have a narrower range at Cohere: its name for each, least and most. Reported if changed."""

_NUMBERS: Final[Mapping[str, str]] = {
    "temperature": "temperature",
    "p": "p",
    "seed": "seed",
    "top_k": "k",
    "k": "k",
}
"""Numbers that pass as the caller wrote them, and Cohere's name for each."""

_BUDGETS: Final[Mapping[str, int | None]] = {
    "minimal": 512,
    "low": 1_024,
    "medium": 2_048,
    "high": 4_096,
    "xhigh": 8_192,
    "max": None,
}
"""Thinking budgets in tokens, by `reasoning_effort`; None leaves it to the model."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A request as it goes out."""

    body: bytes
    dropped: tuple[str, ...]


def encode(request: ChatRequest, deployment: Deployment) -> Encoded:
    """Translate `request` for `deployment`.

    Raises:
        InvalidRequestError: if the request is not as OpenAI has it, or its content cannot be carried.

    """
    draft = Draft(_fields(request), family_of(deployment.upstream_model))
    _refuse_choices(draft)
    draft.body["model"] = deployment.upstream_model
    encode_messages(draft)
    _encode_documents(draft)
    encode_tools(draft)
    _encode_limits(draft)
    _encode_sampling(draft)
    _encode_logprobs(draft)
    _encode_effort(draft)
    for name in _AS_THEY_ARE:
        if not fields.says_nothing(draft.fields.get(name)):
            draft.body[name] = draft.fields[name]
    draft.body["stream"] = request.stream
    draft.dropped += _CARRIER.left_out(draft.fields)
    return Encoded(msgspec.json.encode(draft.body), tuple(dict.fromkeys(draft.dropped)))


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


def _encode_documents(draft: Draft) -> None:
    """Join the caller's own list of Cohere's documents with the files among the messages."""
    own = fields.anything(draft.fields.get("documents"), "documents") or []
    if not isinstance(own, list):
        raise InvalidRequestError("'documents' must be a list.", param="documents")
    if documents := own + draft.documents:
        draft.body["documents"] = documents


def _encode_limits(draft: Draft) -> None:
    for name in ("max_completion_tokens", "max_tokens"):
        asked = fields.integer(draft.fields.get(name), name)
        if asked is not None:
            draft.body["max_tokens"] = asked
            break
    if stop := fields.texts(draft.fields.get("stop"), "stop"):
        draft.body["stop_sequences"] = stop


def _encode_sampling(draft: Draft) -> None:
    for name, (sent, least, most) in _RANGES.items():
        asked = fields.number(draft.fields.get(name), name)
        if asked is not None:
            fitting = min(max(asked, least), most)
            draft.body[sent] = draft.fields[name] if fitting == asked else fitting
            if fitting != asked:
                draft.dropped.append(name)
    for name, sent in _NUMBERS.items():
        if fields.number(draft.fields.get(name), name) is not None:
            draft.body[sent] = draft.fields[name]


def _encode_logprobs(draft: Draft) -> None:
    """Ask for probabilities: of what was generated; what else might have been Cohere does not say."""
    if fields.boolean(draft.fields.get("logprobs"), "logprobs"):
        draft.body["logprobs"] = True


def _encode_effort(draft: Draft) -> None:
    """Fill `thinking` from `reasoning_effort`; Cohere's own field, where it is given, decides alone."""
    effort = fields.text(draft.fields.get("reasoning_effort"), "reasoning_effort")
    if effort is None:
        return
    if effort not in (*_BUDGETS, "none"):
        known = ", ".join(("none", *_BUDGETS))
        msg = f"Invalid value for 'reasoning_effort': '{effort}'. Supported values are: {known}."
        raise InvalidRequestError(msg, param="reasoning_effort")
    is_native = not fields.says_nothing(draft.fields.get("thinking"))
    if is_native or not draft.family.thinks:
        draft.dropped += ["reasoning_effort"] if is_native or effort != "none" else []
    elif effort == "none":
        draft.body["thinking"] = {"type": "disabled"}
    else:
        budget = _BUDGETS[effort]
        draft.body["thinking"] = {"type": "enabled"} | ({"token_budget": budget} if budget else {})
