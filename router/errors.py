"""Everything that can go wrong in the router, as one tree.

::

    TrunklineError
    ├── CallerError                 the caller's request is at fault; trying elsewhere cannot help
    │   ├── InvalidRequestError         malformed, wrong types, something missing
    │   │   ├── PayloadTooLargeError
    │   │   └── UnsupportedRequestError     right, but not for this target
    │   ├── UnauthenticatedError        no credential, or an unknown one
    │   ├── ModelNotFoundError          not on the list
    │   ├── PathNotFoundError           no such path
    │   └── MethodNotAllowedError       the path exists, the method does not
    ├── UpstreamError               a provider's answer, or the lack of one
    │   ├── UpstreamRejectedError       the provider finds fault with the request; keeps its status
    │   │   ├── UpstreamNotFoundError       something that the request names is not there
    │   │   ├── ContextWindowError          the request is longer than the model can read
    │   │   └── ContentPolicyError          the provider's policy forbids the content
    │   ├── UpstreamModelNotFoundError  the provider says that the model is gone
    │   ├── RateLimitedError            the provider limits our rate
    │   │   └── QuotaExhaustedError
    │   ├── UpstreamAuthError           our credential or account, not the caller's
    │   │   ├── AccessDeniedError           our key may not do this; others of its uses may be right
    │   │   ├── AccountUnpaidError          the account has no means left
    │   │   └── CredentialMissingError      we have none; nothing was sent
    │   ├── UpstreamUnavailableError    failing, or unreadable
    │   │   ├── UpstreamUnreachableError    no connection; nothing was sent
    │   │   ├── UpstreamDisconnectedError   the connection failed before an answer
    │   │   └── UpstreamTruncatedError      the answer broke off
    │   ├── UpstreamOverloadedError     the provider has no room now
    │   └── DeadlineExceededError       a deadline passed: the caller's, if it is none of these
    │       ├── UpstreamTimeoutError        the provider's own
    │       ├── FirstTokenTimeoutError      ours for the first content
    │       ├── IdleTimeoutError            ours for the silence between two reads
    │       └── TotalTimeoutError           ours for the whole call
    └── GatewayError                our own state
        ├── OverloadedError             no room now
        ├── NoDeploymentError           nothing can serve the model now
        └── InternalError               a fault of ours

    ConfigError                     the process must not start; outside the tree: no call sees it

The `Reason` of each class says how callers are told: it names a row of the table in
`protos/trunkline/v1/failure.proto` (gRPC code, HTTP status, OpenAI's `type` and `code`). Its `FailureClass`
says what the router does about it: it names a row of `router/routing/conduct.py`.
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


class FailureClass(StrEnum):
    """What kind of failure it was, as retries, breaker, balance and metrics see it."""

    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    UNAUTHENTICATED = "unauthenticated"
    UNKNOWN_MODEL = "unknown_model"
    UNKNOWN_PATH = "unknown_path"
    WRONG_METHOD = "wrong_method"
    UNSUPPORTED = "unsupported"
    REJECTED = "rejected"
    RESOURCE_MISSING = "resource_missing"
    CONTEXT_WINDOW = "context_window"
    CONTENT_POLICY = "content_policy"
    MODEL_GONE = "model_gone"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXHAUSTED = "quota_exhausted"
    CREDENTIAL_REFUSED = "credential_refused"
    CREDENTIAL_MISSING = "credential_missing"
    ACCESS_DENIED = "access_denied"
    ACCOUNT_UNPAID = "account_unpaid"
    UNREACHABLE = "unreachable"
    DISCONNECTED = "disconnected"
    SERVER_ERROR = "server_error"
    TRUNCATED = "truncated"
    OVERLOADED = "overloaded"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    FIRST_TOKEN_TIMEOUT = "first_token_timeout"  # noqa: S105 (no password)
    IDLE_TIMEOUT = "idle_timeout"
    TOTAL_TIMEOUT = "total_timeout"
    CALLER_DEADLINE = "caller_deadline"
    NO_ROOM = "no_room"
    NO_DEPLOYMENT = "no_deployment"
    INTERNAL = "internal"


class TrunklineError(Exception):
    """A call that failed.

    `message` is for the caller: it may hold a provider's own words, never a secret of ours. `param` names
    the request field at fault. `code` is a machine code that replaces the table's, usually the provider's.
    `retry_after` is in seconds. `http_status` is set where the table keeps the provider's status.
    `body` is the provider's error as JSON bytes where it already had OpenAI's shape and passes whole.
    """

    reason: ClassVar[Reason]
    failure_class: ClassVar[FailureClass]

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
    failure_class = FailureClass.MALFORMED


class PayloadTooLargeError(InvalidRequestError):
    """The request body is over the limit."""

    reason = Reason.PAYLOAD_TOO_LARGE
    failure_class = FailureClass.TOO_LARGE


class UnsupportedRequestError(InvalidRequestError):
    """The request is right, but this target cannot carry or honour it."""

    failure_class = FailureClass.UNSUPPORTED


class UnauthenticatedError(CallerError):
    """No credential, or one that is not known here."""

    reason = Reason.INVALID_API_KEY
    failure_class = FailureClass.UNAUTHENTICATED


class ModelNotFoundError(CallerError):
    """The model is not on the list."""

    reason = Reason.MODEL_NOT_FOUND
    failure_class = FailureClass.UNKNOWN_MODEL


class PathNotFoundError(CallerError):
    """No such path."""

    reason = Reason.NOT_FOUND
    failure_class = FailureClass.UNKNOWN_PATH


class MethodNotAllowedError(CallerError):
    """The path exists, but not with this method."""

    reason = Reason.METHOD_NOT_ALLOWED
    failure_class = FailureClass.WRONG_METHOD


class UpstreamError(TrunklineError):
    """A provider's answer that is a failure, or the lack of an answer.

    `upstream_status` is the HTTP status that the provider gave, None if there was none. `stated_wait` is
    how many seconds it asked to wait, None if it did not say; `retry_after` may be a guess of ours.
    """

    upstream_status: int | None = None
    stated_wait: float | None = None


class UpstreamRejectedError(UpstreamError):
    """The provider found fault with the request; its status is kept."""

    reason = Reason.UPSTREAM_REJECTED
    failure_class = FailureClass.REJECTED


class UpstreamNotFoundError(UpstreamRejectedError):
    """Something that the request or the handle names is not there."""

    failure_class = FailureClass.RESOURCE_MISSING


class ContextWindowError(UpstreamRejectedError):
    """The request is longer than the model can read."""

    failure_class = FailureClass.CONTEXT_WINDOW


class ContentPolicyError(UpstreamRejectedError):
    """The provider's policy forbids the content."""

    failure_class = FailureClass.CONTENT_POLICY


class UpstreamModelNotFoundError(UpstreamError):
    """The provider says that the model is gone."""

    reason = Reason.MODEL_NOT_FOUND
    failure_class = FailureClass.MODEL_GONE


class RateLimitedError(UpstreamError):
    """The provider limits our rate."""

    reason = Reason.RATE_LIMIT_EXCEEDED
    failure_class = FailureClass.RATE_LIMITED


class QuotaExhaustedError(RateLimitedError):
    """Our account at the provider is out of quota."""

    reason = Reason.INSUFFICIENT_QUOTA
    failure_class = FailureClass.QUOTA_EXHAUSTED


class UpstreamAuthError(UpstreamError):
    """The provider refuses our credential or account, or we have none for it."""

    reason = Reason.UPSTREAM_AUTH
    failure_class = FailureClass.CREDENTIAL_REFUSED


class AccessDeniedError(UpstreamAuthError):
    """The provider knows our key, and does not let it do this."""

    failure_class = FailureClass.ACCESS_DENIED


class AccountUnpaidError(UpstreamAuthError):
    """Our account at the provider has no means left."""

    failure_class = FailureClass.ACCOUNT_UNPAID


class CredentialMissingError(UpstreamAuthError):
    """We have no credential for the provider; nothing was sent."""

    failure_class = FailureClass.CREDENTIAL_MISSING


class UpstreamUnavailableError(UpstreamError):
    """The provider cannot be reached, failed, or sent something that cannot be read."""

    reason = Reason.UPSTREAM_UNAVAILABLE
    failure_class = FailureClass.SERVER_ERROR


class UpstreamUnreachableError(UpstreamUnavailableError):
    """No connection could be made; nothing was sent."""

    failure_class = FailureClass.UNREACHABLE


class UpstreamDisconnectedError(UpstreamUnavailableError):
    """The connection failed before an answer."""

    failure_class = FailureClass.DISCONNECTED


class UpstreamTruncatedError(UpstreamUnavailableError):
    """The provider's answer broke off before its end."""

    reason = Reason.UPSTREAM_TRUNCATED
    failure_class = FailureClass.TRUNCATED


class UpstreamOverloadedError(UpstreamError):
    """The provider has no room now."""

    reason = Reason.OVERLOADED
    failure_class = FailureClass.OVERLOADED


class DeadlineExceededError(UpstreamError):
    """A deadline passed: the caller's, ours or the provider's own."""

    reason = Reason.TIMEOUT
    failure_class = FailureClass.CALLER_DEADLINE


class UpstreamTimeoutError(DeadlineExceededError):
    """The provider says that it took too long."""

    failure_class = FailureClass.UPSTREAM_TIMEOUT


class FirstTokenTimeoutError(DeadlineExceededError):
    """No content was generated in the time for it."""

    failure_class = FailureClass.FIRST_TOKEN_TIMEOUT


class IdleTimeoutError(DeadlineExceededError):
    """Nothing came for longer than a stream may be silent."""

    failure_class = FailureClass.IDLE_TIMEOUT


class TotalTimeoutError(DeadlineExceededError):
    """The call took longer than we let any call take."""

    failure_class = FailureClass.TOTAL_TIMEOUT


class GatewayError(TrunklineError):
    """Our own state, not the caller's request and not a provider's answer."""


class OverloadedError(GatewayError):
    """No room now."""

    reason = Reason.OVERLOADED
    failure_class = FailureClass.NO_ROOM


class NoDeploymentError(GatewayError):
    """Nothing can serve the model now."""

    reason = Reason.NO_HEALTHY_DEPLOYMENT
    failure_class = FailureClass.NO_DEPLOYMENT


class InternalError(GatewayError):
    """A fault of ours; the message says nothing of it, the log does."""

    reason = Reason.INTERNAL
    failure_class = FailureClass.INTERNAL


class ConfigError(Exception):
    """A setting that the process cannot start with: names the key, the value and what was expected."""

    def __init__(self, key: str, value: str, expected: str) -> None:
        super().__init__(f"{key}: got {value}, expected {expected}")
        self.key = key
