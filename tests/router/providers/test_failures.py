"""One table says what a provider's status means, whatever its dialect."""

import pytest

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
from router.providers.failures import (
    DEFAULT_RETRY_AFTER,
    KEPT_STATUSES,
    MAX_RETRY_AFTER,
    Words,
    failure,
    seconds_to_wait,
)

SAID = Words("words", code="their_code", param="their_param", type="their_type", whole=b"{}")

KINDS: list[tuple[int, type[UpstreamError]]] = [
    (400, UpstreamRejectedError),
    (401, UpstreamAuthError),
    (402, AccountUnpaidError),
    (403, AccessDeniedError),
    (404, UpstreamNotFoundError),
    (405, UpstreamRejectedError),
    (408, UpstreamTimeoutError),
    (409, UpstreamRejectedError),
    (410, UpstreamModelNotFoundError),
    (413, UpstreamRejectedError),
    (415, UpstreamRejectedError),
    (418, UpstreamRejectedError),
    (422, UpstreamRejectedError),
    (429, RateLimitedError),
    (451, UpstreamRejectedError),
    (500, UpstreamUnavailableError),
    (501, UpstreamUnavailableError),
    (502, UpstreamUnavailableError),
    (503, UpstreamOverloadedError),
    (504, UpstreamTimeoutError),
    (529, UpstreamOverloadedError),
    (301, UpstreamUnavailableError),
    (304, UpstreamUnavailableError),
    (204, UpstreamUnavailableError),
]


@pytest.mark.parametrize(("status", "kind"), KINDS)
def test_a_status_has_its_class_and_the_providers_message(
    status: int, kind: type[UpstreamError]
) -> None:
    error = failure(status, {}, SAID)

    assert type(error) is kind
    assert (error.message, error.param, error.upstream_status) == ("words", "their_param", status)


@pytest.mark.parametrize(("status", "kind"), KINDS)
def test_only_a_verdict_on_the_request_keeps_status_code_and_body(
    status: int, kind: type[UpstreamError]
) -> None:
    error = failure(status, {}, SAID)
    keeps = kind in (UpstreamRejectedError, UpstreamNotFoundError, RateLimitedError)

    assert error.http_status == (status if status in KEPT_STATUSES else None)
    assert (error.code, error.body) == (("their_code", b"{}") if keeps else (None, b""))


@pytest.mark.parametrize(
    "words", [Words("m", code="insufficient_quota"), Words("m", type="insufficient_quota")]
)
def test_a_quota_that_is_used_up_is_told_from_a_rate(words: Words) -> None:
    assert type(failure(429, {}, words)) is QuotaExhaustedError
    assert type(failure(400, {}, words)) is UpstreamRejectedError


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("context_length_exceeded", ContextWindowError),
        ("content_filter", ContentPolicyError),
        ("content_policy_violation", ContentPolicyError),
        ("model_not_found", UpstreamModelNotFoundError),
        ("DeploymentNotFound", UpstreamModelNotFoundError),
    ],
)
@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_a_machine_code_says_more_than_the_status(
    status: int, code: str, kind: type[UpstreamError]
) -> None:
    said = failure(status, {}, Words("m", code=code, whole=b"{}"))
    meant = failure(status, {}, Words("m", code="their_code", meaning=code))

    assert (type(said), type(meant)) == (kind, kind)
    assert (said.http_status, said.code, said.body) == (status, code, b"{}")
    assert meant.code == "their_code"
    assert type(failure(500, {}, Words("m", code=code))) is UpstreamUnavailableError


@pytest.mark.parametrize(("headers", "stated"), [({}, None), ({"retry-after": "7"}, 7)])
def test_a_wait_that_was_stated_is_told_from_one_that_we_guess(
    headers: dict[str, str], stated: float | None
) -> None:
    assert failure(429, headers, SAID).stated_wait == stated


@pytest.mark.parametrize("status", [429, 503, 529])
def test_who_is_out_of_room_names_a_wait_in_any_case(status: int) -> None:
    assert failure(status, {}, SAID).retry_after == DEFAULT_RETRY_AFTER
    assert failure(status, {"retry-after": "7"}, SAID).retry_after == 7


def test_any_other_failure_names_a_wait_only_where_the_provider_does() -> None:
    assert failure(500, {}, SAID).retry_after is None
    assert failure(500, {"retry-after": "7"}, SAID).retry_after == 7


NOON = "Sun, 06 Nov 1994 12:00:00 GMT"
NEXT = "Sun, 06 Nov 1994 12:00:09 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": NEXT, "date": NOON}, 9.0),
        ({"retry-after": NOON, "date": NEXT}, 0.0),
        ({"retry-after-ms": "-5"}, 0.0),
        ({"retry-after": "1e9"}, MAX_RETRY_AFTER),
        ({"retry-after": "9" * 400}, MAX_RETRY_AFTER),
        ({"retry-after-ms": "inf"}, MAX_RETRY_AFTER),
    ],
)
def test_a_wait_is_read_in_every_form_and_bounded(headers: dict[str, str], seconds: float) -> None:
    assert seconds_to_wait(headers) == seconds


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"retry-after": ""},
        {"retry-after": NEXT},
        {"retry-after": "soon", "date": NOON},
        {"retry-after": "1 minute"},
        {"retry-after": NEXT, "date": "today"},
        {"retry-after": "Sun, 06 Nov 1994 12:00:00 -0000", "date": NOON},
        {"retry-after-ms": "many"},
    ],
)
def test_a_wait_that_cannot_be_read_is_none(headers: dict[str, str]) -> None:
    assert seconds_to_wait(headers) is None


def test_a_wait_that_is_no_number_is_bounded_too() -> None:
    wait = seconds_to_wait({"retry-after-ms": "nan"})

    assert wait is None or 0 <= wait <= MAX_RETRY_AFTER
