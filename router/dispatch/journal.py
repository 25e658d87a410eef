"""What operators are told of attempts: log lines and metrics. Nothing of a call's content is said."""

from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter

from router.calls import Call
from router.errors import FailureClass, TrunklineError
from router.routing.attempts import Send
from router.routing.health import Change

_LOG = structlog.get_logger("trunkline.routing")

_ALERTS: Final = frozenset({
    FailureClass.CREDENTIAL_REFUSED, FailureClass.ACCESS_DENIED, FailureClass.ACCOUNT_UNPAID,
    FailureClass.QUOTA_EXHAUSTED, FailureClass.MODEL_GONE,
})  # fmt: skip
"""What does not mend itself: somebody has to look."""


class Journal:
    """Lives as long as the application."""

    def __init__(self, metrics: CollectorRegistry) -> None:
        by_place = ["provider", "upstream_model"]
        self._attempts = Counter(
            "trunkline_attempts", "Requests to providers, by how they ended.",
            [*by_place, "result"], registry=metrics,
        )  # fmt: skip
        self._counters: dict[tuple[str, str, str], Counter] = {}
        self._changes = Counter(
            "trunkline_deployment_changes",
            "Breakers that opened or closed, deployments and keys that were set aside.",
            [*by_place, "change"], registry=metrics,
        )  # fmt: skip

    def committed(self, sent: Send) -> None:
        """Tell of an attempt whose answer has begun."""
        self._count(sent, "ok")

    def failed(self, call: Call, sent: Send, error: TrunklineError) -> None:
        """Tell of an attempt that failed."""
        d = sent.candidate.deployment
        self._count(sent, error.failure_class)
        _LOG.info(
            "attempt_failed",
            request_id=call.request_id,
            failure=str(error.failure_class),
            chain=str(sent.chain),
            provider=d.provider.name,
            upstream_model=d.upstream_model,
            upstream_status=call.record.upstream_status,
            attempt=call.record.attempts,
        )

    def _count(self, sent: Send, result: str) -> None:
        d = sent.candidate.deployment
        place = (d.provider.name, d.upstream_model, result)
        counter = self._counters.get(place)
        if counter is None:
            counter = self._counters[place] = self._attempts.labels(*place)
        counter.inc()

    def changed(self, change: Change | None) -> None:
        """Tell of what changed for a deployment; None: nothing did."""
        if change is None:
            return
        d = change.deployment
        self._changes.labels(d.provider.name, d.upstream_model, change.what).inc()
        write = _LOG.error if change.failure in _ALERTS else _LOG.warning
        write(
            "deployment_changed",
            change=change.what,
            scope=str(change.shelf),
            failure=str(change.failure) if change.failure else None,
            provider=d.provider.name,
            upstream_model=d.upstream_model,
            seconds=round(change.seconds, 1),
        )
