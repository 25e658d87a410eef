"""What a provider's HTTP status means: one table for every dialect.

The rows follow the contract's error table. A dialect reads the provider's message, code and param;
the status alone decides the class of the failure, here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from router.errors import (
    AccessDeniedError,
    AccountUnpaidError,
    ContentPolicyError,
    ContextWindowError,
    QuotaExhaustedError,
    RateLimitedError,
    UpstreamAuthError,
    UpstreamError,
    UpstreamModelNotFoundError,
    UpstreamNotFoundError,
    UpstreamOverloadedError,
    UpstreamRejectedError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)

KEPT_STATUSES = frozenset({400, 404, 409, 413, 415, 422})
"""The provider's verdict on the request itself: passed on with its own status."""

_CLASS_OF: Mapping[int, type[UpstreamError]] = {
    401: UpstreamAuthError,
    402: AccountUnpaidError,
    403: AccessDeniedError,
    404: UpstreamNotFoundError,
    408: UpstreamTimeoutError,
    410: UpstreamModelNotFoundError,
    429: RateLimitedError,
    503: UpstreamOverloadedError,
    504: UpstreamTimeoutError,
    529: UpstreamOverloadedError,
}

_CLASS_OF_CODE: Mapping[str, type[UpstreamError]] = {
    "context_length_exceeded": ContextWindowError,
    "content_policy_violation": ContentPolicyError,
    "content_filter": ContentPolicyError,
    "ResponsibleAIPolicyViolation": ContentPolicyError,
    "moderation_blocked": ContentPolicyError,
    "model_not_found": UpstreamModelNotFoundError,
    "DeploymentNotFound": UpstreamModelNotFoundError,
}
"""What a machine code makes of a 400, 404, 413 or 422. Sources: OpenAI's and Azure's error codes
(https://learn.microsoft.com/azure/ai-services/openai/concepts/content-filter), recorded traffic."""

_SPECIFIED = frozenset({400, 404, 413, 422})

_PASSES_WHOLE = (UpstreamRejectedError, RateLimitedError)
"""Failures whose `type` and `code` are the provider's to say; for all others they are ours."""

DEFAULT_RETRY_AFTER = 1.0
"""Seconds to wait where a provider that is out of room does not say."""


MAX_RETRY_AFTER = 86_400.0
"""Seconds; a longer wait, or one that is no number, is not passed on as stated."""


@dataclass(frozen=True, slots=True)
class Words:
    """What a provider said of a failure. `whole` is its JSON where it already has OpenAI's shape.

    `meaning` is OpenAI's code for what was said, where the provider has no code or another one.
    """

    message: str
    code: str | None = None
    param: str | None = None
    type: str | None = None
    whole: bytes = b""
    meaning: str | None = None


def class_of(status: int, words: Words) -> type[UpstreamError]:
    """Return the class of failure that `status` means."""
    if status == 429 and "insufficient_quota" in (words.code, words.type):
        return QuotaExhaustedError
    if status in _SPECIFIED:
        for code in (words.meaning, words.code):
            if kind := _CLASS_OF_CODE.get(code or ""):
                return kind
    if status in _CLASS_OF:
        return _CLASS_OF[status]
    return UpstreamRejectedError if 400 <= status < 500 else UpstreamUnavailableError


def failure(status: int, headers: Mapping[str, str], words: Words) -> UpstreamError:
    """Return the failure for a provider's answer."""
    kind = class_of(status, words)
    stated = retry_after = seconds_to_wait(headers)
    if retry_after is None and issubclass(kind, RateLimitedError | UpstreamOverloadedError):
        retry_after = DEFAULT_RETRY_AFTER
    keeps_words = issubclass(kind, _PASSES_WHOLE) or status in KEPT_STATUSES
    error = kind(
        words.message,
        param=words.param,
        code=words.code if keeps_words else None,
        retry_after=retry_after,
        http_status=status if status in KEPT_STATUSES else None,
        body=words.whole if keeps_words else b"",
    )
    error.upstream_status = status
    error.stated_wait = stated
    return error


def seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """Return how long a provider asks to wait: `retry-after-ms`, or `retry-after` in seconds or as a date.

    A date is taken relative to the answer's own `date` header, so that no clock is needed. None if the
    provider does not say, or says what cannot be read.
    """
    try:
        wait = _stated_wait(headers)
    except (ValueError, TypeError, OverflowError):
        return None
    return None if wait is None else min(max(0.0, wait), MAX_RETRY_AFTER)


def _stated_wait(headers: Mapping[str, str]) -> float | None:
    if millis := headers.get("retry-after-ms"):
        return float(millis) / 1000
    stated = headers.get("retry-after", "")
    if stated[:1].isdigit():
        return float(stated)
    if stated and (date := headers.get("date")):
        return (parsedate_to_datetime(stated) - parsedate_to_datetime(date)).total_seconds()
    return None
