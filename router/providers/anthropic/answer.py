"""What a whole answer and a streamed one have in common: usage, the reason it ended, its few extras.

Anthropic's own words stand in extra fields where OpenAI's say less, under the names that Anthropic
gives them: `stop_reason`, `stop_sequence` and `stop_details` on the choice, `container` and
`context_management` beside the choices, `cache_creation`, `server_tool_use` and `iterations` in the
usage. Sources: https://platform.claude.com/docs/en/api/messages,
…/build-with-claude/handling-stop-reasons, …/prompt-caching#tracking-cache-performance.
"""

from collections.abc import Mapping
from typing import Any, Final

from router.values import Usage

_FINISH_REASONS: Final[Mapping[str, str]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "compaction": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}

_FULLY_SAID: Final = ("end_turn", "max_tokens", "tool_use")
"""Stop reasons that OpenAI's finish reason says as well."""

_TIERS: Final[Mapping[str, str]] = {"standard": "default", "priority": "priority"}

_USAGE_EXTRAS: Final = ("server_tool_use", "iterations")

ENVELOPE_EXTRAS: Final = ("container", "context_management")


def finish_reason(stop_reason: Any, *, calls_tools: bool) -> str:
    """Return OpenAI's finish reason; one that is not known ends like any answer of its kind."""
    known = _FINISH_REASONS.get(stop_reason) if isinstance(stop_reason, str) else None
    if known == "tool_calls" and not calls_tools:
        return "stop"
    return known or ("tool_calls" if calls_tools else "stop")


def stop_extras(stop: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `stop` (`stop_reason`, `stop_sequence`, `stop_details`) says beyond a finish reason."""
    extras = {key: stop.get(key) for key in ("stop_reason", "stop_sequence", "stop_details")}
    if extras["stop_reason"] in _FULLY_SAID:
        del extras["stop_reason"]
    return {key: value for key, value in extras.items() if value is not None}


def refusal_text(stop: Mapping[str, Any]) -> str | None:
    """Return the explanation of a refusal, where one is given."""
    details = stop.get("stop_details")
    if stop.get("stop_reason") != "refusal" or not isinstance(details, dict):
        return None
    explanation = details.get("explanation")
    return explanation if isinstance(explanation, str) and explanation else None


def service_tier(usage: Mapping[str, Any]) -> str | None:
    """Return OpenAI's word for the tier that served the request."""
    tier = usage.get("service_tier")
    return _TIERS.get(tier) if isinstance(tier, str) else None


def read_usage(usage: Mapping[str, Any]) -> Usage | None:
    """Return the usage that Anthropic states, or None if it states no token at all.

    OpenAI's prompt tokens include cached ones, Anthropic's input tokens do not.
    """
    if _count(usage, "input_tokens") is None and _count(usage, "output_tokens") is None:
        return None
    cached = _count(usage, "cache_read_input_tokens") or 0
    written = _count(usage, "cache_creation_input_tokens") or 0
    return Usage(
        prompt_tokens=(_count(usage, "input_tokens") or 0) + written + cached,
        completion_tokens=_count(usage, "output_tokens") or 0,
        cached_tokens=cached,
        reasoning_tokens=_count(_object(usage, "output_tokens_details"), "thinking_tokens") or 0,
    )


def told_usage(usage: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the usage as OpenAI has it; details only where Anthropic states them."""
    read = read_usage(usage)
    if read is None:
        return None
    told: dict[str, Any] = {
        "prompt_tokens": read.prompt_tokens,
        "completion_tokens": read.completion_tokens,
        "total_tokens": read.prompt_tokens + read.completion_tokens,
    }
    prompt = {
        "cached_tokens": _count(usage, "cache_read_input_tokens"),
        "cache_write_tokens": _count(usage, "cache_creation_input_tokens"),
        "cache_creation": _object(usage, "cache_creation") or None,
    }
    completion = {
        "reasoning_tokens": _count(_object(usage, "output_tokens_details"), "thinking_tokens"),
    }
    for key, details in (
        ("prompt_tokens_details", prompt),
        ("completion_tokens_details", completion),
    ):
        stated = {name: value for name, value in details.items() if value is not None}
        if stated:
            told[key] = stated
    return told | {key: usage[key] for key in _USAGE_EXTRAS if usage.get(key) is not None}


_MOST_TOKENS = 2**53
"""What a double counts exactly, and no completion uses."""


def _count(usage: Mapping[str, Any], key: str) -> int | None:
    value = usage.get(key)
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST_TOKENS
    return value if is_count else None


def _object(usage: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = usage.get(key)
    return value if isinstance(value, dict) else {}
