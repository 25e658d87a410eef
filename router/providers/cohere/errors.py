"""Failures in Cohere's words: of an HTTP answer, inside a 200, and of what cannot be read.

The shape is `{"message", "id"?, "error_type"?}`; the status decides the class, by the table that all
dialects share. An answer whose `finish_reason` says that it failed has no status: there the reason
stands for it. Source: https://docs.cohere.com/reference/errors, recorded traffic.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from router.errors import UpstreamError, UpstreamTruncatedError, UpstreamUnavailableError
from router.providers import failures
from router.providers.failures import Words
from router.providers.openai import errors as plain

_STATUS_OF: Final[Mapping[str, int]] = {
    "ERROR": 500,
    "TIMEOUT": 504,
    "TOO_MANY_TOKENS": 400,
}
"""HTTP status by `error_type` or `finish_reason`; one that is not here is the provider's own failure."""

_TOO_LONG: Final = "too many tokens"


def decode_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """Return the failure for an answer whose status is not 200. Header names are lower case."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = None
    message = value.get("message") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(message, str) or not message:
        return plain.decode(status, headers, body)
    code = _code(status, message, value.get("error_type"))
    return failures.failure(status, headers, Words(message, code=code))


def stated_failure(said: Mapping[str, Any]) -> UpstreamError:
    """Return the failure that an answer with status 200 states.

    `said` has `finish_reason`, `error` and `error_type`, or a bare `message`, as far as Cohere says it.
    """
    kinds = [said.get(key) for key in ("error_type", "finish_reason")]
    known = (_STATUS_OF[kind] for kind in kinds if isinstance(kind, str) and kind in _STATUS_OF)
    status = next(known, 500)
    texts = (said.get(key) for key in ("error", "message"))
    message = next((text for text in texts if isinstance(text, str) and text), None)
    kind = next((kind for kind in kinds if isinstance(kind, str)), "an error")
    words = message or f"The provider ended its answer with {kind}."
    return failures.failure(status, {}, Words(words, code=_code(status, words, kinds[0])))


def unreadable(what: str, cause: Exception | None = None) -> UpstreamUnavailableError:
    """Return the failure for an answer, or part of one, that cannot be read."""
    error = UpstreamUnavailableError(f"The provider sent {what} that cannot be read.")
    error.__cause__ = cause
    return error


def truncated() -> UpstreamTruncatedError:
    """Return the failure for a stream without `message-end`."""
    return UpstreamTruncatedError("The provider's answer broke off before its end.")


def _code(status: int, message: str, error_type: Any) -> str | None:
    """Return OpenAI's code where it has one for this, else Cohere's own."""
    if message.startswith(_TOO_LONG):
        return "context_length_exceeded"
    if status == 404 and message.startswith("model "):
        return "model_not_found"
    return error_type if isinstance(error_type, str) else None
