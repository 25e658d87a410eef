"""How the answer is drawn, how much the model is to reason, and who pays: all that is not conversation.

Sources: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InferenceConfiguration.html,
…/API_runtime_OutputConfig.html, …/API_runtime_ServiceTier.html, …/userguide/model-parameters.html, and
recorded requests (`thinking`, `reasoningConfig`, `inferenceConfig.topK`).
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from router.errors import InvalidRequestError
from router.providers import fields
from router.providers.anthropic.families import Sampling, Thinking
from router.providers.anthropic.thinking import BUDGETS, EFFORTS, MIN_BUDGET, sampled
from router.providers.bedrock.draft import Draft
from router.providers.bedrock.families import Effort
from router.providers.bedrock.turns import lacks_thinking

_NOVA_EFFORTS: Final[Mapping[str, str]] = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}

_TIERS: Final[Mapping[str, str]] = {"default": "default", "flex": "flex", "priority": "priority"}
"""`service_tier` by OpenAI's values; `auto` says nothing, others are reported."""

_TAG: Final = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}")
_MAX_TAGS: Final = 16


def encode_limits(draft: Draft) -> None:
    """Fill `maxTokens` and `stopSequences`.

    Raises:
        InvalidRequestError: for values of a wrong type.

    """
    inference = draft.body.setdefault("inferenceConfig", {})
    for name in ("max_completion_tokens", "max_tokens"):
        asked = fields.integer(draft.fields.get(name), name)
        if asked is not None:
            inference["maxTokens"] = asked
            break
    stops = fields.texts(draft.fields.get("stop"), "stop")
    # Claude refuses stop sequences of white space alone, all models refuse empty ones.
    is_claude = draft.family.claude is not None
    sent = [text for text in stops if (text.strip() if is_claude else text)]
    if len(sent) < len(stops):
        draft.dropped.append("stop")
    if sent:
        inference["stopSequences"] = sent


def encode_effort(draft: Draft) -> None:
    """Carry `reasoning_effort` by the family's own parameter.

    Raises:
        InvalidRequestError: for an effort that OpenAI does not know either.

    """
    effort = fields.text(draft.fields.get("reasoning_effort"), "reasoning_effort")
    if effort is None:
        return
    if effort not in (*BUDGETS, "none"):
        known = ", ".join(("none", *BUDGETS))
        msg = f"Invalid value for 'reasoning_effort': '{effort}'. Supported values are: {known}."
        raise InvalidRequestError(msg, param="reasoning_effort")
    is_native = any(key in draft.additional for key in _NATIVE_REASONING)
    if is_native or not _HOW[draft.family.effort](effort, draft):
        draft.dropped.append("reasoning_effort")


_NATIVE_REASONING: Final = ("thinking", "reasoning_config", "reasoningConfig", "reasoning_effort")


def _not_at_all(effort: str, _draft: Draft) -> bool:
    return effort == "none"


def _nova(effort: str, draft: Draft) -> bool:
    if effort == "none":
        draft.additional["reasoningConfig"] = {"type": "disabled"}
    else:
        level = _NOVA_EFFORTS[effort]
        draft.additional["reasoningConfig"] = {"type": "enabled", "maxReasoningEffort": level}
    return True


def _openai(effort: str, draft: Draft) -> bool:
    """Carry the efforts that the open models of OpenAI know."""
    if effort not in ("low", "medium", "high"):
        return False
    draft.additional["reasoning_effort"] = effort
    return True


def _claude(effort: str, draft: Draft) -> bool:
    family = draft.family.claude
    thinking = family.thinking if family else Thinking.NONE
    if thinking is Thinking.NONE:
        return effort == "none"
    if thinking is Thinking.BUDGET:
        return effort == "none" or _budget(effort, draft)
    if effort == "none":
        if thinking is Thinking.ALWAYS:
            return False
        draft.additional["thinking"] = {"type": "disabled"}
        return True
    draft.additional["thinking"] = {"type": "adaptive"}
    efforts = family.efforts if family else ()
    chosen = next(value for value in EFFORTS[effort] if value in efforts)
    draft.body.setdefault("outputConfig", {})["effort"] = chosen
    return True


def _budget(effort: str, draft: Draft) -> bool:
    """Ask for a budget, unless something else in the request rules thinking out."""
    limit = draft.body["inferenceConfig"].get("maxTokens")
    room = BUDGETS[effort] if limit is None else limit - 1
    choice = draft.body.get("toolConfig", {}).get("toolChoice", {})
    if room < MIN_BUDGET or choice.keys() & {"any", "tool"}:
        return False
    if lacks_thinking(draft.body["messages"]):
        return False
    draft.additional["thinking"] = {"type": "enabled", "budget_tokens": min(BUDGETS[effort], room)}
    return True


_HOW: Final[Mapping[Effort, Callable[[str, Draft], bool]]] = {
    Effort.NONE: _not_at_all,
    Effort.CLAUDE: _claude,
    Effort.NOVA: _nova,
    Effort.OPENAI: _openai,
}
"""How each kind of family takes an effort; False where it cannot."""


def encode_sampling(draft: Draft) -> None:
    """Fill `temperature`, `topP` and the family's own `top_k`, as far as it lets them stand.

    Raises:
        InvalidRequestError: for one that is no number.

    """
    claude = draft.family.claude
    sampling = claude.sampling if claude else Sampling.BOTH
    taken = sampled(
        draft.fields, sampling, draft.dropped, thinks=claude is not None and _thinks(draft)
    )
    inference = draft.body["inferenceConfig"]
    for name, native in (("temperature", "temperature"), ("top_p", "topP")):
        if name in taken:
            inference[native] = taken[name]
    if "top_k" not in taken:
        return
    if not draft.family.top_k:
        draft.dropped.append("top_k")
        return
    place = draft.additional
    *outer, name = draft.family.top_k
    for key in outer:
        place[key] = dict(place.get(key, {}))
        place = place[key]
    place[name] = taken["top_k"]


def _thinks(draft: Draft) -> bool:
    thinking = draft.additional.get("thinking", draft.additional.get("reasoning_config"))
    return isinstance(thinking, dict) and thinking.get("type") in ("enabled", "adaptive")


def encode_tier(draft: Draft) -> None:
    tier = fields.text(draft.fields.get("service_tier"), "service_tier")
    if tier in (None, "auto"):
        return
    if tier in _TIERS:
        draft.body["serviceTier"] = {"type": _TIERS[tier]}
    else:
        draft.dropped.append("service_tier")


def encode_metadata(draft: Draft) -> None:
    """Carry `metadata` as the tags that Bedrock keeps with its logs of requests."""
    metadata: Any = fields.anything(draft.fields.get("metadata"), "metadata")
    if not metadata:
        return
    if not isinstance(metadata, dict):
        raise InvalidRequestError("'metadata' must be an object.", param="metadata")
    is_taggable = len(metadata) <= _MAX_TAGS and all(
        key and isinstance(value, str) and _TAG.fullmatch(key) and _TAG.fullmatch(value)
        for key, value in metadata.items()
    )
    if is_taggable:
        draft.body["requestMetadata"] = metadata
    else:
        draft.dropped.append("metadata")
