"""Every kind of failure has one row, and whoever is told of it is told the same on both transports."""

from pathlib import Path

import grpc
import pytest

from edge import status as edge_status
from router import errors
from router.errors import FailureClass, Reason, TrunklineError
from router.routing.conduct import CONDUCT, Onward, Shelf
from router.rpc.status import GRPC_CODES, to_status
from tests.support.errors import kinds_of

UNAVAILABLE, EXHAUSTED, DEADLINE, INTERNAL, INVALID, NOT_FOUND = 14, 8, 4, 13, 3, 5

STOP, KEY, NEXT = Onward.STOP, Onward.KEY, Onward.DEPLOYMENT
NOTHING = Shelf.NOTHING

# class: goes on to, asked again, breaker, set aside, HTTP status, OpenAI type, OpenAI code, gRPC code
TABLE = {
    "malformed": (STOP, False, False, NOTHING, 400, "invalid_request_error", None, INVALID),
    "too_large": (STOP, False, False, NOTHING, 413, "invalid_request_error", None, INVALID),
    "unauthenticated": (STOP, False, False, NOTHING, 401, "invalid_request_error", "invalid_api_key", 16),
    "unknown_model": (STOP, False, False, NOTHING, 404, "invalid_request_error", "model_not_found", 5),
    "unknown_path": (STOP, False, False, NOTHING, 404, "invalid_request_error", None, NOT_FOUND),
    "wrong_method": (STOP, False, False, NOTHING, 405, "invalid_request_error", None, 12),
    "rejected": (STOP, False, False, NOTHING, 400, "invalid_request_error", None, INVALID),
    "unsupported": (NEXT, False, False, NOTHING, 400, "invalid_request_error", None, INVALID),
    "resource_missing": (NEXT, False, False, NOTHING, 400, "invalid_request_error", None, INVALID),
    "context_window": (
        Onward.CONTEXT_WINDOW, False, False, NOTHING, 400, "invalid_request_error", None, INVALID,
    ),
    "content_policy": (
        Onward.CONTENT_POLICY, False, False, NOTHING, 400, "invalid_request_error", None, INVALID,
    ),
    "model_gone": (
        KEY, False, False, Shelf.LANE, 404, "invalid_request_error", "model_not_found", NOT_FOUND,
    ),
    "rate_limited": (
        KEY, True, False, Shelf.LANE, 429, "rate_limit_error", "rate_limit_exceeded", EXHAUSTED,
    ),
    "quota_exhausted": (
        KEY, False, False, Shelf.KEY, 429, "insufficient_quota", "insufficient_quota", EXHAUSTED,
    ),
    "credential_refused": (KEY, False, False, Shelf.KEY, 502, "api_error", "upstream_auth", INTERNAL),
    "credential_missing": (NEXT, False, False, Shelf.KEY, 502, "api_error", "upstream_auth", INTERNAL),
    "access_denied": (KEY, False, False, Shelf.LANE, 502, "api_error", "upstream_auth", INTERNAL),
    "account_unpaid": (KEY, False, False, Shelf.KEY, 502, "api_error", "upstream_auth", INTERNAL),
    "unreachable": (NEXT, True, True, NOTHING, 502, "api_error", "upstream_unavailable", UNAVAILABLE),
    "disconnected": (NEXT, True, True, NOTHING, 502, "api_error", "upstream_unavailable", UNAVAILABLE),
    "server_error": (NEXT, True, True, NOTHING, 502, "api_error", "upstream_unavailable", UNAVAILABLE),
    "truncated": (NEXT, True, True, NOTHING, 502, "api_error", "upstream_truncated", UNAVAILABLE),
    "overloaded": (NEXT, True, True, NOTHING, 503, "api_error", "overloaded", UNAVAILABLE),
    "upstream_timeout": (NEXT, True, True, NOTHING, 504, "api_error", "timeout", DEADLINE),
    "first_token_timeout": (NEXT, False, True, NOTHING, 504, "api_error", "timeout", DEADLINE),
    "idle_timeout": (STOP, False, True, NOTHING, 504, "api_error", "timeout", DEADLINE),
    "total_timeout": (STOP, False, True, NOTHING, 504, "api_error", "timeout", DEADLINE),
    "caller_deadline": (STOP, False, False, NOTHING, 504, "api_error", "timeout", DEADLINE),
    "no_room": (NEXT, False, False, NOTHING, 503, "api_error", "overloaded", UNAVAILABLE),
    "no_deployment": (STOP, False, False, NOTHING, 503, "api_error", "no_healthy_deployment", UNAVAILABLE),
    "internal": (STOP, False, False, NOTHING, 500, "api_error", "internal_error", INTERNAL),
}  # fmt: skip


@pytest.mark.parametrize("kind", list(FailureClass))
def test_a_failure_is_dealt_with_and_told_as_the_table_says(kind: FailureClass) -> None:
    conduct = CONDUCT[kind]
    row = edge_status.TABLE[conduct.reason]

    told = (row.status, row.type, row.code, GRPC_CODES[conduct.reason])
    assert (conduct.onward, conduct.retries, conduct.counts, conduct.shelf, *told) == TABLE[kind]
    assert (conduct.seconds > 0) == (conduct.shelf is not NOTHING)


@pytest.mark.parametrize("kind", kinds_of(TrunklineError), ids=lambda kind: kind.__name__)
def test_every_error_says_the_reason_of_its_class_on_both_transports(
    kind: type[TrunklineError],
) -> None:
    reason = CONDUCT[kind.failure_class].reason
    status = to_status(kind("words"), forwards=True)

    assert kind.reason is reason
    assert status.code == GRPC_CODES[reason]
    assert reason.encode() in status.details[0].value


def test_the_page_shows_the_table_as_it_is() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/resilience.md").read_text(encoding="utf-8")

    for kind in FailureClass:
        assert row_of(kind) in page


def row_of(kind: FailureClass) -> str:
    """One row of the page's table."""
    conduct = CONDUCT[kind]
    told = edge_status.TABLE[conduct.reason]
    code = next(c.name for c in grpc.StatusCode if c.value[0] == GRPC_CODES[conduct.reason])
    aside = f"{conduct.shelf}, {conduct.seconds:g} s" if conduct.seconds else "no"
    cells = (
        f"`{kind}`", conduct.onward, "yes" if conduct.retries else "no",
        "yes" if conduct.counts else "no", aside, f"{told.status} `{told.code or told.type}`", code,
    )  # fmt: skip
    return "| " + " | ".join(map(str, cells)) + " |"


def test_every_class_belongs_to_an_error() -> None:
    classes = {kind.failure_class for kind in kinds_of(TrunklineError)}

    assert classes == set(FailureClass) == set(CONDUCT)
    assert {c.reason for c in CONDUCT.values()} == set(Reason) - {Reason.UNSUPPORTED_MEDIA_TYPE}
    assert errors.TrunklineError in kinds_of(TrunklineError)[0].__mro__
