"""Calls through the real selector and breaker, with a clock that jumps from event to event.

An open loop: calls arrive by chance at a fixed rate, whatever becomes of those before them. Each follows
`router.routing.attempts` over `router.routing.route`, and tells the book what `router.dispatch` would tell
it. No sockets, no tasks, nothing that depends on the machine: the same seed gives the same figures.

Two yardsticks stand beside the strategies, with the same breaker and retries: round robin, and peak EWMA as
Finagle has it, where one slow answer counts in full.
"""

from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from heapq import heappop, heappush
from math import exp
from random import Random
from typing import Final

from router.config import Balancing, Policy
from router.errors import DeadlineExceededError, TrunklineError, UpstreamError
from router.routing.attempts import Failed, Send, Steps, Wait, attempts
from router.routing.health import Change, HealthBook, Ticket
from router.routing.latency import DECAY_SECONDS, PeakEwma
from router.routing.route import Ask, Candidate, Chain, Route
from router.values import Endpoint
from tests.simulation.replicas import SLOTS, Replica, Scenario
from tests.support.deployments import deployment, listed, provider

ROUND_ROBIN: Final = "round_robin"

FULL_PEAKS: Final = "full_peaks"

YARDSTICKS: Final = {
    ROUND_ROBIN: Balancing.WEIGHTED_RANDOM,
    FULL_PEAKS: Balancing.PEAK_EWMA,
}
"""What is no strategy of the gateway, and the strategy that it is a variation of."""

STRATEGIES: Final = (
    ROUND_ROBIN,
    Balancing.WEIGHTED_RANDOM,
    Balancing.LEAST_IN_FLIGHT,
    FULL_PEAKS,
    Balancing.PEAK_EWMA,
)

PATIENCE_SECONDS: Final = 30.0
"""After which a caller gives up: the call fails, and counts against nobody."""


class What(IntEnum):
    """What happens at a time."""

    ARRIVES = 0
    GOES_ON = 1
    ENDS = 2


@dataclass(slots=True, eq=False)
class Call:
    """A call under way. `at` is the replica that it is with; `tries` counts its attempts."""

    began: float
    steps: Steps | None = None
    at: int = -1
    ticket: Ticket | None = None
    error: UpstreamError | None = None
    is_served: bool = False
    tries: int = 0


@dataclass(slots=True)
class Figures:
    """What came of the calls.

    `shares` are attempts by replica, outside and within the troubles of the last one; `through_open` are
    those that went through an open breaker without being its probe.
    """

    arrived: int = 0
    answered: int = 0
    failed: int = 0
    attempts: int = 0
    opened: int = 0
    probes: int = 0
    through_open: int = 0
    left_in_flight: int = 0
    shares: tuple[list[int], list[int]] = field(default_factory=lambda: ([], []))
    latencies: "array[float]" = field(default_factory=lambda: array("d"), repr=False)


class FullPeaks(PeakEwma):
    """Finagle's: a slow answer counts in full when it is seen, and so does a quick failure as a fast one."""

    __slots__ = ()

    def observe(self, seconds: float, now: float) -> None:
        if seconds <= self.at(now):
            share = exp((self._seen_at - now) / DECAY_SECONDS)
            seconds = self._value * share + seconds * (1 - share)
        self._value = seconds
        self._seen_at = now

    def observe_failure(self, seconds: float, now: float) -> None:
        self.observe(seconds, now)


class Turns:
    """Round robin: the ways of a call, with one place after the other in front."""

    def __init__(self, route: Route, first: int, numbers: dict[str, int]) -> None:
        self._route = route
        self._first = first
        self._numbers = numbers

    @property
    def policy(self) -> Policy:
        return self._route.policy

    def chain(self, chain: Chain) -> Sequence[Candidate]:
        def turn(candidate: Candidate) -> int:
            number = self._numbers[candidate.deployment.target]
            return (number - self._first) % len(self._numbers)

        return sorted(self._route.chain(chain), key=turn)

    def last_resort(self) -> Sequence[Candidate]:
        return self._route.last_resort()


class Simulation:
    """One scenario with one strategy."""

    def __init__(self, scenario: Scenario, strategy: str, seed: int = 1) -> None:
        self.scenario = scenario
        self.figures = Figures(shares=([0] * len(scenario.replicas), [0] * len(scenario.replicas)))
        self.replicas: list[Replica[Call]] = [Replica(spec) for spec in scenario.replicas]
        self.now = 0.0
        self._strategy = strategy
        self._arrivals, self._work, self._chance = (Random(seed * 10 + i) for i in range(3))
        self.book = HealthBook(self._chance.random)
        self.deployments = [
            deployment("model", provider(f"replica-{i}")) for i in range(len(self.replicas))
        ]
        self._numbers = {d.target: i for i, d in enumerate(self.deployments)}
        balancing = YARDSTICKS.get(strategy) or Balancing(strategy)
        self._snapshot = listed(Policy(balancing=balancing), m=self.deployments)
        if strategy == FULL_PEAKS:
            for place in self.deployments:
                self.book.of(place).latency = (FullPeaks(), FullPeaks())
        self._events: list[tuple[float, int, What, Call]] = []
        self._number = 0
        self._waiting: deque[Call] = deque()
        self._probing: list[Call | None] = [None] * len(self.replicas)

    def run(self, calls: int) -> Figures:
        """Let so many calls arrive, and go on until each has ended."""
        handlers = (self._arrive, self._go_on, self._end)
        self._later(0.0, What.ARRIVES, Call(0.0))
        while self._events:
            at, _, what, call = heappop(self._events)
            self._give_up_until(at)
            self.now = at
            if what is What.ARRIVES and self.figures.arrived + 1 < calls:
                at = self.now + _exact(self._arrivals.expovariate(self.scenario.rate))
                self._later(at, What.ARRIVES, Call(at))
            handlers[what](call)
        self.figures.left_in_flight = sum(h.in_flight for h in self.book.known())
        return self.figures

    def _later(self, at: float, what: What, call: Call) -> None:
        self._number += 1
        heappush(self._events, (at, self._number, what, call))

    def _is_blocked(self, candidate: Candidate) -> bool:
        return self.book.obstacle(candidate.deployment, self.now) is not None

    def _arrive(self, call: Call) -> None:
        random = self._chance.random
        ask = Ask(self._snapshot.models[0], Endpoint.CHAT, is_stream=False, now=self.now)
        route = Route(self._snapshot, ask, self.book, random)
        first = self.figures.arrived % len(self.replicas)
        ways = Turns(route, first, self._numbers) if self._strategy == ROUND_ROBIN else route
        call.steps = attempts(ways, random, self._is_blocked)
        self.figures.arrived += 1
        self._waiting.append(call)
        self._step(call, None)

    def _go_on(self, call: Call) -> None:
        self._step(call, None)

    def _step(self, call: Call, error: TrunklineError | None) -> None:
        assert call.steps is not None
        left = call.began + PATIENCE_SECONDS - self.now
        try:
            step = call.steps.send(Failed(error, left) if error else None)
        except StopIteration:
            self._over(call, is_answered=False)
            return
        if isinstance(step, Wait):
            self._later(self.now + step.seconds, What.GOES_ON, call)
        else:
            self._begin(call, step)

    def _over(self, call: Call, *, is_answered: bool) -> None:
        assert call.steps is not None, "a call ends once"
        call.steps.close()
        call.steps = None
        if is_answered:
            self.figures.answered += 1
            self.figures.latencies.append(self.now - call.began)
        else:
            assert call.tries, "no call fails without an attempt"
            self.figures.failed += 1

    def _begin(self, call: Call, sent: Send) -> None:
        number = call.at = self._numbers[sent.candidate.deployment.target]
        replica = self.replicas[number]
        was_open = self.book.of(sent.candidate.deployment).breaker.is_open
        call.ticket = self.book.began(sent.candidate.deployment, self.now, is_stream=False)
        call.tries += 1
        self.figures.attempts += 1
        self.figures.shares[self._is_trouble()][number] += 1
        if call.ticket.is_probe:
            assert self._probing[number] is None, "one probe at a time"
            self._probing[number] = call
            self.figures.probes += 1
        elif was_open:
            self.figures.through_open += 1
        if failing := replica.failing(self.now, self._work.random()):
            assert failing.kind is not None
            call.error = failing.kind("scripted")
            self._later(self.now + failing.after, What.ENDS, call)
        elif replica.busy < SLOTS:
            self._serve(call, replica)
        else:
            replica.queue.append(call)

    def _is_trouble(self) -> bool:
        trouble = self.scenario.replicas[-1].trouble
        return trouble is not None and trouble.is_on(self.now)

    def _serve(self, call: Call, replica: Replica[Call]) -> None:
        replica.busy += 1
        call.is_served = True
        work = _exact(self._work.lognormvariate(self.scenario.location, self.scenario.spread))
        self._later(self.now + work * replica.slowness(self.now), What.ENDS, call)

    def _end(self, call: Call) -> None:
        """An attempt is answered, or has failed."""
        ticket = call.ticket
        if call.steps is None or ticket is None:
            return  # (its caller gave up)
        if call.error is None:
            self._tell(self.book.committed(ticket, self.now))
            self._leave(call, ticket)
            self._over(call, is_answered=True)
        else:
            error, call.error = call.error, None
            self._tell(self.book.failed(ticket, error, self.now))
            self._leave(call, ticket)
            self._step(call, error)

    def _give_up_until(self, now: float) -> None:
        """Let those give up whose patience ends before `now`: they arrived in this order."""
        while self._waiting:
            call = self._waiting[0]
            gives_up_at = call.began + PATIENCE_SECONDS
            if call.steps is not None and gives_up_at > now:
                return
            self._waiting.popleft()
            if call.steps is not None:
                self.now = gives_up_at
                self._give_up(call)

    def _give_up(self, call: Call) -> None:
        ticket = call.ticket
        assert ticket is not None, "no wait goes beyond the deadline"
        error = DeadlineExceededError("The caller's time is over.")
        self._tell(self.book.failed(ticket, error, self.now))
        self._leave(call, ticket)
        self._step(call, error)

    def _leave(self, call: Call, ticket: Ticket) -> None:
        """Give back what an attempt had, and let the next in line have it."""
        self.book.ended(ticket)
        call.ticket = None
        if self._probing[call.at] is call:
            self._probing[call.at] = None
        if not call.is_served:
            return
        call.is_served = False
        replica = self.replicas[call.at]
        replica.busy -= 1
        while replica.queue and replica.busy < SLOTS:
            following = replica.queue.popleft()
            if following.ticket is not None:
                self._serve(following, replica)

    def _tell(self, change: Change | None) -> None:
        if change is not None and change.what == "opened":
            self.figures.opened += 1


def _exact(seconds: float) -> float:
    """Cut to microseconds: the last digits of a logarithm are not the same on every machine."""
    return round(seconds, 6)
