"""What a call does next: send, wait, or give up. A generator: pure, driven from outside.

It yields `Send` and `Wait`; after a `Send` that failed it is sent the `Failed`, after a `Wait` nothing. It is
simply closed once an answer has begun. What it returns in the end is the failure to tell.

Strategy, chain by chain: each candidate is asked once, without waiting. Then, as long as retries are
left, the one that can be asked again soonest. Then the models that the configuration names for the kind of
failure; each chain is entered once, so nothing goes round in circles. If the model asked for was passed over
for them, and they failed, it is asked in the end all the same. A failure that no other target would
answer better ends the call at once and is told as it is; otherwise the failure of the first target asked is
told, since that is the one the caller meant; of one that could not carry the request only if none could.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from router.config import Policy
from router.errors import (
    NoDeploymentError,
    TrunklineError,
    UnsupportedRequestError,
    UpstreamError,
)
from router.routing.conduct import CONDUCT, Conduct, Onward
from router.routing.route import Candidate, Chain

MAX_STATED_WAIT: Final = 5.0
"""Seconds. A provider that asks to wait longer is not asked again by the same call."""

MAX_BACKOFF: Final = 8.0
"""Seconds; the most that a wait grows to, as in the SDKs of OpenAI and Anthropic."""


class Send(NamedTuple):
    """Ask this candidate."""

    candidate: Candidate
    chain: Chain


class Wait(NamedTuple):
    """Let this many seconds pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt that failed before its answer was committed; `remaining`: seconds that the call has left."""

    error: TrunklineError
    remaining: float

    @property
    def conduct(self) -> Conduct:
        return CONDUCT[self.error.failure_class]


Steps = Generator[Send | Wait, Failed | None, TrunklineError]


class Ways(Protocol):
    """The ways that a call may take; see `Route`."""

    @property
    def policy(self) -> Policy: ...

    def chain(self, chain: Chain) -> Sequence[Candidate]: ...

    def last_resort(self) -> Sequence[Candidate]: ...


_CHAIN_AFTER: Final = {
    Onward.KEY: Chain.FALLBACK,
    Onward.DEPLOYMENT: Chain.FALLBACK,
    Onward.CONTEXT_WINDOW: Chain.CONTEXT_WINDOW,
    Onward.CONTENT_POLICY: Chain.CONTENT_POLICY,
}


_ELSEWHERE: Final = frozenset({Onward.KEY, Onward.DEPLOYMENT})


@dataclass(slots=True)
class _Tried:
    candidate: Candidate
    failed: Failed
    times: int = 1


@dataclass(slots=True)
class _Course:
    """What has happened so far."""

    policy: Policy
    random: Callable[[], float]
    is_blocked: Callable[[Candidate], bool]
    retries_left: int
    first: TrunklineError | None = None
    first_of: dict[Onward, TrunklineError] = field(default_factory=dict)
    last: Failed | None = None
    entered: set[Chain] = field(default_factory=set)

    @property
    def is_late(self) -> bool:
        """Whether the call has no time left for another attempt."""
        return self.last is not None and self.last.remaining <= 0

    def took(self, failed: Failed | None) -> Failed:
        if failed is None:
            raise RuntimeError("after a Send comes a Failed, or nothing any more")
        # Who could not carry the request says nothing of those who could.
        told = None if isinstance(self.first, UnsupportedRequestError) else self.first
        if told is None and not isinstance(failed.error, UnsupportedRequestError):
            told = failed.error
        self.first = told or self.first or failed.error
        self.first_of.setdefault(failed.conduct.onward, failed.error)
        self.last = failed
        return failed


def attempts(
    ways: Ways, random: Callable[[], float], is_blocked: Callable[[Candidate], bool]
) -> Steps:
    """Decide the course of a call. See above for what is yielded, sent and returned."""
    course = _Course(ways.policy, random, is_blocked, ways.policy.retries)
    following: Chain | None = Chain.PRIMARY
    is_passed_over = False
    while following is not None:
        course.entered.add(following)
        candidates = ways.chain(following)
        is_passed_over = is_passed_over or (following is Chain.PRIMARY and not candidates)
        yield from _through(candidates, following, course)
        following = _following(course, following)
    if is_passed_over and course.last and course.last.conduct.onward in _ELSEWHERE:
        yield from _through(ways.last_resort(), Chain.PRIMARY, course)
    if course.first is None or course.last is None:
        return NoDeploymentError("No deployment of the model can serve now.", retry_after=1.0)
    onward = course.last.conduct.onward
    if onward is Onward.STOP:
        return course.last.error
    return course.first if onward in _ELSEWHERE else course.first_of[onward]


def _following(course: _Course, left: Chain) -> Chain | None:
    onward = course.last.conduct.onward if course.last else Onward.DEPLOYMENT
    if course.is_late:
        return None
    if onward in _ELSEWHERE and left is not Chain.PRIMARY:
        # The general models are for trouble with the one asked for, not with those that stand in for it.
        return None
    chain = _CHAIN_AFTER.get(onward)
    return chain if chain not in course.entered else None


def _through(
    candidates: Sequence[Candidate], chain: Chain, course: _Course
) -> Generator[Send | Wait, Failed | None, None]:
    """Go through one chain, as far as its candidates may do better than those before them."""
    tried: list[_Tried] = []
    passed_over: str | None = None
    for number, candidate in enumerate(candidates, 1):
        if candidate.deployment.target == passed_over:
            continue
        if tried and number < len(candidates) and course.is_blocked(candidate):
            continue
        failed = course.took((yield Send(candidate, chain)))
        tried.append(_Tried(candidate, failed))
        if course.is_late or not _goes_on(failed.conduct.onward, chain):
            return
        passed_over = None if failed.conduct.onward is Onward.KEY else candidate.deployment.target
    yield from _again(tried, chain, course)


def _goes_on(onward: Onward, chain: Chain) -> bool:
    """Whether the next candidate of the same chain may do better."""
    return onward in _ELSEWHERE or _CHAIN_AFTER.get(onward) is chain


def _again(
    tried: list[_Tried], chain: Chain, course: _Course
) -> Generator[Send | Wait, Failed | None, None]:
    """Ask again who may be asked again, while retries are left."""
    while course.retries_left > 0:
        waits = [(wait, one) for one in tried if (wait := _wait(one, course)) is not None]
        if not waits:
            return
        wait, one = min(waits, key=lambda pair: pair[0])
        course.retries_left -= 1
        if wait > 0:
            yield Wait(wait)
        one.failed = course.took((yield Send(one.candidate, chain)))
        one.times += 1
        if not _goes_on(one.failed.conduct.onward, chain):
            return


def _wait(one: _Tried, course: _Course) -> float | None:
    """Return the seconds until a candidate may be asked again by this call; None if it may not."""
    if not one.failed.conduct.retries:
        return None
    error = one.failed.error
    stated = error.stated_wait if isinstance(error, UpstreamError) else None
    # Full jitter (Brooker, "Exponential Backoff And Jitter", 2015).
    backoff = min(MAX_BACKOFF, course.policy.retry_backoff * 2.0 ** (one.times - 1))
    wait = max(stated or 0.0, course.random() * backoff)
    if stated is not None and stated > MAX_STATED_WAIT:
        return None
    remaining = course.last.remaining if course.last else 0.0
    return wait if wait < remaining else None
