"""Failures as gRPC statuses: code by the failure table, `google.rpc` details for the rest.

Source of the form: https://google.aip.dev/193. The table stands in `failure.proto`.
"""

from typing import Final, NoReturn

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from router.errors import Reason, TrunklineError
from trunkline.v1 import failure_pb2

DOMAIN: Final = "trunkline"
DETAILS_KEY: Final = "grpc-status-details-bin"

MAX_MESSAGE_CHARS: Final = 1500
"""Of the message of a status: gRPC clients refuse trailers above 8 KiB unless told otherwise, and it
stands in them twice."""

MAX_FORWARDED_CHARS: Final = 32_000
"""The same for edges, whose channel is told otherwise."""

MAX_FORWARDED_BYTES: Final = 64 * 1024
"""Of an error body that passes whole; a larger one is told by its message."""

MAX_METADATA_BYTES: Final = 512 * 1024
"""What edges must accept as metadata: message twice, body once, base64."""


def _codes() -> dict[Reason, int]:
    values = failure_pb2.FailureReason.DESCRIPTOR.values_by_name
    return {
        reason: values[f"FAILURE_REASON_{reason}"]
        .GetOptions()
        .Extensions[failure_pb2.failure]
        .grpc_code
        for reason in Reason
    }


GRPC_CODES: Final = _codes()
"""gRPC code of each failure, by number."""

_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}


def to_status(error: TrunklineError, *, forwards: bool) -> Status:
    """Return `error` as a status; `forwards`: for an edge, which may be told more."""
    info = {"param": error.param, "code": error.code, "http_status": error.http_status}
    details = [
        ErrorInfo(
            reason=error.reason,
            domain=DOMAIN,
            metadata={key: str(value)[:500] for key, value in info.items() if value is not None},
        )
    ]
    limit = MAX_FORWARDED_CHARS if forwards else MAX_MESSAGE_CHARS
    message = error.message if len(error.message) <= limit else error.message[:limit] + "…"
    status = Status(code=GRPC_CODES[error.reason], message=message)
    for detail in details:
        status.details.add().Pack(detail)
    if error.retry_after is not None:
        nanos = round(error.retry_after * 1e9)
        delay = Duration(seconds=nanos // 1_000_000_000, nanos=nanos % 1_000_000_000)
        status.details.add().Pack(RetryInfo(retry_delay=delay))
    if forwards and 0 < len(error.body) <= MAX_FORWARDED_BYTES:
        status.details.add().Pack(failure_pb2.ForwardFailure(body=error.body))
    return status


async def abort(
    context: "grpc.aio.ServicerContext[object, object]",
    error: TrunklineError,
    metadata: tuple[tuple[str, str], ...],
    *,
    forwards: bool,
) -> NoReturn:
    """End a call with `error`, `metadata` among its trailers."""
    status = to_status(error, forwards=forwards)
    await context.abort(
        _BY_NUMBER[status.code],
        status.message if not forwards else status.message[:MAX_MESSAGE_CHARS],
        (*metadata, (DETAILS_KEY, status.SerializeToString())),
    )
