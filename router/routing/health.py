"""What is known of each deployment from the calls that went there: load, latency, breaker, what is set aside.

Pure: `now` is in seconds of a monotonic clock. A verdict is told in the past tense and may return a
`Change`, which the caller of these methods logs; nothing here logs, waits or asks anybody. What is known
outlives the list's generations: it is keyed by where a deployment is, not by the row that names it.
"""

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf
from typing import Final

from router.errors import FailureClass, TrunklineError, UpstreamError
from router.routing.breaker import DEFAULTS, Breaker, BreakerSettings
from router.routing.conduct import CONDUCT, MAX_SHELF_SECONDS, Shelf
from router.routing.latency import PeakEwma
from router.values import Deployment

_CONNECTION: Final = frozenset({FailureClass.UNREACHABLE})

_ALIVE: Final = frozenset({
    FailureClass.REJECTED, FailureClass.RESOURCE_MISSING, FailureClass.CONTEXT_WINDOW,
    FailureClass.CONTENT_POLICY, FailureClass.RATE_LIMITED,
})  # fmt: skip
"""Refusals that show a provider at work: they close a half-open breaker."""


MAX_TROUBLES: Final = 20
"""Sentences that `/readyz` says of deployments; metrics and `ModelService` have them all."""


class Blocked(StrEnum):
    """Why a deployment is passed over while another one can be tried."""

    KEY_MISSING = "key_missing"
    SET_ASIDE = "set_aside"
    BREAKER_OPEN = "breaker_open"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What stands in the way of a deployment, in words, and until when (seconds of the clock)."""

    kind: Blocked
    until: float
    words: str


@dataclass(frozen=True, slots=True)
class Change:
    """Something that an operator may want to know: what of a deployment was opened, closed or set aside.

    `shelf` is NOTHING where the breaker changed; `seconds` is how long it stays so, 0 for "all is well".
    """

    deployment: Deployment
    what: str
    failure: FailureClass | None = None
    shelf: Shelf = Shelf.NOTHING
    seconds: float = 0.0


class Readiness(StrEnum):
    """Whether calls go to a deployment, in the words of `ModelService`."""

    READY = "ready"
    PROBING = "probing"
    BREAKER_OPEN = "breaker_open"
    SET_ASIDE = "set_aside"
    FULL = "full"
    KEY_MISSING = "key_missing"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a deployment stands now. `seconds`: until it is tried again, 0 if it is or if nobody knows."""

    readiness: Readiness
    words: str = ""
    seconds: float = 0.0
    in_flight: int = 0


@dataclass(slots=True)
class Health:
    """One deployment. `latency` is in seconds to the first content: of whole answers, of streams.

    `label` names it without its address: where it is, is nobody's business but the operator's.
    """

    label: str
    breaker: Breaker
    in_flight: int = 0
    turn: int = 0
    latency: tuple[PeakEwma, PeakEwma] = field(default_factory=lambda: (PeakEwma(), PeakEwma()))

    def expected(self, now: float, *, is_stream: bool) -> float:
        """Return how many seconds an answer takes now; 0 if that is not known."""
        return self.latency[is_stream].at(now)


@dataclass(slots=True)
class Ticket:
    """One attempt under way. Lives as long as it."""

    deployment: Deployment
    health: Health
    began_at: float
    is_probe: bool
    is_stream: bool
    is_committed: bool = False


@dataclass(frozen=True, slots=True)
class _Shelved:
    since: float
    until: float
    failure: FailureClass
    label: str


Key = tuple[object, ...]


class HealthBook:
    """All deployments that were called. Lives as long as the application."""

    def __init__(self, random: Callable[[], float], settings: BreakerSettings = DEFAULTS) -> None:
        self._random = random
        self._settings = settings
        self._healths: dict[str, Health] = {}
        self._shelves: dict[Key, _Shelved] = {}
        self._listed: AbstractSet[str] | None = None

    def __repr__(self) -> str:
        return f"<HealthBook deployments={len(self._healths)} set_aside={len(self._shelves)}>"

    def of(self, deployment: Deployment) -> Health:
        """Return what is known of a deployment; it is known from now on."""
        health = self._healths.get(deployment.target)
        if health is None:
            label = _label(deployment, Shelf.NOTHING)
            health = self._healths[deployment.target] = Health(label, Breaker(self._settings))
        return health

    def obstacle(self, deployment: Deployment, now: float) -> Obstacle | None:
        """Return what stands in the way of a deployment with its key; None if nothing does."""
        provider = deployment.provider
        if provider.missing_variable:
            words = f"{provider.missing_variable} is not set"
            return Obstacle(Blocked.KEY_MISSING, inf, words)
        if self._shelves and (shelved := self._shelved(deployment, now)):
            words = f"set aside after {shelved.failure}"
            return Obstacle(Blocked.SET_ASIDE, shelved.until, words)
        health = self._healths.get(deployment.target)
        if health is None:
            return None
        if not health.breaker.admits(now):
            return Obstacle(Blocked.BREAKER_OPEN, health.breaker.reopens_at, "its breaker is open")
        limit = provider.max_concurrency
        if limit is not None and health.in_flight >= limit:
            return Obstacle(Blocked.FULL, now, f"{limit} calls are under way, which is its limit")
        return None

    def began(self, deployment: Deployment, now: float, *, is_stream: bool) -> Ticket:
        """Tell that an attempt begins."""
        health = self.of(deployment)
        health.in_flight += 1
        health.turn += 1
        is_probe = health.breaker.is_open and health.breaker.began(now)
        return Ticket(deployment, health, now, is_probe, is_stream)

    def committed(self, ticket: Ticket, now: float) -> Change | None:
        """Tell that the first content of an answer is there, or all of it."""
        ticket.is_committed = True
        ticket.health.latency[ticket.is_stream].observe(now - ticket.began_at, now)
        if self._shelves:
            self._take_back(ticket)
        return self._succeeded(ticket, now)

    def ended(self, ticket: Ticket) -> None:
        """Tell that an attempt is over, whatever came of it. Always comes last, and once."""
        ticket.health.in_flight -= 1
        ticket.health.breaker.released(is_probe=ticket.is_probe)
        target = ticket.deployment.target
        if self._listed is not None and target not in self._listed and not ticket.health.in_flight:
            self._healths.pop(target, None)

    def failed(self, ticket: Ticket, error: TrunklineError, now: float) -> Change | None:
        """Tell that an attempt failed."""
        failure = error.failure_class
        conduct = CONDUCT[failure]
        if conduct.shelf is not Shelf.NOTHING:
            if failure in _ALIVE:
                self._succeeded(ticket, now)
            return self._set_aside(ticket.deployment, error, now)
        if conduct.counts:
            if not ticket.is_committed:
                latency = ticket.health.latency[ticket.is_stream]
                latency.observe_failure(now - ticket.began_at, now)
            opened = ticket.health.breaker.failed(
                now,
                is_probe=ticket.is_probe,
                is_connection=failure in _CONNECTION,
                random=self._random,
                was_answered=ticket.is_committed,
            )
            ticket.is_probe = False
            seconds = ticket.health.breaker.reopens_at - now
            return Change(ticket.deployment, "opened", failure, seconds=seconds) if opened else None
        if failure is FailureClass.CALLER_DEADLINE and not ticket.is_committed:
            # Nobody's fault; but who keeps callers waiting must not look fast for it.
            self._kept_waiting(ticket, now)
        return self._succeeded(ticket, now) if failure in _ALIVE else None

    def _kept_waiting(self, ticket: Ticket, now: float) -> None:
        latency, waited = ticket.health.latency[ticket.is_stream], now - ticket.began_at
        if waited > latency.at(now):
            latency.observe(waited, now)

    def forget_all_but(self, listed: AbstractSet[str], now: float) -> None:
        """Forget all but the targets `listed`, once they are not under way, or no longer set aside."""
        self._shelves = {key: each for key, each in self._shelves.items() if each.until > now}
        self._listed = listed
        gone = [t for t, h in self._healths.items() if t not in listed and not h.in_flight]
        for target in gone:
            del self._healths[target]

    def standing(self, deployment: Deployment, now: float) -> Standing:
        """Return how a deployment stands: as its best key lets it."""
        health = self._healths.get(deployment.target)
        in_flight = health.in_flight if health else 0
        obstacles = [self.obstacle(lane, now) for lane in (deployment, *deployment.spares)]
        found = [obstacle for obstacle in obstacles if obstacle]
        if len(found) < len(obstacles):
            is_open = health is not None and health.breaker.is_open
            readiness = Readiness.PROBING if is_open else Readiness.READY
            return Standing(readiness, in_flight=in_flight)
        least = min(found, key=lambda obstacle: obstacle.until)
        seconds = max(0.0, least.until - now) if least.until < inf else 0.0
        return Standing(Readiness(least.kind), least.words, seconds, in_flight)

    def known(self) -> Iterator[Health]:
        """Yield what is known of each deployment that was called."""
        yield from self._healths.values()

    def troubles(self, now: float) -> list[str]:
        """Return what an operator should know, one sentence each, so many at most as can be read."""
        sentences = [
            f"{health.label}: its breaker is open, next try in {health.breaker.wait(now):.0f} s"
            for health in self._healths.values()
            if health.breaker.is_open
        ]
        sentences += [
            f"{shelved.label}: set aside after {shelved.failure}, for {shelved.until - now:.0f} s"
            for shelved in self._shelves.values()
            if shelved.until > now
        ]
        if len(sentences) > MAX_TROUBLES:
            sentences[MAX_TROUBLES:] = [f"and {len(sentences) - MAX_TROUBLES} more"]
        return sentences

    def _succeeded(self, ticket: Ticket, now: float) -> Change | None:
        closed = ticket.health.breaker.succeeded(
            now, is_probe=ticket.is_probe, began_at=ticket.began_at
        )
        ticket.is_probe = False
        return Change(ticket.deployment, "closed") if closed else None

    def _take_back(self, ticket: Ticket) -> None:
        """Use again what gave an answer, unless it was set aside since it was asked."""
        for key in _keys(ticket.deployment):
            shelved = self._shelves.get(key)
            if shelved and shelved.since <= ticket.began_at:
                del self._shelves[key]

    def _set_aside(
        self, deployment: Deployment, error: TrunklineError, now: float
    ) -> Change | None:
        conduct = CONDUCT[error.failure_class]
        stated = error.stated_wait if isinstance(error, UpstreamError) else None
        seconds = min(conduct.seconds if stated is None else stated, MAX_SHELF_SECONDS)
        if conduct.shelf is Shelf.KEY:
            # A key that is refused is not good again because its provider says when to come back.
            seconds = max(seconds, conduct.seconds)
        key = dict(zip((Shelf.LANE, Shelf.KEY), _keys(deployment), strict=True))
        known = self._shelves.get(key[conduct.shelf])
        until = now + seconds
        if known and stated is None:
            # A guess of ours never shortens what was stated.
            until = max(until, known.until)
        label = _label(deployment, conduct.shelf)
        self._shelves[key[conduct.shelf]] = _Shelved(now, until, error.failure_class, label)
        if known and known.until > now:
            return None
        return Change(deployment, "set aside", error.failure_class, conduct.shelf, seconds)

    def _shelved(self, deployment: Deployment, now: float) -> _Shelved | None:
        for key in _keys(deployment):
            shelved = self._shelves.get(key)
            if shelved is None:
                continue
            if now < shelved.until:
                return shelved
            del self._shelves[key]
        return None


def _label(deployment: Deployment, shelf: Shelf) -> str:
    """Name what is set aside; of a key no more than whose it is."""
    name = deployment.provider.name
    return f"a key of {name}" if shelf is Shelf.KEY else f"{name}/{deployment.upstream_model}"


def _keys(deployment: Deployment) -> tuple[Key, Key]:
    """Return what may be set aside of a deployment with its key: the lane, the key."""
    provider = deployment.provider
    return (
        (deployment.target, provider.api_key),
        (provider.name, provider.base_url, provider.api_key, "key"),
    )
