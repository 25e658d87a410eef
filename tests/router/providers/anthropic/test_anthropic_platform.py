import json
from typing import Any

import pytest

from router.errors import UpstreamRejectedError
from router.providers.anthropic import anthropic_exchange
from router.providers.anthropic.exchange import MessagesExchange
from router.values import Deployment, Dialect, Endpoint, Provider, Secret
from router.wire.chat_request import ChatRequest

HOST = "https://us-east5-aiplatform.googleapis.com"
MODELS = "/v1/projects/p/locations/us-east5/publishers/anthropic/models"


def exchange(provider: Provider, query: str = "", **fields: Any) -> MessagesExchange:
    request = {"model": "listed", "messages": [{"role": "user", "content": "Hi"}], **fields}
    deployment = Deployment(
        model="listed",
        upstream_model="listed",
        provider=provider,
        dialect=Dialect.ANTHROPIC,
        endpoint=Endpoint.CHAT,
        path=f"{MODELS}/claude-3-7-sonnet@20250219:rawPredict{query}",
    )
    return anthropic_exchange(ChatRequest.parse(json.dumps(request).encode(), 0), deployment)


VERTEX = Provider("vertex", HOST)


def test_on_vertex_the_address_names_the_model_and_the_body_the_version() -> None:
    made = exchange(VERTEX)

    assert made.http.url == f"{HOST}{MODELS}/claude-3-7-sonnet@20250219:rawPredict"
    assert json.loads(made.http.body) == {
        "anthropic_version": "vertex-2023-10-16",
        "max_tokens": 64_000,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
    }
    assert dict(made.http.headers) == {
        "content-type": "application/json",
        "accept": "application/json",
    }


@pytest.mark.parametrize("query", ["", "?a=1"])
def test_on_vertex_a_stream_has_an_address_of_its_own(query: str) -> None:
    made = exchange(VERTEX, query, stream=True)

    assert made.http.url == f"{HOST}{MODELS}/claude-3-7-sonnet@20250219:streamRawPredict{query}"
    assert json.loads(made.http.body)["stream"] is True


def test_a_key_goes_in_the_providers_own_header() -> None:
    keyed = Provider("vertex", HOST, api_key=Secret("k"), key_header="x-goog-api-key")

    assert exchange(keyed).http.headers["x-goog-api-key"] == "k"


def test_an_error_of_googles_own_is_read() -> None:
    body = b'[{"error": {"code": 400, "message": "Bad.", "status": "INVALID_ARGUMENT"}}]'
    error = exchange(VERTEX, stream=True).decode_error(400, {}, body)

    assert isinstance(error, UpstreamRejectedError)
    assert error.message == "Bad."
