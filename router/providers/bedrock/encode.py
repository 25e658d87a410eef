"""A chat completion request as a Converse request: says what the caller said, and no more.

Sources: https://platform.openai.com/docs/api-reference/chat/create,
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html.
"""

from dataclasses import dataclass
from typing import Final

import msgspec

from router.errors import InvalidRequestError
from router.providers import fields
from router.providers.bedrock import inference
from router.providers.bedrock.draft import Draft
from router.providers.bedrock.families import family_at
from router.providers.bedrock.tools import encode_tools
from router.providers.bedrock.turns import encode_messages
from router.providers.capabilities import Carrier
from router.providers.fields import Members
from router.providers.names import Names
from router.values import Deployment, Dialect
from router.wire.chat_request import ChatRequest

_MEMBERS = msgspec.json.Decoder(Members)

_CARRIER: Final = Carrier(Dialect.BEDROCK)

NATIVE_FIELDS: Final = (
    "guardrailConfig", "additionalModelResponseFieldPaths", "promptVariables", "requestMetadata",
    "performanceConfig", "serviceTier",
)  # fmt: skip
"""Converse's own fields; a caller who sends them means them, and they pass as they are."""

_MERGED: Final = ("inferenceConfig", "outputConfig")
"""Converse's own fields whose members stand beside what OpenAI's fields became."""

_CLAUDE_FIELDS: Final = ("thinking", "anthropic_beta")
"""Anthropic's own fields, which Claude on Bedrock takes in `additionalModelRequestFields`."""

_ADDITIONAL: Final = "additionalModelRequestFields"


@dataclass(frozen=True, slots=True)
class Encoded:
    """A request as it goes out, and what the decoder must know of it."""

    body: bytes
    dropped: tuple[str, ...]
    tool_names: Names
    tool_ids: Names
    json_tool: str | None


def encode(request: ChatRequest, deployment: Deployment) -> Encoded:
    """Translate `request` for `deployment`.

    Raises:
        InvalidRequestError: if the request is not as OpenAI has it, or its content cannot be carried.

    """
    draft = Draft(_fields(request), family_at(deployment))
    _refuse_choices(draft)
    encode_messages(draft)
    encode_tools(draft)
    _read_additional(draft)
    inference.encode_limits(draft)
    inference.encode_effort(draft)
    inference.encode_sampling(draft)
    inference.encode_tier(draft)
    inference.encode_metadata(draft)
    _pass_native(draft)
    _report_others(draft)
    if draft.additional:
        draft.body[_ADDITIONAL] = draft.additional
    body = {key: value for key, value in draft.body.items() if value or key == "messages"}
    return Encoded(
        msgspec.json.encode(body),
        tuple(dict.fromkeys(draft.dropped)),
        draft.tool_names,
        draft.tool_ids,
        draft.json_tool,
    )


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


def _read_additional(draft: Draft) -> None:
    """Take over the model's own fields; the caller's word counts before what we make of OpenAI's."""
    own = fields.members(draft.fields.get(_ADDITIONAL), _ADDITIONAL)
    draft.additional |= {key: fields.anything(value, _ADDITIONAL) for key, value in own.items()}
    for name in _CLAUDE_FIELDS:
        value = draft.fields.get(name)
        if draft.family.claude is not None and not fields.says_nothing(value):
            draft.additional[name] = fields.anything(value, name)


def _pass_native(draft: Draft) -> None:
    for name in NATIVE_FIELDS:
        if not fields.says_nothing(draft.fields.get(name)):
            draft.body[name] = draft.fields[name]
    for name in _MERGED:
        draft.body[name] = draft.body.get(name, {}) | fields.members(draft.fields.get(name), name)


def _report_others(draft: Draft) -> None:
    draft.dropped += _CARRIER.left_out(draft.fields)
    if draft.family.claude is None:
        asked = [name for name in _CLAUDE_FIELDS if not fields.says_nothing(draft.fields.get(name))]
        draft.dropped += asked
