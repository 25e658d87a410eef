"""Failures as gRPC statuses: code by the failure table, `google.rpc` details for the rest.

Source of the form: https://google.aip.dev/193. The table stands in `failure.proto`.
"""

from typing import Final, NoReturn
from urllib.parse import quote

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from router.errors import Reason, TrunklineError
from trunkline.v1 import failure_pb2

DOMAIN: Final = "trunkline"
DETAILS_KEY: Final = "grpc-status-details-bin"

NO_RETRY: Final = (("grpc-retry-pushback-ms", "-1"),)
"""Forbids a channel to send the call again by itself. Edges do so with the calls of a router that is lost,
whose code is that of a provider's failure too. Typed callers choose for themselves what they repeat.
Source: https://github.com/grpc/proposal/blob/master/A6-client-retries.md#pushback."""

MAX_MESSAGE_BYTES: Final = 2000
"""Of a status's message, percent-encoded as gRPC sends it: clients refuse trailers above 8 KiB unless told
otherwise, and the message stands in them twice."""

MAX_FORWARDED_CHARS: Final = 16_000
"""Of a message for edges, whose channel is told otherwise."""

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
    message = _sendable(error.message)
    if not forwards:
        message = _bounded(message)
    elif len(message) > MAX_FORWARDED_CHARS:
        message = message[:MAX_FORWARDED_CHARS] + "…"
    status = Status(code=GRPC_CODES[error.reason], message=message)
    metadata = {
        key: _sendable(str(value))[:500] for key, value in info.items() if value is not None
    }
    status.details.add().Pack(ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata))
    if error.retry_after is not None:
        nanos = round(error.retry_after * 1e9)
        delay = Duration(seconds=nanos // 1_000_000_000, nanos=nanos % 1_000_000_000)
        status.details.add().Pack(RetryInfo(retry_delay=delay))
    if forwards and 0 < len(error.body) <= MAX_FORWARDED_BYTES:
        status.details.add().Pack(failure_pb2.ForwardFailure(body=error.body))
    return status


def _sendable(text: str) -> str:
    """Return `text` as it can be encoded: a lone surrogate, cut from an emoji, cannot."""
    return text.encode("utf-8", "replace").decode()


def _bounded(message: str) -> str:
    """Return as much of a message as fits a trailer when percent-encoded."""
    if len(quote(message, safe=_UNQUOTED)) <= MAX_MESSAGE_BYTES:
        return message
    size, kept = 0, []
    for char in message:
        size += len(quote(char, safe=_UNQUOTED))
        if size > MAX_MESSAGE_BYTES:
            break
        kept.append(char)
    return "".join(kept) + "…"


_UNQUOTED = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")
"""What gRPC sends as it is (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md)."""


async def abort(
    context: "grpc.aio.ServicerContext[object, object]",
    error: TrunklineError,
    metadata: tuple[tuple[str, str], ...],
    *,
    forwards: bool,
) -> NoReturn:
    """End a call with `error`, `metadata` among its trailers."""
    status = to_status(error, forwards=forwards)
    told = (*metadata, *NO_RETRY) if forwards else metadata
    # The same words in both places: libraries compare them. Edges read the longer ones in the details.
    await context.abort(
        _BY_NUMBER[status.code],
        _bounded(status.message),
        (*told, (DETAILS_KEY, status.SerializeToString())),
    )
