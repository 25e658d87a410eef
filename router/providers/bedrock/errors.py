"""Failures in Bedrock's words: of an HTTP answer, of an exception in a stream, of what cannot be read.

The words stand in `message`; the name of the exception is in the header `x-amzn-errortype`, in `__type`, or
in a stream's `:exception-type`. The status decides the class, by the table that all dialects share; inside
a stream the exception's name stands for it.
Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html#API_runtime_ConverseStream_Errors
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from router.errors import UpstreamError, UpstreamTruncatedError, UpstreamUnavailableError
from router.providers import failures
from router.providers.failures import Words

STATUS_OF: Final[Mapping[str, int]] = {
    "accessdeniedexception": 403,
    "conflictexception": 409,
    "expiredtokenexception": 403,
    "incompletesignature": 403,
    "internalservererror": 500,
    "internalserverexception": 500,
    "invalidsignatureexception": 403,
    "missingauthenticationtokenexception": 403,
    "modelerrorexception": 500,
    "modelnotreadyexception": 429,
    "modelstreamerrorexception": 500,
    "modeltimeoutexception": 408,
    "resourcenotfoundexception": 404,
    "servicequotaexceededexception": 429,
    "serviceunavailableexception": 503,
    "throttlingexception": 429,
    "unrecognizedclientexception": 403,
    "validationexception": 400,
}
"""HTTP status by the name of an exception, in lower case; others are failures of the service."""

_CONTEXT_LENGTH: Final = re.compile(
    r"input is too long|input tokens exceeded|prompt is too long"
    r"|exceeds? (?:the )?maximum (?:context )?length|maximum context length"
    r"|too many input tokens|exceed context limit",
    re.IGNORECASE,
)
"""How Bedrock and its models word a context that is too long; there is no machine code for it."""

_NO_MODEL: Final = re.compile(
    r"model identifier is invalid|could not resolve the foundation model", re.IGNORECASE
)

_CANONICAL: Final = re.compile(
    r"\s*The Canonical String for this request should have been.*", re.DOTALL
)
"""AWS repeats a badly signed request, our session's token included."""

MAX_WORDS: Final = 4_096
"""Most characters kept of an error that is not in AWS's shape: some are whole web pages."""


def decode_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """Return the failure for an answer whose status is not 200. Header names are lower case."""
    value = _parsed(body)
    name = headers.get("x-amzn-errortype") or _member(value, "__type", "code")
    words = _words(value, name) or _foreign_words(status, body, name)
    return failures.failure(status, headers, words)


def stated_failure(name: str, value: Any) -> UpstreamError:
    """Return the failure that an exception states where no status goes with it."""
    kind = _bare(name)
    status = STATUS_OF.get(kind.lower(), 500)
    original = value.get("originalStatusCode") if isinstance(value, dict) else None
    if isinstance(original, int) and 400 <= original <= 599:
        status = original
    words = _words(value, name) or Words("The provider reported an error without a message.")
    return failures.failure(status, {}, words)


def disguised_failure(body: bytes) -> UpstreamError | None:
    """Return the failure that the body of a 200 states, if it does."""
    value = _parsed(body)
    inner = value.get("Output") if isinstance(value, dict) else None
    value = inner if isinstance(inner, dict) else value
    name = _member(value, "__type")
    return stated_failure(name, value) if name else None


def unreadable(what: str, cause: Exception | None = None) -> UpstreamUnavailableError:
    """Return the failure for an answer, or part of one, that cannot be read."""
    error = UpstreamUnavailableError(f"The provider sent {what} that cannot be read.")
    error.__cause__ = cause
    return error


def truncated() -> UpstreamTruncatedError:
    """Return the failure for a stream without `messageStop`."""
    return UpstreamTruncatedError("The provider's answer broke off before its end.")


def _parsed(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _member(value: Any, *names: str) -> str:
    found = (value.get(name) for name in names) if isinstance(value, dict) else ()
    return next((text for text in found if isinstance(text, str) and text), "")


def _bare(name: str) -> str:
    """Return an exception's name without the namespace before it, or the address behind it."""
    return name.partition(":")[0].rpartition("#")[2].strip()


def _words(value: Any, name: str) -> Words | None:
    message = _CANONICAL.sub("", _member(value, "message", "Message", "errorMessage"))
    original = _member(value, "originalMessage")
    if original and original not in message:
        message = f"{message} {original}".strip()
    return Words(message, code=_code(_bare(name), message)) if message else None


def _code(kind: str, message: str) -> str | None:
    """Return OpenAI's code where it has one for this, else the exception's own name."""
    if _CONTEXT_LENGTH.search(message):
        return "context_length_exceeded"
    if kind.lower() == "resourcenotfoundexception" or _NO_MODEL.search(message):
        return "model_not_found"
    return kind or None


def _foreign_words(status: int, body: bytes, name: str) -> Words:
    text = _CANONICAL.sub("", body.decode("utf-8", "replace")).strip()[:MAX_WORDS]
    words = text or f"The provider answered with status {status} and no message."
    return Words(words, code=_code(_bare(name), words))
