import json
from typing import Any

import pytest

from router.errors import (
    AccessDeniedError,
    AccountUnpaidError,
    RateLimitedError,
    UpstreamAuthError,
    UpstreamError,
    UpstreamNotFoundError,
    UpstreamOverloadedError,
    UpstreamRejectedError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from router.providers.anthropic.errors import MAX_WORDS, STATUS_OF


def error(kind: str, message: str, **more: Any) -> bytes:
    return json.dumps(
        {"type": "error", "error": {"type": kind, "message": message, **more}}
    ).encode()


@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        ("invalid_request_error", UpstreamRejectedError),
        ("authentication_error", UpstreamAuthError),
        ("billing_error", AccountUnpaidError),
        ("permission_error", AccessDeniedError),
        ("not_found_error", UpstreamNotFoundError),
        ("conflict_error", UpstreamRejectedError),
        ("request_too_large", UpstreamRejectedError),
        ("rate_limit_error", RateLimitedError),
        ("api_error", UpstreamUnavailableError),
        ("timeout_error", UpstreamTimeoutError),
        ("overloaded_error", UpstreamOverloadedError),
        ("an_error_of_tomorrow", UpstreamUnavailableError),
    ],
)
def test_a_type_means_the_same_as_a_status_in_a_stream_and_in_a_body(
    exchange: Any, kind: str, failure: type[UpstreamError]
) -> None:
    decoder = exchange(stream=True).stream_decoder()
    assert decoder.feed(b"event: error\ndata: " + error(kind, "words") + b"\n\n") == []
    assert type(decoder.failure) is failure
    assert decoder.failure.message == "words"
    with pytest.raises(failure) as caught:
        exchange().decode_response(error(kind, "words"))
    assert type(caught.value) is failure


def test_the_table_of_types_has_been_tested_whole() -> None:
    assert len(STATUS_OF) == 11


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (
            400,
            error("invalid_request_error", "prompt is too long: 3 tokens > 2 maximum"),
            "context_length_exceeded",
        ),
        (
            400,
            error("invalid_request_error", "input length and `max_tokens` exceed context limit: 3"),
            "context_length_exceeded",
        ),
        (404, error("not_found_error", "model: claude-x"), "model_not_found"),
        (404, error("not_found_error", "file_1"), None),
        (
            400,
            error("invalid_request_error", "x", details={"error_code": "file_expired"}),
            "file_expired",
        ),
        (400, error("invalid_request_error", "x", details=None), None),
        (401, error("authentication_error", "invalid x-api-key"), None),
    ],
)
def test_codes_are_openais_where_it_has_one_and_else_anthropics(
    exchange: Any, status: int, body: bytes, code: str | None
) -> None:
    assert exchange().decode_error(status, {}, body).code == code


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>Bad gateway</html>", "<html>Bad gateway</html>"),
        (b'{"message": "odd"}', '{"message": "odd"}'),
        (b'{"type":"error","error":{"type":"api_error","message":null}}',) * 2,
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"", "The provider answered with status 500 and no message."),
        (b"[" * 200_000, "[" * MAX_WORDS),
    ],
)
def test_an_error_in_another_shape_keeps_the_providers_words(
    exchange: Any, body: bytes, message: str | bytes
) -> None:
    expected = message.decode() if isinstance(message, bytes) else message
    assert exchange().decode_error(500, {}, body).message == expected


def test_how_long_to_wait_is_passed_on(exchange: Any) -> None:
    body = error("rate_limit_error", "slow down")
    assert exchange().decode_error(429, {"retry-after": "7"}, body).retry_after == 7
