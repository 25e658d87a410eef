"""How much the model is to think, and how its words are to be drawn: the two limit each other.

Sources: https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking, …/effort,
…/extended-thinking#feature-compatibility (sampling, forced tools, prefill).
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from router.errors import InvalidRequestError
from router.providers import fields
from router.providers.anthropic.draft import Draft
from router.providers.anthropic.families import Sampling, Thinking
from router.providers.anthropic.turns import lacks_thinking
from router.providers.capabilities import LIMITS
from router.providers.fields import Members
from router.values import Dialect

MIN_BUDGET: Final = 1_024
"""Least tokens that Anthropic takes as a thinking budget."""

BUDGETS: Final[Mapping[str, int]] = {
    "minimal": MIN_BUDGET,
    "low": 1_024,
    "medium": 2_048,
    "high": 4_096,
    "xhigh": 8_192,
    "max": 16_384,
}
"""Thinking budgets in tokens, by `reasoning_effort`."""

EFFORTS: Final[Mapping[str, tuple[str, ...]]] = {
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
    if effort not in (*BUDGETS, "none"):
        known = ", ".join(("none", *BUDGETS))
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
    draft.body["thinking"] = {"type": "enabled", "budget_tokens": min(BUDGETS[effort], room)}
    return True


def _adaptively(effort: str, draft: Draft) -> bool:
    if effort == "none":
        draft.body["thinking"] = {"type": "disabled"}
        return True
    draft.body["thinking"] = {"type": "adaptive"}
    chosen = next(value for value in EFFORTS[effort] if value in draft.family.efforts)
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
    sampling = draft.family.sampling
    draft.body |= sampled(draft.fields, sampling, draft.dropped, thinks=_thinks(draft))


def sampled(
    asked: Members, sampling: Sampling, dropped: list[str], *, thinks: bool
) -> dict[str, msgspec.Raw | float]:
    """Return `temperature`, `top_p` and `top_k` as a Claude takes them, on whatever platform.

    Raises:
        InvalidRequestError: for one that is no number.

    """
    temperature = fields.number(asked.get("temperature"), "temperature")
    top_p = fields.number(asked.get("top_p"), "top_p")
    top_k = fields.integer(asked.get("top_k"), "top_k")
    taken: dict[str, msgspec.Raw | float] = {}
    if sampling is Sampling.FIXED:
        neutral = {"temperature": _NEUTRAL, "top_p": _NEUTRAL, "top_k": None}
        values = {"temperature": temperature, "top_p": top_p, "top_k": top_k}
        dropped += [k for k, v in values.items() if v not in (None, neutral[k])]
        return taken
    taken |= _sampled_temperature(temperature, asked, dropped, thinks=thinks)
    is_second = sampling is Sampling.ONE and "temperature" in taken
    if top_p is not None and not (is_second and top_p == _NEUTRAL):
        if is_second or (thinks and top_p < _MIN_TOP_P_WITH_THINKING):
            dropped.append("top_p")
        else:
            taken["top_p"] = asked["top_p"]
    if top_k is not None and thinks:
        dropped.append("top_k")
    elif top_k is not None:
        taken["top_k"] = asked["top_k"]
    return taken


def _sampled_temperature(
    temperature: float | None, asked: Members, dropped: list[str], *, thinks: bool
) -> dict[str, msgspec.Raw | float]:
    """Return `temperature`: OpenAI's scale goes to 2, Anthropic's to 1; thinking keeps to the default."""
    if temperature is None:
        return {}
    most = LIMITS[Dialect.ANTHROPIC].temperature
    if temperature > most or (thinks and temperature < _NEUTRAL):
        dropped.append("temperature")
    if temperature > most:
        return {"temperature": most}
    is_taken = temperature == _NEUTRAL or not thinks
    return {"temperature": asked["temperature"]} if is_taken else {}


def _thinks(draft: Draft) -> bool:
    native = fields.members(draft.fields.get("thinking"), "thinking")
    if native:
        return fields.text(native.get("type"), "thinking.type") in ("enabled", "adaptive")
    thinking = draft.body.get("thinking", {})
    return thinking.get("type") in ("enabled", "adaptive")
