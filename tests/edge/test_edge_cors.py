import pytest

from edge.cors import CorsPolicy
from tests.support.headers import fields

A = "https://a.example"
PREFLIGHT = fields(
    {
        "Origin": A,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, x-stainless-lang",
    }
)


def test_a_listed_origin_may_read_and_sees_our_headers() -> None:
    headers = dict(CorsPolicy([A]).headers(A))

    assert headers["access-control-allow-origin"] == A
    assert "x-request-id" in headers["access-control-expose-headers"]
    assert "x-trunkline-provider" in headers["access-control-expose-headers"]
    assert "retry-after" in headers["access-control-expose-headers"]
    assert headers["vary"] == "Origin"


@pytest.mark.parametrize("origin", ["https://b.example", A + ".evil", "http://a.example", None, ""])
def test_no_other_origin_may_and_caches_are_told(origin: str | None) -> None:
    assert CorsPolicy([A]).headers(origin) == (("vary", "Origin"),)


def test_a_star_lets_any_origin_read_the_same_answer() -> None:
    headers = dict(CorsPolicy(["*"]).headers("https://b.example"))

    assert headers["access-control-allow-origin"] == "*"
    assert "vary" not in headers
    assert "access-control-allow-credentials" not in headers


def test_without_configuration_there_is_nothing() -> None:
    policy = CorsPolicy([])

    assert policy.headers(A) == ()
    assert not policy.is_preflight("OPTIONS", PREFLIGHT)


def test_a_preflight_is_an_options_request_that_names_origin_and_method() -> None:
    policy = CorsPolicy([A])

    assert policy.is_preflight("OPTIONS", PREFLIGHT)
    assert not policy.is_preflight("POST", PREFLIGHT)
    assert not policy.is_preflight("OPTIONS", fields({"Origin": A}))


def test_a_granted_preflight_names_methods_and_what_was_asked_for() -> None:
    headers = dict(CorsPolicy([A]).preflight_headers(PREFLIGHT, {"POST"}))

    assert headers["access-control-allow-methods"] == "POST"
    assert headers["access-control-allow-headers"] == "authorization, x-stainless-lang"
    assert headers["access-control-max-age"] == "600"


def test_names_that_are_none_are_not_reflected() -> None:
    asked = fields({**PREFLIGHT, "Access-Control-Request-Headers": "a: b; c"})

    assert "access-control-allow-headers" not in dict(
        CorsPolicy(["*"]).preflight_headers(asked, {})
    )


def test_a_foreign_origin_is_granted_nothing() -> None:
    asked = fields({**PREFLIGHT, "Origin": "https://b.example"})

    assert CorsPolicy([A]).preflight_headers(asked, {"POST"}) == ()
