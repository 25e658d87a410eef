"""Which deployments may answer a call, in which order, and why others are passed over. Pure.

A chain is what a call may go through: the deployments of the model asked for, then those of the models that
the configuration names for one kind of failure. Within a chain models keep their order, within a model
lower `priority` goes first, among equals the strategy decides. A deployment whose provider has several keys
stands there once for each (a lane), the keys taking turns.

The last candidate is never removed: where everything is blocked, what comes back soonest is tried.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from router.config import Policy
from router.routing.balance import ORDERS
from router.routing.health import Blocked, Health, HealthBook, Obstacle
from router.routing.snapshot import Model, Snapshot
from router.values import Deployment, Endpoint


class Chain(StrEnum):
    """Why a candidate is one."""

    PRIMARY = "primary"
    FALLBACK = "fallback"
    CONTEXT_WINDOW = "context_window"
    CONTENT_POLICY = "content_policy"


class Candidate(NamedTuple):
    """A deployment, with the key to use there, that a call may be sent to."""

    model: str
    deployment: Deployment
    key_number: int = 1


@dataclass(frozen=True, slots=True)
class Skipped:
    """A candidate that is passed over, and what stands in its way."""

    candidate: Candidate
    obstacle: Obstacle


class Ask(NamedTuple):
    """What a call asks for, and when (seconds of a monotonic clock)."""

    model: Model
    endpoint: Endpoint
    is_stream: bool
    now: float


class _Place:
    """A deployment as the strategies see it, with the lanes that are free."""

    __slots__ = ("_ask", "_health", "in_flight", "lanes", "priority", "weight")

    def __init__(
        self, deployment: Deployment, health: Health, ask: Ask, lanes: list[Candidate]
    ) -> None:
        self.priority = deployment.priority
        self.weight = deployment.weight
        self.in_flight = health.in_flight
        self.lanes = lanes
        self._health = health
        self._ask = ask

    @property
    def expected(self) -> float:
        """Asked of few places by few strategies, so it is worked out only then."""
        return self._health.expected(self._ask.now, is_stream=self._ask.is_stream)


class Route:
    """The ways that one call may take. Lives as long as the call."""

    def __init__(
        self, snapshot: Snapshot, ask: Ask, book: HealthBook, random: Callable[[], float]
    ) -> None:
        self._snapshot = snapshot
        self.ask = ask
        self._book = book
        self._random = random

    @property
    def policy(self) -> Policy:
        return self._snapshot.policy

    @property
    def generation(self) -> int:
        return self._snapshot.generation

    def chain(self, chain: Chain) -> Sequence[Candidate]:
        """Return the candidates of a chain, in the order in which to try them."""
        if chain is Chain.PRIMARY and (only := self._only()):
            return only
        models = self.models(chain)
        free = [c for model in models for c in self._free(model)]
        if free or chain is not Chain.PRIMARY or self._has_way_out():
            return free
        return self._last(self.skipped(models))

    def _only(self) -> Sequence[Candidate] | None:
        """Return the one candidate, if there is one and nothing stands in its way: the usual case."""
        model = self.ask.model
        if len(model.deployments) != 1 or model.deployments[0].spares:
            return None
        deployment = model.deployments[0]
        if deployment.endpoint is not self.ask.endpoint:
            return None
        if self._book.obstacle(deployment, self.ask.now) is not None:
            return None
        return (Candidate(model.id, deployment),)

    def last_resort(self) -> Sequence[Candidate]:
        """Return who is left of the model asked for once those that stood in for it have failed."""
        return self._last(self.skipped(self.models(Chain.PRIMARY)))

    def models(self, chain: Chain) -> Sequence[Model]:
        """Return the models of a chain that are on the list."""
        if chain is Chain.PRIMARY:
            return (self.ask.model,)
        fallbacks = self.policy.fallbacks_of(self.ask.model.id, *self.ask.model.aliases)
        names = {
            Chain.FALLBACK: fallbacks.general,
            Chain.CONTEXT_WINDOW: fallbacks.context_window,
            Chain.CONTENT_POLICY: fallbacks.content_policy,
        }[chain]
        found = (self._snapshot.by_name.get(name) for name in names)
        return [model for model in found if model is not None and model is not self.ask.model]

    def skipped(self, models: Iterable[Model]) -> list[Skipped]:
        """Return the candidates of `models` that are passed over now."""
        lanes = (
            lane for model in models for d in self._serving(model) for lane in _lanes(model, d)
        )
        obstacles = ((lane, self._book.obstacle(lane.deployment, self.ask.now)) for lane in lanes)
        return [Skipped(lane, obstacle) for lane, obstacle in obstacles if obstacle]

    def is_blocked(self, candidate: Candidate, now: float) -> bool:
        """Whether something has come in a candidate's way since it was chosen."""
        return self._book.obstacle(candidate.deployment, now) is not None

    def _serving(self, model: Model) -> Iterator[Deployment]:
        return (d for d in model.deployments if d.endpoint is self.ask.endpoint)

    def _free(self, model: Model) -> list[Candidate]:
        endpoint = self.ask.endpoint
        places = [
            place
            for deployment in model.deployments
            if deployment.endpoint is endpoint and (place := self._place(model, deployment))
        ]
        if len(places) > 1:
            places = self._in_order(places)
        return [lane for place in places for lane in place.lanes]

    def _in_order(self, places: list[_Place]) -> list[_Place]:
        order = ORDERS[self.policy.balancing]
        tiers: dict[int, list[_Place]] = {}
        for place in places:
            tiers.setdefault(place.priority, []).append(place)
        if len(tiers) == 1:
            return order(places, self._random)
        ordered = (_ordered(tiers[priority], order, self._random) for priority in sorted(tiers))
        return [place for tier in ordered for place in tier]

    def _place(self, model: Model, deployment: Deployment) -> _Place | None:
        if deployment.spares:
            lanes = [lane for lane in _lanes(model, deployment) if self._is_free(lane.deployment)]
        else:
            lanes = [Candidate(model.id, deployment)] if self._is_free(deployment) else []
        if not lanes:
            return None
        health = self._book.of(deployment)
        if len(lanes) > 1:
            turn = health.turn % len(lanes)
            lanes = lanes[turn:] + lanes[:turn]
        return _Place(deployment, health, self.ask, lanes)

    def _is_free(self, deployment: Deployment) -> bool:
        return self._book.obstacle(deployment, self.ask.now) is None

    def _has_way_out(self) -> bool:
        return any(self._free(model) for model in self.models(Chain.FALLBACK))

    def _last(self, skipped: list[Skipped]) -> list[Candidate]:
        full = [s.candidate for s in skipped if s.obstacle.kind is Blocked.FULL]
        if full:
            return full
        soonest = min(skipped, key=lambda s: s.obstacle.until, default=None)
        return [soonest.candidate] if soonest else []


def _ordered(
    places: list[_Place],
    order: Callable[[Sequence[_Place], Callable[[], float]], list[_Place]],
    random: Callable[[], float],
) -> list[_Place]:
    return places if len(places) == 1 else order(places, random)


def _lanes(model: Model, deployment: Deployment) -> list[Candidate]:
    keyed = (deployment, *deployment.spares)
    return [Candidate(model.id, lane, number) for number, lane in enumerate(keyed, 1)]
