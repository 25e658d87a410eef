"""The book of deployments: what is passed over, for how long, and who is told."""

from dataclasses import replace

import pytest
from msgspec import structs

from router.errors import (
    AccessDeniedError,
    AccountUnpaidError,
    CredentialMissingError,
    DeadlineExceededError,
    IdleTimeoutError,
    QuotaExhaustedError,
    RateLimitedError,
    UpstreamAuthError,
    UpstreamError,
    UpstreamModelNotFoundError,
    UpstreamRejectedError,
    UpstreamUnavailableError,
    UpstreamUnreachableError,
)
from router.routing.breaker import BreakerSettings
from router.routing.conduct import CONDUCT, MAX_SHELF_SECONDS, Shelf
from router.routing.health import MAX_TROUBLES, Blocked, Change, HealthBook, Readiness
from router.values import Deployment
from tests.support.deployments import deployment, failed, provider

A = deployment("a", provider("p", "one", "two"))
SPARE = A.spares[0]
B = deployment("b", provider("p", "one", "two"))
OTHER = deployment("a", provider("q"))


def book(**settings: float) -> HealthBook:
    return HealthBook(lambda: 1.0, BreakerSettings(**settings))  # type: ignore[arg-type]


def fail(
    at: HealthBook,
    where: Deployment,
    kind: type[UpstreamError],
    now: float = 0,
    wait: float | None = None,
) -> Change | None:
    ticket = at.began(where, now, is_stream=False)
    change = at.failed(ticket, failed(kind, wait), now)
    at.ended(ticket)
    return change


def answer(at: HealthBook, where: Deployment, now: float = 0, seconds: float = 1) -> Change | None:
    ticket = at.began(where, now, is_stream=False)
    change = at.committed(ticket, now + seconds)
    at.ended(ticket)
    return change


def blocked(at: HealthBook, now: float, *places: Deployment) -> list[bool]:
    return [at.obstacle(place, now) is not None for place in places]


def test_of_whom_nothing_is_known_nothing_stands_in_the_way() -> None:
    assert book().obstacle(A, 0) is None
    assert book().standing(A, 0).readiness is Readiness.READY


@pytest.mark.parametrize(
    ("kind", "shelf", "a", "spare", "b"),
    [
        (RateLimitedError, Shelf.LANE, True, False, False),
        (QuotaExhaustedError, Shelf.KEY, True, False, True),
        (UpstreamAuthError, Shelf.KEY, True, False, True),
        (AccountUnpaidError, Shelf.KEY, True, False, True),
        (CredentialMissingError, Shelf.KEY, True, False, True),
        (UpstreamModelNotFoundError, Shelf.LANE, True, False, False),
        (AccessDeniedError, Shelf.LANE, True, False, False),
    ],
)
def test_what_is_set_aside_is_no_more_than_the_failure_says(
    kind: type[UpstreamError], shelf: Shelf, a: bool, spare: bool, b: bool
) -> None:
    at = book()

    change = fail(at, A, kind, wait=30)

    assert change
    # What a provider says of waiting makes no refused key good again.
    seconds = CONDUCT[kind.failure_class].seconds if shelf is Shelf.KEY else 30
    assert (change.what, change.shelf, change.seconds) == ("set aside", shelf, seconds)
    assert blocked(at, seconds - 1, A, SPARE, B, OTHER) == [a, spare, b, False]
    assert blocked(at, seconds, A, SPARE, B, OTHER) == [False] * 4


def test_a_wait_that_is_stated_too_long_is_cut() -> None:
    at = book()
    fail(at, A, RateLimitedError, wait=86_400)

    assert blocked(at, MAX_SHELF_SECONDS - 1, A) == [True]
    assert blocked(at, MAX_SHELF_SECONDS, A) == [False]


def test_what_is_set_aside_already_is_not_told_again() -> None:
    at = book()

    assert fail(at, A, RateLimitedError, 0, wait=5)
    assert fail(at, A, RateLimitedError, 1, wait=5) is None
    assert blocked(at, 5.5, A) == [True]


def test_an_answer_takes_back_what_was_set_aside() -> None:
    at = book()
    fail(at, A, UpstreamAuthError)

    answer(at, A)

    assert blocked(at, 1, A, B) == [False, False]


def test_an_answer_to_a_call_sent_before_takes_nothing_back() -> None:
    at = book()
    earlier = at.began(A, 0, is_stream=False)
    fail(at, A, RateLimitedError, now=1, wait=30)

    at.committed(earlier, 2)

    assert blocked(at, 30, A) == [True]


def test_a_wait_that_is_not_stated_shortens_none_that_was() -> None:
    at = book()
    fail(at, A, RateLimitedError, now=0, wait=30)

    fail(at, A, RateLimitedError, now=1)

    assert blocked(at, 29, A) == [True]


def test_what_is_set_aside_no_longer_is_forgotten_with_what_is_gone() -> None:
    at = book()
    for number in range(5):
        fail(at, deployment(str(number)), RateLimitedError, now=0, wait=10)
    fail(at, A, RateLimitedError, now=0, wait=20)

    at.forget_all_but(set(), 15)

    assert "set_aside=1" in repr(at)


def test_a_breaker_opens_and_closes_and_both_are_told_once() -> None:
    at = book(min_volume=2, open_seconds=8)
    assert fail(at, A, UpstreamUnavailableError) is None

    opened = fail(at, A, UpstreamUnavailableError)
    closed = answer(at, A, now=8)

    assert opened
    assert closed
    assert (opened.what, opened.seconds, closed.what) == ("opened", 8, "closed")
    assert answer(at, A, now=9) is None


def test_an_open_breaker_stands_in_the_way_of_every_key() -> None:
    at = book(connection_failures=1)
    fail(at, A, UpstreamUnreachableError)

    assert blocked(at, 1, A, SPARE, B) == [True, True, False]
    obstacle = at.obstacle(A, 1)
    assert obstacle
    assert obstacle.kind is Blocked.BREAKER_OPEN


@pytest.mark.parametrize("kind", [UpstreamRejectedError, DeadlineExceededError, RateLimitedError])
def test_what_is_not_the_deployments_fault_never_opens_its_breaker(
    kind: type[UpstreamError],
) -> None:
    at = book(min_volume=1, connection_failures=1)
    for now in range(0, 1000, 10):
        fail(at, A, kind, now)

    assert next(iter(at.known())).breaker.is_open is False


@pytest.mark.parametrize("kind", [UpstreamRejectedError, RateLimitedError])
def test_a_refusal_shows_a_provider_at_work_and_closes_a_half_open_breaker(
    kind: type[UpstreamError],
) -> None:
    at = book(connection_failures=1, open_seconds=8)
    fail(at, A, UpstreamUnreachableError)

    fail(at, A, kind, 8, wait=1)

    assert at.standing(A, 20).readiness is Readiness.READY


def test_a_probe_whose_caller_left_is_none() -> None:
    at = book(connection_failures=1, open_seconds=8)
    fail(at, A, UpstreamUnreachableError)
    ticket = at.began(A, 8, is_stream=True)
    assert blocked(at, 8, A) == [True]

    at.ended(ticket)

    assert blocked(at, 8, A) == [False]
    assert at.standing(A, 8).readiness is Readiness.PROBING


def test_a_stream_that_falls_silent_counts_against_the_breaker() -> None:
    at = book(min_volume=1, ratio=1)
    ticket = at.began(A, 0, is_stream=True)
    at.committed(ticket, 1)

    change = at.failed(ticket, failed(IdleTimeoutError), 2)

    assert change
    assert change.what == "opened"


def test_a_stream_that_breaks_off_counts_as_one_call_and_not_as_an_answer_too() -> None:
    at = book(min_volume=10, ratio=0.5)
    for number in range(10):
        ticket = at.began(A, number, is_stream=True)
        at.committed(ticket, number)
        if number >= 4:
            at.failed(ticket, failed(IdleTimeoutError), number)

    assert at.of(A).breaker.is_open


def test_how_long_a_stream_went_on_before_it_broke_is_no_latency() -> None:
    at = book()
    ticket = at.began(A, 0, is_stream=True)
    at.committed(ticket, 1)

    at.failed(ticket, failed(IdleTimeoutError), 301)

    assert at.of(A).expected(301, is_stream=True) < 1


def test_calls_under_way_are_counted_and_bounded() -> None:
    bounded = deployment("x", provider(max_concurrency=2))
    at = book()
    tickets = [at.began(bounded, 0, is_stream=False) for _ in range(2)]
    full = at.obstacle(bounded, 0)
    at.ended(tickets[0])

    assert full
    assert full.kind is Blocked.FULL
    assert at.obstacle(bounded, 0) is None
    assert at.standing(bounded, 0).in_flight == 1


def test_a_failure_that_came_quickly_is_no_fast_answer() -> None:
    at = book()
    answer(at, A, 0, seconds=4)
    fail(at, A, UpstreamUnavailableError, 4)

    assert at.of(A).expected(4, is_stream=False) == 4


def test_a_deployment_stands_as_its_best_key_lets_it() -> None:
    at = book()
    fail(at, A, RateLimitedError, wait=9)
    one = at.standing(A, 1)
    fail(at, SPARE, RateLimitedError, wait=5)
    both = at.standing(A, 1)

    assert one.readiness is Readiness.READY
    assert (both.readiness, both.seconds) == (Readiness.SET_ASIDE, 4)


def test_a_missing_key_is_named_by_its_variable() -> None:
    keyless = structs.replace(A, provider=replace(A.provider, api_key=None), spares=())
    standing = book().standing(keyless, 0)

    assert (standing.readiness, standing.words) == (Readiness.KEY_MISSING, "P_API_KEY is not set")
    assert standing.seconds == 0


def test_what_is_gone_from_the_list_is_forgotten_unless_it_is_in_use() -> None:
    at = book()
    answer(at, A)
    answer(at, B)
    ticket = at.began(OTHER, 0, is_stream=False)

    at.forget_all_but({A.target}, 0)
    assert {health.label for health in at.known()} == {"p/a", "q/a"}
    at.ended(ticket)
    assert {health.label for health in at.known()} == {"p/a"}


def test_troubles_are_sentences_without_addresses_or_keys_and_not_too_many() -> None:
    at = book(connection_failures=1, open_seconds=8)
    assert at.troubles(0) == []
    fail(at, A, UpstreamUnreachableError)
    fail(at, B, UpstreamAuthError)

    assert at.troubles(1) == [
        "p/a: its breaker is open, next try in 7 s",
        "a key of p: set aside after credential_refused, for 299 s",
    ]
    for number in range(50):
        fail(at, deployment(str(number)), UpstreamUnreachableError)
    assert len(at.troubles(1)) == MAX_TROUBLES + 1
    assert at.troubles(1)[-1] == "and 32 more"


def test_who_keeps_callers_waiting_beyond_their_time_does_not_look_fast() -> None:
    at = book()
    fail(at, A, DeadlineExceededError)
    ticket = at.began(A, 0, is_stream=False)
    at.failed(ticket, failed(DeadlineExceededError), 3)
    at.ended(ticket)

    assert at.of(A).expected(3, is_stream=False) == 3
    assert not at.of(A).breaker.is_open
