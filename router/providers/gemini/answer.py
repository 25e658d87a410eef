"""What is said of an answer beside its content: the reason it ended, usage, logprobs, its few extras.

Gemini's own words stand in extra fields under the names that Gemini gives them, where OpenAI's say less:
on the choice `groundingMetadata`, `citationMetadata`, `urlContextMetadata`, `safetyRatings`,
`avgLogprobs`, `finishMessage`, and `native_finish_reason` (OpenRouter's spelling) for a `finishReason`
that OpenAI has no word for; beside the choices `promptFeedback`; in the usage `trafficType` and tokens by
modality. Sources: https://ai.google.dev/api/generate-content#v1beta.Candidate, …#UsageMetadata,
https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/GenerateContentResponse.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from router.values import Usage

_ANYTHING = msgspec.json.Decoder()

FILTERED: Final = "content_filter"

_FINISH_REASONS: Final[Mapping[str, str]] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": FILTERED,
    "RECITATION": FILTERED,
    "LANGUAGE": FILTERED,
    "BLOCKLIST": FILTERED,
    "PROHIBITED_CONTENT": FILTERED,
    "SPII": FILTERED,
    "MODEL_ARMOR": FILTERED,
    "IMAGE_SAFETY": FILTERED,
    "IMAGE_PROHIBITED_CONTENT": FILTERED,
    "IMAGE_RECITATION": FILTERED,
    "MALFORMED_FUNCTION_CALL": "stop",
    "MALFORMED_RESPONSE": "stop",
    "UNEXPECTED_TOOL_CALL": "stop",
    "TOO_MANY_TOOL_CALLS": "stop",
    "MISSING_THOUGHT_SIGNATURE": "stop",
    "NO_IMAGE": "stop",
    "IMAGE_OTHER": "stop",
    "OTHER": "stop",
    "FINISH_REASON_UNSPECIFIED": "stop",
}

_FULLY_SAID: Final = ("STOP", "MAX_TOKENS")
"""Reasons that OpenAI's finish reason says as well."""

_BY_NUMBER: Final = (
    "FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "BLOCKLIST",
    "PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL", "MODEL_ARMOR", "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER", "UNEXPECTED_TOOL_CALL", "NO_IMAGE",
)  # fmt: skip
"""Vertex AI's numbers, which come where a handle asks for `$alt=json;enum-encoding=int`."""

_TIERS: Final[Mapping[str, str]] = {"standard": "default", "flex": "flex", "priority": "priority"}

_MAX_TOKENS: Final = 2**53
"""No count of tokens is larger."""

_MODALITIES: Final[Mapping[str, str]] = {
    "TEXT": "text_tokens",
    "AUDIO": "audio_tokens",
    "IMAGE": "image_tokens",
    "VIDEO": "video_tokens",
    "DOCUMENT": "document_tokens",
}


def reason_name(reason: Any) -> str | None:
    """Return a `finishReason` by its name; None where there is none."""
    if isinstance(reason, int) and not isinstance(reason, bool):
        return _BY_NUMBER[reason] if 0 <= reason < len(_BY_NUMBER) else "OTHER"
    return reason if isinstance(reason, str) and reason else None


def finish_reason(reason: str | None, *, calls_tools: bool) -> str:
    """Return OpenAI's finish reason; one that is not known ends like any answer of its kind."""
    known = _FINISH_REASONS.get(reason or "", "stop")
    return "tool_calls" if known == "stop" and calls_tools else known


def native_reason(reason: str | None) -> dict[str, Any]:
    """Return the extra field for a reason that OpenAI's finish reason does not say as well."""
    return {} if reason is None or reason in _FULLY_SAID else {"native_finish_reason": reason}


def service_tier(usage: Mapping[str, Any]) -> str | None:
    """Return OpenAI's word for the tier that served the request."""
    tier = usage.get("serviceTier")
    return _TIERS.get(tier) if isinstance(tier, str) else None


def states_tokens(usage: Mapping[str, Any]) -> bool:
    """Whether `usageMetadata` states any token at all; on Vertex AI most chunks of a stream do not."""
    return any(
        _count(usage, key) is not None
        for key in (
            "promptTokenCount",
            "candidatesTokenCount",
            "thoughtsTokenCount",
            "totalTokenCount",
        )
    )


def read_usage(usage: Mapping[str, Any]) -> Usage | None:
    """Return the usage that Gemini states, or None if it states no token at all.

    OpenAI's completion tokens include thoughts, Gemini's candidates' do not; what Gemini's own tools
    brought in was read as part of the prompt.
    """
    if not states_tokens(usage):
        return None
    thoughts = _count(usage, "thoughtsTokenCount") or 0
    brought_in = _count(usage, "toolUsePromptTokenCount") or 0
    return Usage(
        prompt_tokens=(_count(usage, "promptTokenCount") or 0) + brought_in,
        completion_tokens=(_count(usage, "candidatesTokenCount") or 0) + thoughts,
        cached_tokens=_count(usage, "cachedContentTokenCount") or 0,
        reasoning_tokens=thoughts,
    )


def told_usage(usage: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the usage as OpenAI has it; details only where Gemini states them."""
    read = read_usage(usage)
    if read is None:
        return None
    total = _count(usage, "totalTokenCount")
    summed = read.prompt_tokens + read.completion_tokens
    told: dict[str, Any] = {
        "prompt_tokens": read.prompt_tokens,
        "completion_tokens": read.completion_tokens,
        "total_tokens": summed if total is None else total,
    }
    prompt = {
        "cached_tokens": _count(usage, "cachedContentTokenCount"),
        "tool_use_tokens": _count(usage, "toolUsePromptTokenCount"),
        **_by_modality(usage, "promptTokensDetails"),
    }
    completion = {
        "reasoning_tokens": _count(usage, "thoughtsTokenCount"),
        **_by_modality(usage, "candidatesTokensDetails"),
    }
    for key, details in (
        ("prompt_tokens_details", prompt),
        ("completion_tokens_details", completion),
    ):
        stated = {name: value for name, value in details.items() if value is not None}
        if stated:
            told[key] = stated
    traffic = usage.get("trafficType")
    return told | ({"trafficType": traffic} if isinstance(traffic, str) else {})


def _by_modality(usage: Mapping[str, Any], key: str) -> dict[str, int]:
    found: dict[str, int] = {}
    details = usage.get(key)
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and isinstance(detail.get("modality"), str):
            name = _MODALITIES.get(detail["modality"])
            if name:
                found[name] = found.get(name, 0) + (_count(detail, "tokenCount") or 0)
    return found


def _count(usage: Mapping[str, Any], key: str) -> int | None:
    value = usage.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= _MAX_TOKENS else None


def told_logprobs(result: msgspec.Raw) -> dict[str, Any] | None:
    """Return `logprobsResult` as OpenAI has it, or None if there is none.

    `bytes` are null: Gemini tells a token's text, and not the bytes that it stands for.
    """
    found = _ANYTHING.decode(result) if bytes(result) else None
    if not isinstance(found, dict):
        return None
    chosen = list(_tokens(found.get("chosenCandidates")))
    tops = found.get("topCandidates")
    groups = tops if isinstance(tops, list) else []
    for token, group in zip(chosen, groups, strict=False):
        candidates = group.get("candidates") if isinstance(group, dict) else None
        token["top_logprobs"] = list(_tokens(candidates))
    content = [{"top_logprobs": [], **token} for token in chosen]
    return {"content": content, "refusal": None}


def _tokens(candidates: Any) -> Iterator[dict[str, Any]]:
    for candidate in candidates if isinstance(candidates, list) else ():
        if isinstance(candidate, dict):
            token = candidate.get("token")
            yield {
                "token": token if isinstance(token, str) else "",
                # 0 is left out, as protobuf does with defaults; JSON knows no other number.
                "logprob": msgspec.convert(candidate.get("logProbability", 0.0), float),
                "bytes": None,
            }
