"""What is done about each kind of failure: the one table that retries, fallback, breaker and cooldowns read.

How callers are told stands behind `reason`: gRPC code, HTTP status and OpenAI's error are the options of that
value in `failure.proto`. `docs/resilience.md` shows both halves as one table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from router.errors import FailureClass, Reason


class Onward(StrEnum):
    """Where a call goes after a failure, if it may go anywhere."""

    STOP = "stop"
    KEY = "key"
    """The next key of the same provider, else the next deployment."""
    DEPLOYMENT = "deployment"
    CONTEXT_WINDOW = "context_window"
    """The models configured for requests that are too long."""
    CONTENT_POLICY = "content_policy"
    """The models configured for content that a policy forbids."""


class Shelf(StrEnum):
    """What is set aside for a while."""

    NOTHING = "nothing"
    LANE = "lane"
    """The deployment, for this key alone."""
    KEY = "key"
    """The key, at all deployments of its provider."""


@dataclass(frozen=True, slots=True)
class Conduct:
    """One row. `retries`: the same deployment may be asked again. `counts`: against its breaker.

    `shelf` is what is set aside, for `seconds`; where the provider stated how long to wait, that counts
    instead. Where `retries` and `shelf` stand together, a short stated wait is waited out.
    """

    reason: Reason
    onward: Onward = Onward.STOP
    retries: bool = False
    counts: bool = False
    shelf: Shelf = Shelf.NOTHING
    seconds: float = 0.0


_ONCE = Onward.DEPLOYMENT
_C, _R = FailureClass, Reason

CONDUCT: Final[Mapping[FailureClass, Conduct]] = MappingProxyType({
    # the caller's request is at fault: nobody else would answer it better
    _C.MALFORMED: Conduct(_R.INVALID_REQUEST),
    _C.TOO_LARGE: Conduct(_R.PAYLOAD_TOO_LARGE),
    _C.UNAUTHENTICATED: Conduct(_R.INVALID_API_KEY),
    _C.UNKNOWN_MODEL: Conduct(_R.MODEL_NOT_FOUND),
    _C.UNKNOWN_PATH: Conduct(_R.NOT_FOUND),
    _C.WRONG_METHOD: Conduct(_R.METHOD_NOT_ALLOWED),
    _C.REJECTED: Conduct(_R.UPSTREAM_REJECTED),
    # another target may take the same request
    _C.UNSUPPORTED: Conduct(_R.INVALID_REQUEST, _ONCE),
    _C.RESOURCE_MISSING: Conduct(_R.UPSTREAM_REJECTED, _ONCE),
    _C.CONTEXT_WINDOW: Conduct(_R.UPSTREAM_REJECTED, Onward.CONTEXT_WINDOW),
    _C.CONTENT_POLICY: Conduct(_R.UPSTREAM_REJECTED, Onward.CONTENT_POLICY),
    _C.MODEL_GONE: Conduct(_R.MODEL_NOT_FOUND, Onward.KEY, shelf=Shelf.LANE, seconds=600),
    # the key or its account
    _C.RATE_LIMITED: Conduct(_R.RATE_LIMIT_EXCEEDED, Onward.KEY, retries=True, shelf=Shelf.LANE, seconds=1),
    _C.QUOTA_EXHAUSTED: Conduct(_R.INSUFFICIENT_QUOTA, Onward.KEY, shelf=Shelf.KEY, seconds=300),
    _C.CREDENTIAL_REFUSED: Conduct(_R.UPSTREAM_AUTH, Onward.KEY, shelf=Shelf.KEY, seconds=300),
    _C.CREDENTIAL_MISSING: Conduct(_R.UPSTREAM_AUTH, _ONCE, shelf=Shelf.KEY, seconds=60),
    # about one model, or even one request, as often as about the key
    _C.ACCESS_DENIED: Conduct(_R.UPSTREAM_AUTH, Onward.KEY, shelf=Shelf.LANE, seconds=60),
    _C.ACCOUNT_UNPAID: Conduct(_R.UPSTREAM_AUTH, Onward.KEY, shelf=Shelf.KEY, seconds=300),
    # the deployment is in trouble
    _C.UNREACHABLE: Conduct(_R.UPSTREAM_UNAVAILABLE, _ONCE, retries=True, counts=True),
    _C.DISCONNECTED: Conduct(_R.UPSTREAM_UNAVAILABLE, _ONCE, retries=True, counts=True),
    _C.SERVER_ERROR: Conduct(_R.UPSTREAM_UNAVAILABLE, _ONCE, retries=True, counts=True),
    _C.TRUNCATED: Conduct(_R.UPSTREAM_TRUNCATED, _ONCE, retries=True, counts=True),
    _C.OVERLOADED: Conduct(_R.OVERLOADED, _ONCE, retries=True, counts=True),
    _C.UPSTREAM_TIMEOUT: Conduct(_R.TIMEOUT, _ONCE, retries=True, counts=True),
    # asking again would wait as long again
    _C.FIRST_TOKEN_TIMEOUT: Conduct(_R.TIMEOUT, _ONCE, counts=True),
    _C.IDLE_TIMEOUT: Conduct(_R.TIMEOUT, counts=True),
    _C.TOTAL_TIMEOUT: Conduct(_R.TIMEOUT, counts=True),
    _C.CALLER_DEADLINE: Conduct(_R.TIMEOUT),
    # our own state
    _C.NO_ROOM: Conduct(_R.OVERLOADED, _ONCE),
    _C.NO_DEPLOYMENT: Conduct(_R.NO_HEALTHY_DEPLOYMENT),
    _C.INTERNAL: Conduct(_R.INTERNAL),
})  # fmt: skip
"""Every class has its row. A client that leaves is no failure: it is logged as CANCELLED, counts nowhere and
ends the request to the provider."""

MAX_SHELF_SECONDS: Final = 600.0
"""A provider may state a day; asking once in ten minutes costs one refused request."""
