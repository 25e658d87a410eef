import json
from collections.abc import Callable
from typing import Any

import pytest

from router.errors import (
    AccessDeniedError,
    ContextWindowError,
    RateLimitedError,
    UpstreamAuthError,
    UpstreamError,
    UpstreamModelNotFoundError,
    UpstreamNotFoundError,
    UpstreamOverloadedError,
    UpstreamRejectedError,
    UpstreamUnavailableError,
)

Exchange = Callable[..., Any]


def body(message: str, status: str = "INVALID_ARGUMENT", **more: Any) -> bytes:
    return json.dumps(
        {"error": {"code": 400, "message": message, "status": status, **more}}
    ).encode()


INFO = "type.googleapis.com/google.rpc.ErrorInfo"
RETRY = "type.googleapis.com/google.rpc.RetryInfo"


@pytest.mark.parametrize(
    ("status", "answer", "kind", "code"),
    [
        (400, body("Bad."), UpstreamRejectedError, "INVALID_ARGUMENT"),
        (
            400,
            body("Bad.", details=[{"@type": INFO, "reason": "FIELD_BAD"}]),
            UpstreamRejectedError,
            "FIELD_BAD",
        ),
        (
            400,
            body("The input token count (9) exceeds the maximum number of tokens allowed (8)."),
            ContextWindowError,
            "context_length_exceeded",
        ),
        (400, body("API key not valid."), UpstreamAuthError, None),
        (
            400,
            body("Key.", details=[{"@type": INFO, "reason": "API_KEY_EXPIRED"}]),
            UpstreamAuthError,
            None,
        ),
        (
            400,
            body("User location is not supported for the API use.", "FAILED_PRECONDITION"),
            UpstreamAuthError,
            None,
        ),
        (401, body("Who?", "UNAUTHENTICATED"), UpstreamAuthError, None),
        (403, body("No.", "PERMISSION_DENIED"), AccessDeniedError, None),
        (
            404,
            body("models/x is not found", "NOT_FOUND"),
            UpstreamModelNotFoundError,
            "model_not_found",
        ),
        (
            404,
            body("Publisher Model `x` not found.", "NOT_FOUND"),
            UpstreamModelNotFoundError,
            "model_not_found",
        ),
        (404, body("No such file.", "NOT_FOUND"), UpstreamNotFoundError, "NOT_FOUND"),
        (429, body("Slow.", "RESOURCE_EXHAUSTED"), RateLimitedError, None),
        (500, body("Oh.", "INTERNAL"), UpstreamUnavailableError, None),
        (503, body("Busy.", "UNAVAILABLE"), UpstreamOverloadedError, None),
    ],
)
def test_a_status_and_its_words_follow_the_contract(
    status: int, answer: bytes, kind: type[UpstreamError], code: str | None, exchange: Exchange
) -> None:
    error = exchange().decode_error(status, {}, answer)

    assert type(error) is kind
    assert error.code == code
    assert error.upstream_status == status
    assert error.message == json.loads(answer)["error"]["message"]


def test_an_error_may_stand_in_a_list(exchange: Exchange) -> None:
    error = exchange().decode_error(400, {}, b"[" + body("Bad.") + b"]")

    assert error.message == "Bad."


@pytest.mark.parametrize(
    ("delay", "headers", "wait"),
    [
        ("34.4s", {}, 34.4),
        ("34.4s", {"retry-after": "5"}, 5.0),
        ("soon", {}, 1.0),
        (7, {}, 1.0),
    ],
)
def test_the_time_to_wait_is_the_providers(
    delay: Any, headers: dict[str, str], wait: float, exchange: Exchange
) -> None:
    answer = body("Slow.", details=[{"@type": RETRY, "retryDelay": delay}])

    assert exchange().decode_error(429, headers, answer).retry_after == wait


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", "The provider answered with status 502 and no message."),
        (b"<html>no</html>", "<html>no</html>"),
        (b"[]", "[]"),
        (b'{"error":"words"}', '{"error":"words"}'),
        (b'{"error":{"message":5}}', '{"error":{"message":5}}'),
        (b"\xff", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_an_error_in_another_shape_keeps_its_words(
    answer: bytes, message: str, exchange: Exchange
) -> None:
    error = exchange().decode_error(502, {}, answer)

    assert isinstance(error, UpstreamUnavailableError)
    assert error.message == message


@pytest.mark.parametrize("details", [5, [5], [{"@type": 5}], [{"reason": []}]])
def test_details_in_another_shape_do_no_harm(details: Any, exchange: Exchange) -> None:
    assert exchange().decode_error(400, {}, body("Bad.", details=details)).message == "Bad."
