"""Failures as gRPC statuses: bounded, whole in both places, and longer for edges."""

import json
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from router.errors import (
    InvalidRequestError,
    NoDeploymentError,
    RateLimitedError,
    TrunklineError,
    UpstreamRejectedError,
    UpstreamUnavailableError,
)
from router.rpc.status import (
    DOMAIN,
    MAX_FORWARDED_BYTES,
    MAX_FORWARDED_CHARS,
    MAX_MESSAGE_BYTES,
    MAX_METADATA_BYTES,
    to_status,
)
from tests.support.gateway import gateway
from tests.support.typed import failure_of, posted, stubs, unary
from trunkline.v1.failure_pb2 import ForwardFailure


def info_of(status: Status) -> ErrorInfo:
    info = ErrorInfo()
    assert status.details[0].Unpack(info)
    return info


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidRequestError("m"), grpc.StatusCode.INVALID_ARGUMENT),
        (NoDeploymentError("m"), grpc.StatusCode.UNAVAILABLE),
        (RateLimitedError("m"), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (UpstreamUnavailableError("m"), grpc.StatusCode.UNAVAILABLE),
    ],
)
def test_code_and_reason_are_those_of_the_table(
    error: TrunklineError, code: grpc.StatusCode
) -> None:
    status = to_status(error, forwards=False)

    assert status.code == code.value[0]
    assert (info_of(status).reason, info_of(status).domain) == (error.reason, DOMAIN)
    assert len(status.details) == 1


def test_param_code_and_kept_status_are_told_beside() -> None:
    error = UpstreamRejectedError("m", param="p", code="c", http_status=422)

    assert dict(info_of(to_status(error, forwards=False)).metadata) == {
        "param": "p",
        "code": "c",
        "http_status": "422",
    }


@pytest.mark.parametrize(
    ("wait", "seconds", "nanos"), [(0.0, 0, 0), (1.5, 1, 500_000_000), (0.9999999999, 1, 0)]
)
def test_a_wait_is_told_in_whole_seconds_and_nanoseconds(
    wait: float, seconds: int, nanos: int
) -> None:
    status = to_status(RateLimitedError("m", retry_after=wait), forwards=False)
    retry = RetryInfo()

    assert status.details[1].Unpack(retry)
    assert (retry.retry_delay.seconds, retry.retry_delay.nanos) == (seconds, nanos)


@pytest.mark.parametrize("char", ["x", "%", "é", "字", "\U0001f600", "\n", "\x00"])
def test_a_long_message_is_cut_to_what_a_trailer_takes_and_says_so(char: str) -> None:
    message = to_status(InvalidRequestError(char * 5000), forwards=False).message
    kept = message.removesuffix("…")

    assert message.endswith("…")
    assert kept == char * len(kept)
    assert MAX_MESSAGE_BYTES // 12 - 1 <= len(kept) <= MAX_MESSAGE_BYTES


def test_a_message_that_fits_is_not_cut() -> None:
    for text in ("x" * MAX_MESSAGE_BYTES, "字" * (MAX_MESSAGE_BYTES // 9), ""):
        assert to_status(InvalidRequestError(text), forwards=False).message == text


def test_an_edge_is_told_more_and_still_a_bounded_message() -> None:
    long, longer = "字" * MAX_FORWARDED_CHARS, "字" * (MAX_FORWARDED_CHARS + 1)

    assert to_status(InvalidRequestError(long), forwards=True).message == long
    assert to_status(InvalidRequestError(longer), forwards=True).message == long + "…"


@pytest.mark.parametrize("size", [1, MAX_FORWARDED_BYTES])
def test_a_body_that_passes_whole_goes_to_edges_alone(size: int) -> None:
    error = UpstreamRejectedError("m", body=b"x" * size)
    passed = ForwardFailure()

    assert to_status(error, forwards=True).details[-1].Unpack(passed)
    assert len(passed.body) == size
    assert len(to_status(error, forwards=False).details) == 1


@pytest.mark.parametrize("size", [0, MAX_FORWARDED_BYTES + 1])
def test_no_body_and_one_that_is_too_large_are_not_told(size: int) -> None:
    assert len(to_status(UpstreamRejectedError("m", body=b"x" * size), forwards=True).details) == 1


def test_the_largest_failure_stays_within_what_edges_accept() -> None:
    words = "字" * 100_000
    error = UpstreamRejectedError(
        words, param=words, code=words, body=b"x" * MAX_FORWARDED_BYTES, retry_after=1.0
    )

    # base64 in the trailer adds a third.
    assert len(to_status(error, forwards=True).SerializeToString()) * 4 / 3 < MAX_METADATA_BYTES / 2


def test_half_an_emoji_is_replaced_wherever_it_stands() -> None:
    half = json.loads('"\\ud83d"')
    status = to_status(InvalidRequestError(half, param=half, code=half), forwards=False)

    assert (status.message, dict(info_of(status).metadata)) == ("?", {"param": "?", "code": "?"})


async def test_edges_are_forbidden_to_send_a_failed_call_again_and_typed_callers_are_not(
    tmp_path: Path,
) -> None:
    async with gateway(tmp_path, {}) as started, stubs(started.grpc) as router:
        edges = await failure_of(router.forward.Forward(posted(b"{")))
        typed = await failure_of(router.chat.CreateChatCompletion(unary(model="none")))

    assert edges.trailers["grpc-retry-pushback-ms"] == "-1"
    assert "grpc-retry-pushback-ms" not in typed.trailers
