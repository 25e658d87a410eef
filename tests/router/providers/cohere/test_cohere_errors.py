import json

import pytest

from router.errors import (
    AccessDeniedError,
    AccountUnpaidError,
    RateLimitedError,
    TrunklineError,
    UpstreamAuthError,
    UpstreamNotFoundError,
    UpstreamOverloadedError,
    UpstreamRejectedError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from router.providers.cohere import errors


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, UpstreamRejectedError), (401, UpstreamAuthError), (402, AccountUnpaidError),
        (403, AccessDeniedError), (404, UpstreamNotFoundError), (422, UpstreamRejectedError),
        (429, RateLimitedError), (498, UpstreamRejectedError), (500, UpstreamUnavailableError),
        (501, UpstreamUnavailableError), (503, UpstreamOverloadedError),
        (504, UpstreamTimeoutError),
    ],
)  # fmt: skip
def test_the_status_decides_and_the_words_survive(status: int, kind: type[TrunklineError]) -> None:
    error = errors.decode_error(status, {}, b'{"id": "x", "message": "words"}')

    assert type(error) is kind
    assert error.message == "words"


def test_a_limit_of_the_rate_says_when_to_come_back() -> None:
    error = errors.decode_error(429, {"retry-after": "7"}, b'{"message": "slow down"}')

    assert error.retry_after == 7


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, {"message": "too many tokens: size limit"}, "context_length_exceeded"),
        (404, {"message": "model 'x' not found"}, "model_not_found"),
        (404, {"message": "page not found"}, None),
        (400, {"message": "odd", "error_type": "ODD"}, "ODD"),
        (400, {"message": "odd", "error_type": 3}, None),
    ],
)
def test_a_machine_code_is_told_where_there_is_one(
    status: int, body: dict[str, object], code: str | None
) -> None:
    assert errors.decode_error(status, {}, json.dumps(body).encode()).code == code


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html><body>Bad gateway</body></html>", "Bad gateway"),
        (b'{"detail": "nope"}', "nope"),
        (b'{"message": null}', None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_a_body_of_another_shape_is_put_right(body: bytes, message: str | None) -> None:
    error = errors.decode_error(502, {}, body)

    assert isinstance(error, UpstreamUnavailableError)
    assert error.message
    assert message is None or error.message == message
