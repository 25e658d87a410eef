"""Failures in Anthropic's words: of an HTTP answer, of an `error` event, and of what cannot be read.

The shape is `{"type": "error", "error": {"type", "message", "details"?}, "request_id"?}`; the status
decides the class, by the table that all dialects share. Inside a stream there is no status: there the
error's type stands for it. Source: https://platform.claude.com/docs/en/api/errors.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from router.errors import UpstreamError, UpstreamTruncatedError, UpstreamUnavailableError
from router.providers import failures
from router.providers.failures import Words

STATUS_OF: Final[Mapping[str, int]] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""HTTP status by the type of an error; one that is not here is the provider's own failure."""

_CONTEXT_LENGTH: Final = ("prompt is too long", "exceed context limit")
"""How Anthropic words a context that is too long; it has no machine code for it."""

MAX_WORDS: Final = 4_096
"""Most characters kept of an error that is not in Anthropic's shape: some are whole web pages."""


def decode_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """Return the failure for an answer whose status is not 200. Header names are lower case."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = None
    if isinstance(value, list) and value:
        # So Vertex AI words its own errors where a stream was asked for.
        value = value[0]
    error = value.get("error") if isinstance(value, dict) else None
    words = _words(error) or _foreign_words(status, body)
    return failures.failure(status, headers, words)


def stated_failure(error: Any) -> UpstreamError:
    """Return the failure that an error object states where no status goes with it.

    That is an `error` event in a stream, or an error in the body of a 200.
    """
    kind = error.get("type") if isinstance(error, dict) else None
    status = STATUS_OF.get(kind, 500) if isinstance(kind, str) else 500
    words = _words(error) or Words("The provider reported an error without a message.")
    return failures.failure(status, {}, words)


def unreadable(what: str, cause: Exception | None = None) -> UpstreamUnavailableError:
    """Return the failure for an answer, or part of one, that cannot be read."""
    error = UpstreamUnavailableError(f"The provider sent {what} that cannot be read.")
    error.__cause__ = cause
    return error


def truncated() -> UpstreamTruncatedError:
    """Return the failure for a stream without `message_stop`."""
    return UpstreamTruncatedError("The provider's answer broke off before its end.")


def _words(error: Any) -> Words | None:
    message = error.get("message") if isinstance(error, dict) else None
    if not isinstance(message, str) or not message:
        return None
    kind = error.get("type")
    return Words(message, code=_code(kind, message, error.get("details")))


def _code(kind: Any, message: str, details: Any) -> str | None:
    """Return OpenAI's code where it has one for this, else Anthropic's own machine code."""
    if kind == "invalid_request_error" and any(text in message for text in _CONTEXT_LENGTH):
        return "context_length_exceeded"
    if kind == "not_found_error" and message.startswith("model:"):
        return "model_not_found"
    code = details.get("error_code") if isinstance(details, dict) else None
    return code if isinstance(code, str) else None


def _foreign_words(status: int, body: bytes) -> Words:
    text = body.decode("utf-8", "replace").strip()[:MAX_WORDS]
    return Words(text or f"The provider answered with status {status} and no message.")
