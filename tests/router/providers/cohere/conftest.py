import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from router.providers.cohere import cohere_exchange
from router.providers.cohere.exchange import ChatExchange
from router.values import Deployment, Dialect, Endpoint, Provider, Secret
from router.wire.chat_request import ChatRequest

CREATED = 1_700_000_000


@dataclass(frozen=True)
class Sent:
    """What the adapter made of a request."""

    body: dict[str, Any]
    dropped: tuple[str, ...]
    text: str


def deployment(model: str, **provider: Any) -> Deployment:
    options: dict[str, Any] = {"api_key": Secret("co-canary-key"), **provider}
    return Deployment(
        model="listed",
        upstream_model=model,
        provider=Provider("cohere", "https://api.cohere.com", **options),
        dialect=Dialect.COHERE,
        endpoint=Endpoint.CHAT,
        path="/v2/chat",
    )


CohereExchange = Callable[..., ChatExchange]
Encode = Callable[..., Sent]


@pytest.fixture
def exchange() -> CohereExchange:
    """Make an exchange from the fields of a request; what is not given is the least there must be."""

    def make(
        model: str = "command-a-03-2025", provider: dict[str, Any] | None = None, **fields: Any
    ) -> ChatExchange:
        request = {"model": "listed", "messages": [{"role": "user", "content": "Hi"}], **fields}
        parsed = ChatRequest.parse(json.dumps(request).encode(), CREATED)
        return cohere_exchange(parsed, deployment(model, **(provider or {})))

    return make


@pytest.fixture
def encode(exchange: CohereExchange) -> Encode:
    """Encode a request and read back what would be sent."""

    def make(**fields: Any) -> Sent:
        made = exchange(**fields)
        return Sent(json.loads(made.http.body), made.dropped, made.http.body.decode())

    return make
