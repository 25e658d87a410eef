"""Everything that can go wrong in the router, as one tree.

::

    TrunklineError
    ├── CallerError                 the caller's request is at fault; trying elsewhere cannot help
    │   ├── InvalidRequestError         malformed, wrong types, something missing
    │   │   └── PayloadTooLargeError
    │   ├── UnauthenticatedError        no credential, or an unknown one
    │   ├── ModelNotFoundError          not on the list
    │   ├── PathNotFoundError           no such path
    │   └── MethodNotAllowedError       the path exists, the method does not
    ├── UpstreamError               a provider's answer, or the lack of one
    │   ├── UpstreamRejectedError       the provider finds fault with the request; keeps its status
    │   ├── UpstreamModelNotFoundError  the provider says that the model is gone
    │   ├── RateLimitedError            the provider limits our rate
    │   │   └── QuotaExhaustedError
    │   ├── UpstreamAuthError           our credential or account, not the caller's
    │   ├── UpstreamUnavailableError    unreachable, failing, or unreadable
    │   │   └── UpstreamTruncatedError  the answer broke off
    │   ├── UpstreamOverloadedError     the provider has no room now
    │   └── DeadlineExceededError       a deadline passed: the caller's, ours or the provider's
    └── GatewayError                our own state
        ├── OverloadedError             no room now
        ├── NoDeploymentError           nothing can serve the model now
        └── InternalError               a fault of ours

    ConfigError                     the process must not start; outside the tree: no call sees it

The `Reason` of each class names its row in the failure table, which stands in
`protos/trunkline/v1/failure.proto`: gRPC code, HTTP status, OpenAI's `type` and `code`.
Branch on these types, never on messages.
"""

from enum import StrEnum
from typing import ClassVar


class Reason(StrEnum):
    """Why a call failed: the values of `trunkline.v1.FailureReason` without their prefix."""

    INVALID_REQUEST = "INVALID_REQUEST"
    INVALID_API_KEY = "INVALID_API_KEY"
    MODEL_NOT_FOUND = "MODEL_NOT_FOUND"
    NOT_FOUND = "NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    UPSTREAM_REJECTED = "UPSTREAM_REJECTED"
    RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED"
    INSUFFICIENT_QUOTA = "INSUFFICIENT_QUOTA"
    UPSTREAM_AUTH = "UPSTREAM_AUTH"
    UPSTREAM_UNAVAILABLE = "UPSTREAM_UNAVAILABLE"
    UPSTREAM_TRUNCATED = "UPSTREAM_TRUNCATED"
    OVERLOADED = "OVERLOADED"
    NO_HEALTHY_DEPLOYMENT = "NO_HEALTHY_DEPLOYMENT"
    TIMEOUT = "TIMEOUT"
    INTERNAL = "INTERNAL"


class TrunklineError(Exception):
    """A call that failed.

    `message` is for the caller: it may hold a provider's own words, never a secret of ours. `param` names
    the request field at fault. `code` is a machine code that replaces the table's, usually the provider's.
    `retry_after` is in seconds. `http_status` is set where the table keeps the provider's status.
    `body` is the provider's error as JSON bytes where it already had OpenAI's shape and passes whole.
    """

    reason: ClassVar[Reason]

    def __init__(  # noqa: PLR0913 (what a failure can say; all but the message are optional)
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        http_status: int | None = None,
        body: bytes = b"",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code
        self.retry_after = retry_after
        self.http_status = http_status
        self.body = body


class CallerError(TrunklineError):
    """The caller's request is at fault."""


class InvalidRequestError(CallerError):
    """The request is malformed, has wrong types or lacks something."""

    reason = Reason.INVALID_REQUEST


class PayloadTooLargeError(InvalidRequestError):
    """The request body is over the limit."""

    reason = Reason.PAYLOAD_TOO_LARGE


class UnauthenticatedError(CallerError):
    """No credential, or one that is not known here."""

    reason = Reason.INVALID_API_KEY


class ModelNotFoundError(CallerError):
    """The model is not on the list."""

    reason = Reason.MODEL_NOT_FOUND


class PathNotFoundError(CallerError):
    """No such path."""

    reason = Reason.NOT_FOUND


class MethodNotAllowedError(CallerError):
    """The path exists, but not with this method."""

    reason = Reason.METHOD_NOT_ALLOWED


class UpstreamError(TrunklineError):
    """A provider's answer that is a failure, or the lack of an answer.

    `upstream_status` is the HTTP status that the provider gave, None if there was none.
    """

    upstream_status: int | None = None


class UpstreamRejectedError(UpstreamError):
    """The provider found fault with the request; its status is kept."""

    reason = Reason.UPSTREAM_REJECTED


class UpstreamModelNotFoundError(UpstreamError):
    """The provider says that the model is gone."""

    reason = Reason.MODEL_NOT_FOUND


class RateLimitedError(UpstreamError):
    """The provider limits our rate."""

    reason = Reason.RATE_LIMIT_EXCEEDED


class QuotaExhaustedError(RateLimitedError):
    """Our account at the provider is out of quota."""

    reason = Reason.INSUFFICIENT_QUOTA


class UpstreamAuthError(UpstreamError):
    """The provider refuses our credential or account, or we have none for it."""

    reason = Reason.UPSTREAM_AUTH


class UpstreamUnavailableError(UpstreamError):
    """The provider cannot be reached, failed, or sent something that cannot be read."""

    reason = Reason.UPSTREAM_UNAVAILABLE


class UpstreamTruncatedError(UpstreamUnavailableError):
    """The provider's answer broke off before its end."""

    reason = Reason.UPSTREAM_TRUNCATED


class UpstreamOverloadedError(UpstreamError):
    """The provider has no room now."""

    reason = Reason.OVERLOADED


class DeadlineExceededError(UpstreamError):
    """A deadline passed: the caller's, ours or the provider's own."""

    reason = Reason.TIMEOUT


class GatewayError(TrunklineError):
    """Our own state, not the caller's request and not a provider's answer."""


class OverloadedError(GatewayError):
    """No room now."""

    reason = Reason.OVERLOADED


class NoDeploymentError(GatewayError):
    """Nothing can serve the model now."""

    reason = Reason.NO_HEALTHY_DEPLOYMENT


class InternalError(GatewayError):
    """A fault of ours; the message says nothing of it, the log does."""

    reason = Reason.INTERNAL


class ConfigError(Exception):
    """A setting that the process cannot start with: names the key, the value and what was expected."""

    def __init__(self, key: str, value: str, expected: str) -> None:
        super().__init__(f"{key}: got {value}, expected {expected}")
        self.key = key
