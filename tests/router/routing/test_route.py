"""Which deployments a call may go to, in which order, and that the last one is never removed."""

from dataclasses import replace

from msgspec import structs

from router.config import Balancing, Fallbacks, Policy
from router.errors import RateLimitedError, UpstreamUnreachableError
from router.routing.breaker import BreakerSettings
from router.routing.health import Blocked, HealthBook
from router.routing.route import Chain, Route
from router.values import Deployment, Endpoint
from tests.support.deployments import deployment, failed, listed, provider, route


def book() -> HealthBook:
    return HealthBook(lambda: 0.5, BreakerSettings(connection_failures=1))


def names(made: Route, chain: Chain = Chain.PRIMARY) -> list[str]:
    return [f"{c.deployment.upstream_model}{c.key_number}" for c in made.chain(chain)]


def break_down(at: HealthBook, *places: Deployment, now: float = 0) -> None:
    for place in places:
        ticket = at.began(place, now, is_stream=False)
        at.failed(ticket, failed(UpstreamUnreachableError), now)
        at.ended(ticket)


def limit(at: HealthBook, place: Deployment, seconds: float) -> None:
    ticket = at.began(place, 0, is_stream=False)
    at.failed(ticket, failed(RateLimitedError, seconds), 0)
    at.ended(ticket)


def test_priorities_are_tiers() -> None:
    places = [
        deployment("late", priority=2),
        deployment("early", priority=1),
        deployment("last", priority=3),
    ]

    assert names(route(listed(m=places), book())) == ["early1", "late1", "last1"]


def test_within_a_tier_the_strategy_decides() -> None:
    busy, free = deployment("busy"), deployment("free")
    at = book()
    at.began(busy, 0, is_stream=False)
    policy = Policy(balancing=Balancing.LEAST_IN_FLIGHT)

    assert names(route(listed(policy, m=[busy, free]), at)) == ["free1", "busy1"]


def test_only_deployments_of_the_endpoint_are_candidates() -> None:
    embeds = structs.replace(deployment("embeds"), endpoint=Endpoint.EMBEDDINGS)

    assert names(route(listed(m=[embeds, deployment("chats")]), book())) == ["chats1"]


def test_the_keys_of_a_provider_take_turns() -> None:
    place = deployment("a", provider("p", "one", "two", "three"))
    at, seen = book(), []
    for _ in range(4):
        seen.append(names(route(listed(m=[place]), at)))
        at.ended(at.began(place, 0, is_stream=False))

    assert seen == [["a1", "a2", "a3"], ["a2", "a3", "a1"], ["a3", "a1", "a2"], ["a1", "a2", "a3"]]


def test_a_key_that_is_set_aside_is_passed_over_and_the_others_serve() -> None:
    place = deployment("a", provider("p", "one", "two"))
    at = book()
    limit(at, place, 30)
    made = route(listed(m=[place]), at, now=1)

    assert names(made) == ["a2"]
    assert [s.candidate.key_number for s in made.skipped(made.models(Chain.PRIMARY))] == [1]


def test_what_is_broken_is_passed_over() -> None:
    a, b = deployment("a"), deployment("b")
    at = book()
    break_down(at, a)

    assert names(route(listed(m=[a, b]), at)) == ["b1"]


def test_the_last_candidate_is_tried_whatever_stands_in_its_way() -> None:
    a, b = deployment("a"), deployment("b")
    at = book()
    break_down(at, a, now=0)
    break_down(at, b, now=1)

    assert names(route(listed(m=[a, b]), at, now=1)) == ["a1"]
    assert names(route(listed(m=[a]), at, now=1)) == ["a1"]


def test_what_is_only_full_is_waited_for_before_anything_broken() -> None:
    full = deployment("full", provider("q", max_concurrency=1))
    broken = deployment("broken")
    at = book()
    at.began(full, 0, is_stream=False)
    break_down(at, broken)

    assert names(route(listed(m=[broken, full]), at)) == ["full1"]


def test_a_model_to_fall_back_to_goes_before_a_broken_one() -> None:
    a, other = deployment("a"), deployment("other")
    at = book()
    break_down(at, a)
    policy = Policy(fallbacks={"m": Fallbacks(general=("gone", "n"))})
    made = route(listed(policy, m=[a], n=[other]), at)

    assert names(made) == []
    assert names(made, Chain.FALLBACK) == ["other1"]
    break_down(at, other)
    assert names(route(listed(policy, m=[a], n=[other]), at)) == ["a1"]


def test_chains_are_those_of_the_model_or_of_every_model() -> None:
    long = Fallbacks(context_window=("long",), content_policy=("lax", "m"))
    snapshot = listed(
        Policy(fallbacks={"*": Fallbacks(general=("n",)), "m": long}),
        m=[deployment("a")], n=[deployment("n")], long=[deployment("long")], lax=[deployment("lax")],
    )  # fmt: skip
    made, other = route(snapshot, book()), route(snapshot, book(), model="long")

    assert names(made, Chain.FALLBACK) == []
    assert names(made, Chain.CONTEXT_WINDOW) == ["long1"]
    assert names(made, Chain.CONTENT_POLICY) == ["lax1"]
    assert names(other, Chain.FALLBACK) == ["n1"]


def test_a_missing_key_comes_after_everything_else() -> None:
    keyless = deployment("keyless")
    keyless = structs.replace(keyless, provider=replace(keyless.provider, api_key=None))
    at = book()
    broken = deployment("broken")
    break_down(at, broken)

    assert names(route(listed(m=[keyless, broken]), at)) == ["broken1"]
    assert names(route(listed(m=[keyless]), at)) == ["keyless1"]


def test_what_came_in_the_way_since_is_seen() -> None:
    a = deployment("a")
    at = book()
    made = route(listed(m=[a]), at)
    (candidate,) = made.chain(Chain.PRIMARY)
    assert not made.is_blocked(candidate, 1)
    break_down(at, a, now=1)

    assert made.is_blocked(candidate, 1)
    assert [s.obstacle.kind for s in made.skipped(made.models(Chain.PRIMARY))] == [
        Blocked.BREAKER_OPEN
    ]
