"""What a whole answer and a streamed one have in common: why it ended, usage, probabilities.

Cohere counts tokens twice: `tokens` is what the model read and wrote, `billed_units` what is charged for.
OpenAI's counts are of tokens, so those are told, and Cohere's bill stands beside them in the extra field
`billed_units`. Image tokens are not among Cohere's input tokens, but they are read: they count as prompt
tokens, and are stated by themselves as well. `native_finish_reason` keeps Cohere's word where OpenAI's
says less. Sources: https://docs.cohere.com/reference/chat, recorded traffic.
"""

from collections.abc import Mapping
from typing import Any, Final

from router.values import Usage

_FINISH_REASONS: Final[Mapping[str, str]] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "ERROR_LIMIT": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR_TOXIC": "content_filter",
}

_FULLY_SAID: Final = ("COMPLETE", "MAX_TOKENS", "TOOL_CALL")
"""Finish reasons that OpenAI's say as well."""

FAILED: Final = ("ERROR", "TIMEOUT")
"""Finish reasons of an answer that is none: it broke off in the provider's hands."""


def finish(reason: Any, *, calls_tools: bool) -> dict[str, str]:
    """Return the members of a choice that say why it ended; a reason not known ends like any other."""
    known = _FINISH_REASONS.get(reason) if isinstance(reason, str) else None
    if known is None or (known == "tool_calls" and not calls_tools):
        known = "tool_calls" if calls_tools else "stop"
    said = {"finish_reason": known}
    if isinstance(reason, str) and reason not in _FULLY_SAID:
        said["native_finish_reason"] = reason
    return said


def read_usage(usage: Any) -> Usage | None:
    """Return the usage that Cohere states, or None if it states no token at all."""
    tokens = _counted(usage)
    prompt, completion = count(tokens, "input_tokens"), count(tokens, "output_tokens")
    if prompt is None and completion is None:
        return None
    return Usage(
        prompt_tokens=(prompt or 0) + (count(tokens, "image_tokens") or 0),
        completion_tokens=completion or 0,
        cached_tokens=count(usage, "cached_tokens") or 0,
        reasoning_tokens=count(tokens, "reasoning_tokens") or 0,
    )


def told_usage(usage: Any) -> dict[str, Any] | None:
    """Return the usage as OpenAI has it; details only where Cohere states them."""
    read = read_usage(usage)
    if read is None:
        return None
    told: dict[str, Any] = {
        "prompt_tokens": read.prompt_tokens,
        "completion_tokens": read.completion_tokens,
        "total_tokens": read.prompt_tokens + read.completion_tokens,
    }
    tokens = _counted(usage)
    prompt = {
        "cached_tokens": count(usage, "cached_tokens"),
        "image_tokens": count(tokens, "image_tokens"),
    }
    completion = {"reasoning_tokens": count(tokens, "reasoning_tokens")}
    for key, details in (
        ("prompt_tokens_details", prompt),
        ("completion_tokens_details", completion),
    ):
        if stated := {name: value for name, value in details.items() if value is not None}:
            told[key] = stated
    billed = usage.get("billed_units")
    return told | ({"billed_units": billed} if isinstance(billed, dict) and billed else {})


def _counted(usage: Any) -> Any:
    """Return the object that counts tokens; the bill where nothing else is stated."""
    if not isinstance(usage, dict):
        return {}
    return usage.get("tokens") or usage.get("billed_units") or {}


def count(counts: Any, key: str) -> int | None:
    """Return a count; Cohere's are numbers, and some come as `12.0`."""
    value = counts.get(key) if isinstance(counts, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**63:
        return None
    return int(value)


def logprobs(items: Any) -> dict[str, Any] | None:
    """Return probabilities as OpenAI has them: an entry for each chunk of text that Cohere states.

    The probability of several tokens is their product, so their logarithms are summed; Cohere's own
    members stand beside it.
    """
    listed = items if isinstance(items, list) else []
    entries = [_logprob(item) for item in listed if isinstance(item, dict)]
    return {"content": entries, "refusal": None} if entries else None


def _logprob(item: Mapping[str, Any]) -> dict[str, Any]:
    text, stated = item.get("text"), item.get("logprobs")
    text = text if isinstance(text, str) else ""
    values = [v for v in stated if isinstance(v, int | float)] if isinstance(stated, list) else []
    return {
        "token": text,
        "logprob": float(sum(values)),
        "bytes": list(text.encode()),
        "top_logprobs": [],
        **{key: item[key] for key in ("token_ids", "logprobs") if key in item},
    }
