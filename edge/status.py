"""From a failed call to an HTTP answer: one table, read from the contract.

Strategy: the rows stand as options on the values of `FailureReason` in `failure.proto`; this module
copies none of them. A router says its reason in a `google.rpc.ErrorInfo`, and its words are for the
client. A failure without one was not told by a router (nobody answered, the transport refused, a
deadline passed here): its text may hold addresses and file names, so the client gets words of ours,
chosen by the gRPC code alone.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import grpc
import msgspec
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from edge.headers import Pairs, response_headers
from trunkline.v1.failure_pb2 import FailureReason, ForwardFailure, failure

DOMAIN = "trunkline"

_PREFIX = "FAILURE_REASON_"
_DETAILS_KEY = "grpc-status-details-bin"

RETRY_SECONDS = 1
"""Sent with 429 and 503 where the router names no time: clients that get none guess, or give up."""

_RETRIABLE = frozenset({429, 503})


class Row(NamedTuple):
    """One row of the failure table, as HTTP needs it."""

    status: int
    type: str
    code: str | None


def _read_table() -> Mapping[str, Row]:
    options = {
        value.name.removeprefix(_PREFIX): value.GetOptions().Extensions[failure]
        for value in FailureReason.DESCRIPTOR.values
        if value.GetOptions().HasExtension(failure)
    }
    return {
        reason: Row(row.http_status, row.type, row.code or None) for reason, row in options.items()
    }


TABLE = _read_table()
"""Reason, as ErrorInfo spells it, to its row."""


class Untold(NamedTuple):
    """What to say of a gRPC status that no router explained."""

    reason: str
    message: str


_BAD = Untold("INTERNAL", "The gateway failed to answer the request.")
_AWAY = Untold("NO_HEALTHY_DEPLOYMENT", "The gateway cannot serve requests at the moment.")
_TOO_MUCH = Untold("UPSTREAM_UNAVAILABLE", "The answer is too large to be passed on.")
_CUT = Untold("UPSTREAM_TRUNCATED", "The answer broke off before its end.")

_UNTOLD: Mapping[StatusCode, Untold] = {
    StatusCode.UNAVAILABLE: _AWAY,
    # A router that stops hard cancels its calls; a call that we cancel never comes here.
    StatusCode.CANCELLED: _AWAY,
    StatusCode.DEADLINE_EXCEEDED: Untold("TIMEOUT", "The request took too long."),
    StatusCode.UNAUTHENTICATED: Untold("INVALID_API_KEY", "The API key is missing or not valid."),
    # The transport's own limit: the router takes smaller messages than this edge.
    StatusCode.RESOURCE_EXHAUSTED: Untold("PAYLOAD_TOO_LARGE", "The request is too large."),
    StatusCode.INVALID_ARGUMENT: Untold("INVALID_REQUEST", "The request is not valid."),
    StatusCode.NOT_FOUND: Untold("NOT_FOUND", "There is nothing at this URL."),
}

_UNTOLD_MIDWAY: Mapping[StatusCode, Untold] = {
    StatusCode.DEADLINE_EXCEEDED: _UNTOLD[StatusCode.DEADLINE_EXCEEDED],
}


@dataclass(frozen=True, slots=True)
class HttpFailure:
    """An answer that is not a success.

    `body` is OpenAI's error object as JSON. `reason` is for metrics and log. `retry_after` is in whole
    seconds. `headers` come besides the usual ones. `is_told` says that a router failed the call, and
    therefore has logged it.
    """

    status: int
    body: bytes
    reason: str
    retry_after: int | None = None
    headers: Pairs = ()
    is_told: bool = False


def refusal(
    reason: str, message: str, *, param: str | None = None, headers: Pairs = ()
) -> HttpFailure:
    """A failure that the edge itself finds. `reason` is a key of `TABLE`."""
    row = TABLE[reason]
    return HttpFailure(
        row.status,
        _error_body(message, row.type, param, row.code),
        reason,
        RETRY_SECONDS if row.status in _RETRIABLE else None,
        headers,
    )


def from_rpc_error(error: grpc.aio.AioRpcError, *, is_committed: bool = False) -> HttpFailure:
    """The HTTP answer for a failed call.

    `is_committed`: content has gone to the client already, so that a lost router means a cut answer.
    """
    details = _read_details(error)
    headers = response_headers(error.trailing_metadata() or ())
    if details.info is not None:
        return _told(error, details, details.info, headers)
    untold = _explain(error, is_committed=is_committed)
    return refusal(untold.reason, untold.message, headers=headers)


@dataclass(slots=True)
class _Details:
    """What a failed call says of itself, message by message; None where it says nothing."""

    message: str = ""
    info: ErrorInfo | None = None
    retry: RetryInfo | None = None
    failure: ForwardFailure | None = None


def _explain(error: grpc.aio.AioRpcError, *, is_committed: bool) -> Untold:
    code = error.code()
    if is_committed:
        return _UNTOLD_MIDWAY.get(code, _CUT)
    # Initial metadata comes with an answer: it is the answer that is over the limit.
    if code is StatusCode.RESOURCE_EXHAUSTED and error.initial_metadata():
        return _TOO_MUCH
    return _UNTOLD.get(code, _BAD)


def _told(
    error: grpc.aio.AioRpcError, details: _Details, info: ErrorInfo, headers: Pairs
) -> HttpFailure:
    # A reason of a newer router: its words hold, its row is not known here.
    known = info.reason in TABLE
    reason = info.reason if known else _UNTOLD.get(error.code(), _BAD).reason
    row = TABLE[reason]
    status = _kept_status(info.metadata.get("http_status"), row.status)
    body = details.failure.body if details.failure else b""
    return HttpFailure(
        status,
        body
        or _error_body(
            details.message or error.details() or "",
            row.type,
            info.metadata.get("param"),
            info.metadata.get("code") or row.code,
        ),
        info.reason,
        _retry_after(details.retry, status),
        headers,
        is_told=True,
    )


def _read_details(error: grpc.aio.AioRpcError) -> _Details:
    details = _Details()
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            try:
                _unpack(Status.FromString(value), details)
            except DecodeError:
                # Whatever wrote this speaks another contract; the gRPC code still stands.
                return _Details()
    return details


def _unpack(status: Status, into: _Details) -> None:
    into.message = status.message
    for detail in status.details:
        info, retry, passed = ErrorInfo(), RetryInfo(), ForwardFailure()
        # `Unpack` fills the message if the detail is one of its type, and says whether it was.
        if detail.Unpack(info):
            into.info = info if info.domain == DOMAIN else into.info
        elif detail.Unpack(retry):
            into.retry = retry
        elif detail.Unpack(passed):
            into.failure = passed


def _kept_status(text: str | None, default: int) -> int:
    """The provider's own status where the router keeps it; only errors can be kept."""
    if text is not None and text.isascii() and text.isdecimal() and len(text) == 3:
        status = int(text)
        return status if 400 <= status <= 599 else default
    return default


def _retry_after(retry: RetryInfo | None, status: int) -> int | None:
    if retry is None:
        return RETRY_SECONDS if status in _RETRIABLE else None
    seconds = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    return max(1, math.ceil(seconds))


def _error_body(message: str, kind: str, param: str | None, code: str | None) -> bytes:
    error = {"message": message, "type": kind, "param": param, "code": code}
    return msgspec.json.encode({"error": error})
