"""The course of a call: whom it asks, how long it waits, when it stops, and whose failure is told."""

from collections.abc import Callable

import pytest

from router.config import Fallbacks, Policy
from router.errors import (
    ContentPolicyError,
    ContextWindowError,
    DeadlineExceededError,
    FailureClass,
    FirstTokenTimeoutError,
    NoDeploymentError,
    OverloadedError,
    RateLimitedError,
    TrunklineError,
    UnsupportedRequestError,
    UpstreamAuthError,
    UpstreamError,
    UpstreamOverloadedError,
    UpstreamRejectedError,
    UpstreamUnavailableError,
)
from router.routing.attempts import MAX_BACKOFF, MAX_STATED_WAIT, Failed, Send, Wait, attempts
from router.routing.conduct import CONDUCT, Onward
from router.routing.health import HealthBook
from router.routing.route import Candidate
from router.values import Deployment
from tests.support.deployments import deployment, failed, listed, provider, route
from tests.support.errors import kinds_of

Outcome = Callable[[str], TrunklineError | None]
"""What a target does with a request: a failure, or an answer."""

A, B = deployment("a", priority=0), deployment("b", priority=1)


class Course:
    """Drives `attempts` with targets that fail as told, and writes down what happens."""

    def __init__(
        self,
        outcome: Outcome,
        policy: Policy,
        *,
        remaining: float = 600.0,
        is_blocked: Callable[[Candidate], bool] = lambda _: False,
        models: dict[str, list[Deployment]] | None = None,
    ) -> None:
        self.log: list[str] = []
        self.waits: list[float] = []
        self.told: TrunklineError | None = None
        self.by: dict[str, TrunklineError] = {}
        made = route(listed(policy, **(models or {"m": [A, B]})), HealthBook(lambda: 0.5))
        steps = attempts(made, lambda: 0.5, is_blocked)
        failure: Failed | None = None
        try:
            while True:
                match steps.send(failure):
                    case Wait(seconds):
                        self.waits.append(seconds)
                        remaining -= seconds
                        failure = None
                    case Send(candidate):
                        name = f"{candidate.deployment.upstream_model}{candidate.key_number}"
                        self.log.append(name)
                        error = outcome(name)
                        if error is None:
                            return
                        self.by.setdefault(name, error)
                        failure = Failed(error, remaining)
        except StopIteration as stop:
            self.told = stop.value


def always(kind: type[UpstreamError], stated_wait: float | None = None) -> Outcome:
    return lambda _: failed(kind, stated_wait)


def by_name(**errors: TrunklineError | None) -> Outcome:
    return lambda name: errors[name]


NONE = Policy(retries=0)


def test_what_one_target_cannot_carry_is_not_told_where_another_one_failed() -> None:
    errors = {"a1": UnsupportedRequestError("no"), "b1": failed(UpstreamOverloadedError, 9)}
    course = Course(by_name(**errors), NONE)

    assert course.log == ["a1", "b1"]
    assert course.told is errors["b1"]


def test_nobody_is_asked_when_no_time_is_left() -> None:
    course = Course(always(UpstreamUnavailableError), Policy(), remaining=0)

    assert course.log == ["a1"]
    assert course.told is course.by["a1"]


def test_an_answer_ends_the_course() -> None:
    course = Course(lambda _: None, Policy())

    assert (course.log, course.told) == (["a1"], None)


def test_without_a_list_to_go_through_there_is_a_failure_to_tell() -> None:
    assert isinstance(Course(lambda _: None, Policy(), models={"m": []}).told, NoDeploymentError)


@pytest.mark.parametrize("kind", kinds_of(TrunklineError), ids=lambda k: k.failure_class)
def test_each_kind_of_failure_goes_on_as_its_row_says(kind: type[TrunklineError]) -> None:
    conduct = CONDUCT[kind.failure_class]
    course = Course(lambda _: kind("words"), Policy(retries=1))

    goes_on = conduct.onward in (Onward.KEY, Onward.DEPLOYMENT)
    again = 1 if goes_on and conduct.retries else 0
    assert course.log == (["a1", "b1"] if goes_on else ["a1"]) + ["a1"] * again
    assert course.told is course.by["a1"] or again


def test_every_candidate_is_asked_once_before_anyone_is_asked_again() -> None:
    course = Course(always(UpstreamUnavailableError), Policy(retries=2, retry_backoff=0.4))

    assert course.log == ["a1", "b1", "a1", "b1"]
    # Half of the jitter's range: of 0.4 for each, since each is asked again for the first time.
    assert course.waits == [0.2, 0.2]


def test_the_waits_of_one_target_double_up_to_a_bound() -> None:
    policy = Policy(retries=7, retry_backoff=0.5)
    course = Course(always(UpstreamUnavailableError), policy, models={"m": [A]})

    assert course.waits == [0.25, 0.5, 1.0, 2.0, MAX_BACKOFF / 2, MAX_BACKOFF / 2, MAX_BACKOFF / 2]


def test_retries_are_of_the_whole_call() -> None:
    policy = Policy(retries=2, fallbacks={"m": Fallbacks(general=("n",))})
    other = deployment("n")
    course = Course(always(UpstreamUnavailableError), policy, models={"m": [A], "n": [other]})

    assert course.log == ["a1", "a1", "a1", "n1"]


def test_a_short_stated_wait_is_waited_out_and_a_long_one_is_not() -> None:
    short = Course(always(RateLimitedError, MAX_STATED_WAIT), Policy(retries=1), models={"m": [A]})
    long = Course(
        always(RateLimitedError, MAX_STATED_WAIT + 1), Policy(retries=1), models={"m": [A]}
    )

    assert (short.log, short.waits) == (["a1", "a1"], [MAX_STATED_WAIT])
    assert (long.log, long.waits) == (["a1"], [])
    assert isinstance(long.told, RateLimitedError)


def test_who_can_be_asked_soonest_is_asked_again_first() -> None:
    outcomes = by_name(a1=failed(UpstreamOverloadedError, 4), b1=failed(UpstreamUnavailableError))
    course = Course(outcomes, Policy(retries=1, retry_backoff=1.0))

    assert (course.log, course.waits) == (["a1", "b1", "b1"], [0.5])


def test_no_wait_goes_beyond_the_deadline() -> None:
    policy = Policy(retries=2, retry_backoff=4.0)
    course = Course(always(UpstreamUnavailableError), policy, remaining=3.0, models={"m": [A]})

    assert (course.log, course.waits) == (["a1", "a1"], [2.0])


def test_a_refused_key_leads_to_the_next_key_and_a_broken_place_to_the_next_place() -> None:
    keyed = deployment("k", provider("p", "one", "two"))
    refused = Course(always(UpstreamAuthError), NONE, models={"m": [keyed, B]})
    broken = Course(always(UpstreamUnavailableError), NONE, models={"m": [keyed, B]})

    assert refused.log == ["k1", "k2", "b1"]
    assert broken.log == ["k1", "b1"]


def test_the_first_targets_failure_is_told_when_all_fail() -> None:
    course = Course(
        by_name(a1=failed(RateLimitedError, 30), b1=failed(UpstreamAuthError)), Policy()
    )

    assert course.log == ["a1", "b1"]
    assert course.told is course.by["a1"]


@pytest.mark.parametrize("kind", [UpstreamRejectedError, DeadlineExceededError])
def test_a_verdict_ends_the_call_and_is_told_as_it_is(kind: type[UpstreamError]) -> None:
    course = Course(by_name(a1=failed(UpstreamUnavailableError), b1=failed(kind)), Policy())

    assert course.log == ["a1", "b1"]
    assert course.told is course.by["b1"]


def test_a_target_that_cannot_carry_the_request_leaves_it_to_the_next() -> None:
    error = UnsupportedRequestError("no audio here")
    course = Course(by_name(a1=error, b1=None), Policy())

    assert (course.log, course.told) == (["a1", "b1"], None)


def test_a_timeout_is_not_waited_for_twice() -> None:
    course = Course(always(FirstTokenTimeoutError), Policy(retries=5))

    assert course.log == ["a1", "b1"]


def test_a_full_queue_leads_on() -> None:
    course = Course(by_name(a1=OverloadedError("full"), b1=None), Policy())

    assert course.log == ["a1", "b1"]


FALLBACKS = Policy(
    retries=0,
    fallbacks={"m": Fallbacks(("n",), context_window=("long", "longer"), content_policy=("lax",))},
)
MODELS = {"m": [A, B]} | {name: [deployment(name)] for name in ("n", "long", "longer", "lax")}


@pytest.mark.parametrize(
    ("kind", "log"),
    [
        (UpstreamUnavailableError, ["a1", "b1", "n1"]),
        (ContextWindowError, ["a1", "long1", "longer1"]),
        (ContentPolicyError, ["a1", "lax1"]),
        (UpstreamRejectedError, ["a1"]),
    ],
)
def test_each_kind_of_failure_has_its_chain(kind: type[UpstreamError], log: list[str]) -> None:
    course = Course(always(kind), FALLBACKS, models=MODELS)

    assert course.log == log
    assert course.told is course.by["a1"]


def test_a_chain_may_lead_to_another_but_never_back() -> None:
    errors = {
        "a1": failed(UpstreamUnavailableError),
        "b1": failed(UpstreamUnavailableError),
        "n1": failed(ContextWindowError),
        "long1": failed(ContentPolicyError),
        "lax1": failed(UpstreamUnavailableError),
    }
    course = Course(errors.__getitem__, FALLBACKS, models=MODELS)

    assert course.log == ["a1", "b1", "n1", "long1", "lax1"]
    assert course.told is errors["a1"]


def test_without_a_chain_for_it_a_request_that_is_too_long_is_told_so() -> None:
    course = Course(
        by_name(a1=failed(UpstreamUnavailableError), b1=failed(ContextWindowError)), NONE
    )

    assert course.told
    assert course.told.failure_class is FailureClass.CONTEXT_WINDOW


def test_what_came_in_the_way_since_is_passed_over_but_never_the_last() -> None:
    places = [A, B, deployment("c", priority=2)]
    course = Course(
        always(UpstreamUnavailableError), NONE, is_blocked=lambda _: True, models={"m": places}
    )

    assert course.log == ["a1", "c1"]
