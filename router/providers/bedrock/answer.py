"""What a whole answer and a streamed one have in common: usage, the reason it ended, its few extras.

AWS's own words stand in extra fields where OpenAI's say less: `stop_reason` and `stop_sequence` on the
choice; `trace` (of guardrails and prompt routers), `metrics`, `performanceConfig` and
`additionalModelResponseFields` beside the choices; `cacheDetails` and `serverToolUsage` in the usage.
Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_ResponseSyntax
"""

from collections.abc import Mapping
from typing import Any, Final

from router.values import Usage

_FINISH_REASONS: Final[Mapping[str, str]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "malformed_model_output": "stop",
    "malformed_tool_use": "stop",
}

_FULLY_SAID: Final = ("end_turn", "max_tokens", "tool_use")
"""Stop reasons that OpenAI's finish reason says as well."""

_TIERS: Final = ("default", "flex", "priority")

_USAGE_EXTRAS: Final = ("cacheDetails", "serverToolUsage")

ENVELOPE_EXTRAS: Final = ("trace", "metrics", "performanceConfig", "additionalModelResponseFields")


def finish_reason(stop_reason: Any, *, calls_tools: bool) -> str:
    """Return OpenAI's finish reason; one that is not known ends like any answer of its kind."""
    known = _FINISH_REASONS.get(stop_reason) if isinstance(stop_reason, str) else None
    if known == "tool_calls" and not calls_tools:
        return "stop"
    return known or ("tool_calls" if calls_tools else "stop")


def stop_extras(stop_reason: Any, additional: Any) -> dict[str, Any]:
    """Return what the end of the answer says beyond a finish reason."""
    extras: dict[str, Any] = {}
    if isinstance(stop_reason, str) and stop_reason not in _FULLY_SAID:
        extras["stop_reason"] = stop_reason
    inner = additional.get("delta", additional) if isinstance(additional, dict) else None
    sequence = inner.get("stop_sequence") if isinstance(inner, dict) else None
    if isinstance(sequence, str):
        extras["stop_sequence"] = sequence
    return extras


def service_tier(tier: Any) -> str | None:
    """Return OpenAI's word for the tier that served the request."""
    kind = tier.get("type") if isinstance(tier, dict) else None
    return kind if kind in _TIERS else None


def read_usage(usage: Any) -> Usage | None:
    """Return the usage that Bedrock states, or None if it states no token at all.

    OpenAI's prompt tokens include cached ones, Bedrock's input tokens do not.
    """
    if not isinstance(usage, dict):
        return None
    if _count(usage, "inputTokens") is None and _count(usage, "outputTokens") is None:
        return None
    cached, written = _cached(usage), _written(usage)
    return Usage(
        prompt_tokens=(_count(usage, "inputTokens") or 0) + (written or 0) + (cached or 0),
        completion_tokens=_count(usage, "outputTokens") or 0,
        cached_tokens=cached or 0,
    )


def told_usage(usage: Any) -> dict[str, Any] | None:
    """Return the usage as OpenAI has it; details only where Bedrock states them."""
    read = read_usage(usage)
    if read is None:
        return None
    told: dict[str, Any] = {
        "prompt_tokens": read.prompt_tokens,
        "completion_tokens": read.completion_tokens,
        "total_tokens": read.prompt_tokens + read.completion_tokens,
    }
    details = {"cached_tokens": _cached(usage), "cache_write_tokens": _written(usage)}
    stated = {name: value for name, value in details.items() if value is not None}
    if stated:
        told["prompt_tokens_details"] = stated
    return told | {key: usage[key] for key in _USAGE_EXTRAS if usage.get(key)}


def _cached(usage: Mapping[str, Any]) -> int | None:
    return _count(usage, "cacheReadInputTokens", "cacheReadInputTokenCount")


def _written(usage: Mapping[str, Any]) -> int | None:
    return _count(usage, "cacheWriteInputTokens", "cacheWriteInputTokenCount")


def _count(usage: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        value = usage.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None
