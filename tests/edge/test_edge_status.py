import json
from typing import Any

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata

from edge.status import TABLE, HttpFailure, from_rpc_error, refusal
from tests.edge.fake_router import Failure
from trunkline.v1.failure_pb2 import FailureReason


def error(failure: Failure) -> AioRpcError:
    trailing = Metadata(("grpc-status-details-bin", failure.details()), *failure.headers)
    return AioRpcError(failure.grpc_code, Metadata(), trailing, details=failure.message)


def bare(code: StatusCode, *metadata: tuple[str, str | bytes]) -> AioRpcError:
    details = "ipv4:10.0.0.7:50051: connection refused"
    return AioRpcError(code, Metadata(), Metadata(*metadata), details=details)


def said(failure: HttpFailure) -> dict[str, Any]:
    body = json.loads(failure.body)
    assert list(body) == ["error"]
    assert list(body["error"]) == ["message", "type", "param", "code"]
    said: dict[str, Any] = body["error"]
    return said


def test_every_reason_of_the_contract_has_a_row() -> None:
    names = {
        name.removeprefix("FAILURE_REASON_") for name in FailureReason.DESCRIPTOR.values_by_name
    }

    assert set(TABLE) == names - {"UNSPECIFIED"}
    assert all(400 <= row.status <= 599 and row.type for row in TABLE.values())


@pytest.mark.parametrize("reason", sorted(TABLE))
def test_a_told_failure_is_answered_by_its_row(reason: str) -> None:
    failure = from_rpc_error(error(Failure(StatusCode.INTERNAL, reason, "The router's words.")))

    row = TABLE[reason]
    assert failure.status == row.status
    assert said(failure) == {
        "message": "The router's words.",
        "type": row.type,
        "param": None,
        "code": row.code,
    }
    assert failure.is_told
    assert failure.reason == reason


def test_param_code_and_status_of_the_provider_are_kept() -> None:
    info = {"param": "temperature", "code": "bad_value", "http_status": "422"}
    told = Failure(StatusCode.INVALID_ARGUMENT, "UPSTREAM_REJECTED", "Too hot.", info)

    failure = from_rpc_error(error(told))

    assert failure.status == 422
    assert said(failure)["param"] == "temperature"
    assert said(failure)["code"] == "bad_value"


@pytest.mark.parametrize("status", ["200", "302", "999", "abc", "", "4040", "\u0664\u0660\u0660"])
def test_a_status_that_is_no_error_is_not_kept(status: str) -> None:
    told = Failure(StatusCode.INVALID_ARGUMENT, "UPSTREAM_REJECTED", "", {"http_status": status})

    assert from_rpc_error(error(told)).status == 400


def test_a_body_that_passes_whole_is_not_touched() -> None:
    body = b'{"error": {"message": "no", "type": "t", "param": null, "code": "c", "x": 1}}'
    told = Failure(StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMIT_EXCEEDED", "no", body=body)

    failure = from_rpc_error(error(told))

    assert failure.body == body
    assert failure.status == 429


@pytest.mark.parametrize(("delay", "header"), [(0.0, 1), (0.2, 1), (1.0, 1), (6.01, 7), (90, 90)])
def test_retry_after_is_in_whole_seconds_rounded_up(delay: float, header: int) -> None:
    told = Failure(StatusCode.UNAVAILABLE, "OVERLOADED", "Full.", retry_seconds=delay)

    assert from_rpc_error(error(told)).retry_after == header


def test_429_and_503_always_say_when_to_come_back_and_others_only_if_told() -> None:
    told = {
        reason: from_rpc_error(error(Failure(StatusCode.INTERNAL, reason, ""))) for reason in TABLE
    }

    assert {f.status for f in told.values() if f.retry_after is not None} == {429, 503}
    assert all(f.retry_after for f in told.values() if f.status in {429, 503})


def test_headers_of_a_failure_come_from_the_trailing_metadata() -> None:
    headers = (("x-trunkline-attempts", "3"), ("x-secret", "s"))
    told = Failure(StatusCode.UNAVAILABLE, "UPSTREAM_UNAVAILABLE", "", headers=headers)

    assert from_rpc_error(error(told)).headers == (("x-trunkline-attempts", "3"),)


def test_a_reason_of_a_newer_router_keeps_its_words_and_falls_back_on_its_code() -> None:
    failure = from_rpc_error(
        error(Failure(StatusCode.INVALID_ARGUMENT, "BUDGET_SPENT", "No money left."))
    )

    assert failure.status == 400
    assert said(failure)["message"] == "No money left."


@pytest.mark.parametrize(
    ("code", "status", "openai_code"),
    [
        (StatusCode.UNAVAILABLE, 503, "no_healthy_deployment"),
        (StatusCode.CANCELLED, 503, "no_healthy_deployment"),
        (StatusCode.DEADLINE_EXCEEDED, 504, "timeout"),
        (StatusCode.UNAUTHENTICATED, 401, "invalid_api_key"),
        (StatusCode.RESOURCE_EXHAUSTED, 413, None),
        (StatusCode.INVALID_ARGUMENT, 400, None),
        (StatusCode.NOT_FOUND, 404, None),
        (StatusCode.INTERNAL, 500, "internal_error"),
        (StatusCode.UNKNOWN, 500, "internal_error"),
        (StatusCode.UNIMPLEMENTED, 500, "internal_error"),
        (StatusCode.DATA_LOSS, 500, "internal_error"),
    ],
)
def test_an_untold_failure_is_answered_by_its_code_in_words_of_ours(
    code: StatusCode, status: int, openai_code: str | None
) -> None:
    failure = from_rpc_error(bare(code))

    assert failure.status == status
    assert said(failure)["code"] == openai_code
    assert b"10.0.0.7" not in failure.body
    assert not failure.is_told
    assert failure.retry_after == (1 if status == 503 else None)


def test_every_grpc_code_has_an_answer() -> None:
    codes = [code for code in StatusCode if code is not StatusCode.OK]

    assert all(from_rpc_error(bare(code)).status >= 400 for code in codes)


@pytest.mark.parametrize(
    ("code", "openai_code"),
    [
        (StatusCode.UNAVAILABLE, "upstream_truncated"),
        (StatusCode.RESOURCE_EXHAUSTED, "upstream_truncated"),
        (StatusCode.INTERNAL, "upstream_truncated"),
        (StatusCode.DEADLINE_EXCEEDED, "timeout"),
    ],
)
def test_after_content_a_lost_router_is_a_cut_answer(code: StatusCode, openai_code: str) -> None:
    assert said(from_rpc_error(bare(code), is_committed=True))["code"] == openai_code


def test_an_answer_over_the_message_limit_is_not_the_callers_fault() -> None:
    initial = Metadata(("x-request-id", "1"))
    caught = AioRpcError(StatusCode.RESOURCE_EXHAUSTED, initial, Metadata())

    assert from_rpc_error(caught).status == 502


@pytest.mark.parametrize("details", [b"\xff\xff\xff", b""])
def test_details_that_cannot_be_read_count_as_none(details: bytes) -> None:
    failure = from_rpc_error(bare(StatusCode.INTERNAL, ("grpc-status-details-bin", details)))

    assert failure.status == 500
    assert not failure.is_told


def test_an_error_info_of_another_domain_is_not_ours() -> None:
    told = Failure(StatusCode.UNAUTHENTICATED, "MODEL_NOT_FOUND", "db at 10.0.0.7")
    details = told.details().replace(b"trunkline", b"elsewhere")
    caught = bare(StatusCode.UNAUTHENTICATED, ("grpc-status-details-bin", details))

    failure = from_rpc_error(caught)

    assert failure.status == 401
    assert b"10.0.0.7" not in failure.body


def test_an_error_without_trailing_metadata_is_answered_too() -> None:
    class SilentError(AioRpcError):
        def trailing_metadata(self) -> Any:
            return None

    assert from_rpc_error(SilentError(StatusCode.UNKNOWN, Metadata(), Metadata())).status == 500


def test_a_refusal_of_the_edge_has_the_same_shape() -> None:
    failure = refusal("PAYLOAD_TOO_LARGE", 'Over "the" limit.', param="body")

    assert failure.status == 413
    assert said(failure) == {
        "message": 'Over "the" limit.',
        "type": "invalid_request_error",
        "param": "body",
        "code": None,
    }
