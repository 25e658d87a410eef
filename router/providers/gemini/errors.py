"""Failures in Google's words: of an HTTP answer, of a chunk in a stream, and of what cannot be read.

The shape is `{"error": {"code", "message", "status", "details"}}`, the one of all of Google's APIs; where a
stream was asked for it may stand in a list. The status decides the class, by the table that all dialects
share, but for two verdicts on our own account that Google words as a 400.
Sources: https://ai.google.dev/gemini-api/docs/troubleshooting, https://google.aip.dev/193.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from router.errors import UpstreamError, UpstreamTruncatedError, UpstreamUnavailableError
from router.providers import failures
from router.providers.failures import Words

_ACCOUNT_REASONS: Final = frozenset(
    {"API_KEY_INVALID", "API_KEY_EXPIRED", "API_KEY_SERVICE_BLOCKED"}
)
"""Reasons that make a 400 a verdict on our credential."""

_ACCOUNT_WORDS: Final = ("API key not valid", "API key expired", "User location is not supported")
"""How the same is worded where no reason is given."""

_CONTEXT_LENGTH: Final = ("input token count", "exceeds the maximum number of tokens")
"""How Google words a context that is too long; it has no machine code for it."""

_SAID_BY_STATUS: Final = frozenset({"RESOURCE_EXHAUSTED", "UNKNOWN"})
"""Google's own status words that OpenAI's codes say better, or that say nothing."""

MAX_WORDS: Final = 4_096
"""Most characters kept of an error that is not in Google's shape: some are whole web pages."""


def decode_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """Return the failure for an answer whose status is not 200. Header names are lower case."""
    try:
        value = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, list) and value:
        value = value[0]
    error = value.get("error") if isinstance(value, dict) else None
    words = _words(error) or _foreign_words(status, body)
    return _failure(status, headers, error, words)


def stated_failure(error: Any) -> UpstreamError:
    """Return the failure that an error object states where no status goes with it: inside a 200."""
    code = error.get("code") if isinstance(error, dict) else None
    is_status = isinstance(code, int) and 400 <= code <= 599
    status = code if isinstance(code, int) and is_status else 500
    words = _words(error) or Words("The provider reported an error without a message.")
    return _failure(status, {}, error, words)


def unreadable(what: str, cause: Exception | None = None) -> UpstreamUnavailableError:
    """Return the failure for an answer, or part of one, that cannot be read."""
    error = UpstreamUnavailableError(f"The provider sent {what} that cannot be read.")
    error.__cause__ = cause
    return error


def truncated() -> UpstreamTruncatedError:
    """Return the failure for a stream without a `finishReason` for each candidate."""
    return UpstreamTruncatedError("The provider's answer broke off before its end.")


def _failure(status: int, headers: Mapping[str, str], error: Any, words: Words) -> UpstreamError:
    wait = _stated_wait(error)
    if wait and "retry-after" not in headers:
        headers = {**headers, "retry-after": wait}
    is_ours = status == 400 and _blames_our_account(error, words.message)
    failure = failures.failure(401 if is_ours else status, headers, words)
    failure.upstream_status = status
    return failure


def _blames_our_account(error: Any, message: str) -> bool:
    reasons = {detail.get("reason") for detail in _details(error)}
    return not reasons.isdisjoint(_ACCOUNT_REASONS) or message.startswith(_ACCOUNT_WORDS)


def _details(error: Any) -> Iterator[dict[str, str]]:
    details = error.get("details") if isinstance(error, dict) else None
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict):
            # Only texts are looked up in what is read here.
            yield {key: value for key, value in detail.items() if isinstance(value, str)}


def _stated_wait(error: Any) -> str | None:
    """Return the seconds of `google.rpc.RetryInfo`, written `34.4s`."""
    for detail in _details(error):
        delay = detail.get("retryDelay", "")
        if detail.get("@type", "").endswith("google.rpc.RetryInfo") and delay.endswith("s"):
            return delay.removesuffix("s")
    return None


def _words(error: Any) -> Words | None:
    message = error.get("message") if isinstance(error, dict) else None
    if not isinstance(message, str) or not message:
        return None
    return Words(message, code=_code(error, message))


def _code(error: dict[str, Any], message: str) -> str | None:
    """Return OpenAI's code where it has one for this, else Google's own machine code."""
    status = error.get("status")
    if all(text in message for text in _CONTEXT_LENGTH):
        return "context_length_exceeded"
    if status == "NOT_FOUND" and ("models/" in message or "Publisher Model" in message):
        return "model_not_found"
    for detail in _details(error):
        if detail.get("@type", "").endswith("google.rpc.ErrorInfo") and detail.get("reason"):
            return detail["reason"]
    return status if isinstance(status, str) and status not in _SAID_BY_STATUS else None


def _foreign_words(status: int, body: bytes) -> Words:
    text = body.decode("utf-8", "replace").strip()[:MAX_WORDS]
    return Words(text or f"The provider answered with status {status} and no message.")
