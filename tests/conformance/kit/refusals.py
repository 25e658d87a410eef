"""The contract's error table, written out once more as the judge of every dialect's errors."""

from collections.abc import Mapping
from typing import Any, Final

from router import errors
from router.errors import (
    UpstreamError,
)

KEPT: Final = frozenset({400, 404, 409, 413, 415, 422})

_VERDICTS: Final = (
    errors.UpstreamRejectedError,
    errors.ContextWindowError,
    errors.ContentPolicyError,
    errors.UpstreamModelNotFoundError,
)
"""What a refusal of the request may be, by its words."""

KINDS: Final[Mapping[int, tuple[type[UpstreamError], ...]]] = {
    400: _VERDICTS,
    404: (errors.UpstreamNotFoundError, errors.UpstreamModelNotFoundError),
    413: _VERDICTS,
    422: _VERDICTS,
}

TABLE: Final[Mapping[int, type[UpstreamError]]] = {
    401: errors.UpstreamAuthError,
    402: errors.AccountUnpaidError,
    403: errors.AccessDeniedError,
    408: errors.UpstreamTimeoutError,
    410: errors.UpstreamModelNotFoundError,
    429: errors.RateLimitedError,
    500: errors.UpstreamUnavailableError,
    502: errors.UpstreamUnavailableError,
    503: errors.UpstreamOverloadedError,
    504: errors.UpstreamTimeoutError,
    529: errors.UpstreamOverloadedError,
}


def assert_by_the_table(error: UpstreamError, status: int, headers: Mapping[str, str]) -> None:
    """Class, kept status and the time to wait are what the contract says of a status."""
    fallback = (
        errors.UpstreamRejectedError if 400 <= status < 500 else errors.UpstreamUnavailableError
    )
    expected = KINDS.get(status) or (TABLE.get(status, fallback),)
    is_quota = type(error) is errors.QuotaExhaustedError and status == 429
    assert type(error) in expected or is_quota
    assert error.upstream_status == status
    assert error.http_status == (status if status in KEPT else None)
    if status in (429, 503, 529):
        assert error.retry_after is not None
        if stated := headers.get("retry-after-ms"):
            assert error.retry_after == float(stated) / 1000
        elif headers.get("retry-after", "").isdigit():
            assert error.retry_after == float(headers["retry-after"])


def words_in(value: Any) -> list[str]:
    """Return every text in an error body: the provider's own words are among them."""
    match value:
        case str():
            return [value]
        case dict():
            return [text for item in value.values() for text in words_in(item)]
        case list():
            return [text for item in value for text in words_in(item)]
    return []
