"""Where a call would go, as data for those who ask: a call's own route, read and not taken. Pure.

The form is `RouteExplanation` of `protos/trunkline/v1/route_service.proto`; absent is left out.
"""

from collections.abc import Callable, Iterator
from typing import Any

from router.errors import InvalidRequestError
from router.providers.adapter import UnaryExchange
from router.routing.health import HealthBook, Obstacle
from router.routing.route import Candidate, Chain, Route
from router.values import Deployment

Encode = Callable[[Deployment], UnaryExchange]


def explanation(route: Route, book: HealthBook, encode: Encode) -> dict[str, Any]:
    """Return how a call would be routed now."""
    explained = _Explained(route, book, encode)
    candidates = [
        explained.entry(chain, candidate) for chain in Chain for candidate in route.chain(chain)
    ]
    skipped = [
        explained.entry(chain, each.candidate, each.obstacle)
        for chain in Chain
        for each in route.skipped(route.models(chain))
        if each.candidate not in route.chain(chain)
    ]
    return {
        "object": "route.explanation",
        "model": route.ask.model.id,
        "generation": route.generation,
        "balancing": str(route.policy.balancing),
        "retries": route.policy.retries,
        "candidates": candidates,
        "skipped": skipped,
    }


class _Explained:
    def __init__(self, route: Route, book: HealthBook, encode: Encode) -> None:
        self._ask = route.ask
        self._book = book
        self._encode = encode

    def entry(
        self, chain: Chain, candidate: Candidate, obstacle: Obstacle | None = None
    ) -> dict[str, Any]:
        d = candidate.deployment
        return {
            "chain": str(chain),
            "model": candidate.model,
            "provider": d.provider.name,
            "upstream_model": d.upstream_model,
            "dialect": str(d.dialect),
            "key_number": candidate.key_number,
            "priority": d.priority,
            "weight": d.weight,
            **dict(self._state(d)),
            **self._fit(d, obstacle.words if obstacle else ""),
            **_retry_in(obstacle, self._ask.now),
        }

    def _state(self, d: Deployment) -> Iterator[tuple[str, object]]:
        health = self._book.of(d)
        yield "breaker", str(health.breaker.state(self._ask.now))
        yield "calls_in_flight", health.in_flight
        if expected := health.expected(self._ask.now, is_stream=self._ask.is_stream):
            yield "expected_ms", round(expected * 1000, 1)

    def _fit(self, d: Deployment, reason: str) -> dict[str, object]:
        """Say what of the request would be lost there, or why it cannot go there at all."""
        try:
            dropped = list(self._encode(d).dropped)
        except InvalidRequestError as exc:
            return {"dropped_params": [], "reason": reason or exc.message}
        return {"dropped_params": dropped, "reason": reason}


def _retry_in(obstacle: Obstacle | None, now: float) -> dict[str, float]:
    if obstacle is None or obstacle.until in (now, float("inf")):
        return {}
    return {"retry_in_seconds": round(max(0.0, obstacle.until - now), 1)}
