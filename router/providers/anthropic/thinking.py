"""How much the model is to think, and how its words are to be drawn: the two limit each other.

Sources: https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking, …/effort,
…/extended-thinking#feature-compatibility (sampling, forced tools, prefill).
"""

from collections.abc import Callable, Mapping
from typing import Final

from router.errors import InvalidRequestError
from router.providers.anthropic import fields
from router.providers.anthropic.draft import Draft
from router.providers.anthropic.families import Sampling, Thinking
from router.providers.anthropic.turns import lacks_thinking

MIN_BUDGET: Final = 1_024
"""Least tokens that Anthropic takes as a thinking budget."""

_BUDGETS: Final[Mapping[str, int]] = {
    "minimal": MIN_BUDGET,
    "low": 1_024,
    "medium": 2_048,
    "high": 4_096,
    "xhigh": 8_192,
    "max": 16_384,
}
"""Thinking budgets in tokens, by `reasoning_effort`."""

_EFFORTS: Final[Mapping[str, tuple[str, ...]]] = {
    "minimal": ("low",),
    "low": ("low",),
    "medium": ("medium",),
    "high": ("high",),
    "xhigh": ("xhigh", "max", "high"),
    "max": ("max", "xhigh", "high"),
}
"""Values of `output_config.effort`, by `reasoning_effort`; the first that the family has counts."""

_NEUTRAL: Final = 1.0
"""The default of `temperature` and `top_p`: whoever asks for it asks for nothing."""

_MIN_TOP_P_WITH_THINKING: Final = 0.95


def encode_thinking(draft: Draft) -> None:
    """Fill `thinking` and `output_config.effort` from `reasoning_effort`.

    Raises:
        InvalidRequestError: for an effort that OpenAI does not know either.

    """
    effort = fields.text(draft.fields.get("reasoning_effort"), "reasoning_effort")
    if effort is None:
        return
    if effort not in (*_BUDGETS, "none"):
        known = ", ".join(("none", *_BUDGETS))
        msg = f"Invalid value for 'reasoning_effort': '{effort}'. Supported values are: {known}."
        raise InvalidRequestError(msg, param="reasoning_effort")
    is_native = not fields.says_nothing(draft.fields.get("thinking"))
    if is_native or not _HOW[draft.family.thinking](effort, draft):
        draft.dropped.append("reasoning_effort")


def _not_at_all(effort: str, _draft: Draft) -> bool:
    return effort == "none"


def _by_budget(effort: str, draft: Draft) -> bool:
    """Ask for a budget, unless something else in the request rules thinking out."""
    if effort == "none":
        return True
    room = draft.body["max_tokens"] - 1
    is_forced = draft.body.get("tool_choice", {}).get("type") in ("any", "tool")
    if room < MIN_BUDGET or is_forced or lacks_thinking(draft.body["messages"]):
        return False
    draft.body["thinking"] = {"type": "enabled", "budget_tokens": min(_BUDGETS[effort], room)}
    return True


def _adaptively(effort: str, draft: Draft) -> bool:
    if effort == "none":
        draft.body["thinking"] = {"type": "disabled"}
        return True
    draft.body["thinking"] = {"type": "adaptive"}
    chosen = next(value for value in _EFFORTS[effort] if value in draft.family.efforts)
    draft.body.setdefault("output_config", {})["effort"] = chosen
    return True


def _always(effort: str, draft: Draft) -> bool:
    return effort != "none" and _adaptively(effort, draft)


_HOW: Final[Mapping[Thinking, Callable[[str, Draft], bool]]] = {
    Thinking.NONE: _not_at_all,
    Thinking.BUDGET: _by_budget,
    Thinking.ADAPTIVE: _adaptively,
    Thinking.ALWAYS: _always,
}
"""How each kind of family takes an effort; False where it cannot."""


def encode_sampling(draft: Draft) -> None:
    """Fill `temperature`, `top_p` and `top_k` as far as the family, and thinking, let them stand.

    Raises:
        InvalidRequestError: for one that is no number.

    """
    temperature = fields.number(draft.fields.get("temperature"), "temperature")
    top_p = fields.number(draft.fields.get("top_p"), "top_p")
    top_k = fields.integer(draft.fields.get("top_k"), "top_k")
    sampling = draft.family.sampling
    if sampling is Sampling.FIXED:
        asked = {"temperature": temperature, "top_p": top_p}
        draft.dropped += [k for k, v in asked.items() if v not in (None, _NEUTRAL)]
        draft.dropped += ["top_k"] if top_k is not None else []
        return
    thinks = _thinks(draft)
    if temperature is not None:
        # OpenAI's scale goes to 2, Anthropic's to 1; a thinking model keeps to the default.
        if temperature > 1 or (thinks and temperature < 1):
            draft.dropped.append("temperature")
        if temperature > 1:
            draft.body["temperature"] = 1
        elif temperature == 1 or not thinks:
            draft.body["temperature"] = draft.fields["temperature"]
    if top_p is not None:
        _encode_top_p(top_p, draft, thinks=thinks)
    if top_k is not None:
        if thinks:
            draft.dropped.append("top_k")
        else:
            draft.body["top_k"] = draft.fields["top_k"]


def _encode_top_p(top_p: float, draft: Draft, *, thinks: bool) -> None:
    is_second = draft.family.sampling is Sampling.ONE and "temperature" in draft.body
    if is_second and top_p == _NEUTRAL:
        return
    if is_second or (thinks and top_p < _MIN_TOP_P_WITH_THINKING):
        draft.dropped.append("top_p")
    else:
        draft.body["top_p"] = draft.fields["top_p"]


def _thinks(draft: Draft) -> bool:
    native = fields.members(draft.fields.get("thinking"), "thinking")
    if native:
        return fields.text(native.get("type"), "thinking.type") in ("enabled", "adaptive")
    thinking = draft.body.get("thinking", {})
    return thinking.get("type") in ("enabled", "adaptive")
