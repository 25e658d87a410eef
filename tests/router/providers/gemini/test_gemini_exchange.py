from collections.abc import Callable
from typing import Any

import pytest

from router.providers.gemini.families import FAMILIES, UNKNOWN, UNKNOWN_GEMINI, family_of
from router.values import Provider, Secret

Exchange = Callable[..., Any]

VERTEX = "/v1/projects/p/locations/global/publishers/google/models/{}:generateContent"
ORIGIN = "https://gemini.test"


@pytest.mark.parametrize(
    ("path", "unary", "streamed"),
    [
        (
            "/v1beta/models/{}:generateContent",
            "/v1beta/models/gemini-2.5-flash:generateContent",
            "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        ),
        (
            "/v1beta/models/{}:generateContent?a=1&alt=json&b=%20",
            "/v1beta/models/gemini-2.5-flash:generateContent?a=1&alt=json&b=%20",
            "/v1beta/models/gemini-2.5-flash:streamGenerateContent?a=1&b=%20&alt=sse",
        ),
        (
            "/m/models/{}:generateContent?%24alt=json%3Benum-encoding%3Dint",
            "/m/models/gemini-2.5-flash:generateContent?%24alt=json%3Benum-encoding%3Dint",
            "/m/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        ),
        ("/odd", "/odd", "/odd?alt=sse"),
    ],
)
def test_a_stream_has_an_address_of_its_own(
    path: str, unary: str, streamed: str, exchange: Exchange
) -> None:
    assert exchange(path=path).http.url == ORIGIN + unary
    assert exchange(path=path, stream=True).http.url == ORIGIN + streamed


def test_the_key_travels_in_a_header_alone(exchange: Exchange) -> None:
    http = exchange(stream=True).http

    assert http.headers["x-goog-api-key"] == "gk-canary"
    assert http.headers["accept"] == "text/event-stream"
    assert "gk-canary" not in http.url
    assert b"gk-canary" not in http.body


def test_a_provider_may_take_its_key_elsewhere(exchange: Exchange) -> None:
    provider = Provider(
        "p", ORIGIN, Secret("gk-canary"), key_header="api-key", headers={"X-A": "b"}
    )
    headers = exchange(provider=provider).http.headers

    assert headers["api-key"] == "gk-canary"
    assert headers["x-a"] == "b"
    assert "x-goog-api-key" not in headers


def test_without_a_key_none_is_sent(exchange: Exchange) -> None:
    headers = exchange(provider=Provider("vertex", ORIGIN), path=VERTEX).http.headers

    assert set(headers) == {"content-type", "accept"}


def test_the_body_says_no_more_than_the_caller(exchange: Exchange) -> None:
    body = exchange(stream=True, stream_options={"include_usage": True}).http.body

    assert body == b'{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}'


@pytest.mark.parametrize(
    ("model", "row"),
    [
        ("gemini-2.5-pro", "gemini-2-5-pro"),
        ("models/gemini-2.5-flash-preview-09-2025", "gemini-2-5-flash"),
        ("gemini-2.5-flash-lite-preview-06-17", "gemini-2-5-flash-lite"),
        ("gemini-2.5-flash-image", "gemini-2-5-flash-image"),
        ("google/gemini-3-pro-preview", "gemini-3-pro"),
        ("gemini-3.1-flash-lite", "gemini-3-1-flash"),
        ("gemini-flash-latest", "gemini-flash"),
        ("gemini-pro-latest", "gemini-pro-latest"),
        ("gemini-1.5-flash-8b", "gemini-1-"),
        ("gemma-3-27b-it", "gemma"),
    ],
)
def test_a_family_is_known_by_its_models_names(model: str, row: str) -> None:
    assert family_of(model) is FAMILIES[row]


def test_a_gemini_that_is_not_in_the_table_is_newer_than_it() -> None:
    assert family_of("gemini-9-ultra") is UNKNOWN_GEMINI
    assert family_of("tuned-model") is UNKNOWN
