import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from router.providers.anthropic import anthropic_exchange
from router.providers.anthropic.exchange import MessagesExchange
from router.values import Deployment, Dialect, Endpoint, Provider, Secret
from router.wire.chat_request import ChatRequest

CREATED = 1_700_000_000


@dataclass(frozen=True)
class Sent:
    """What the adapter made of a request."""

    body: dict[str, Any]
    dropped: tuple[str, ...]
    text: str


def deployment(model: str, max_output_tokens: int | None = None) -> Deployment:
    provider = Provider("anthropic", "https://api.anthropic.com", api_key=Secret("sk-ant-canary"))
    return Deployment(
        model="listed",
        upstream_model=model,
        provider=provider,
        dialect=Dialect.ANTHROPIC,
        endpoint=Endpoint.CHAT,
        path="/v1/messages",
        max_output_tokens=max_output_tokens,
    )


Exchange = Callable[..., MessagesExchange]
Encode = Callable[..., Sent]


@pytest.fixture
def exchange() -> Exchange:
    """Make an exchange from the fields of a request; what is not given is the least there must be."""

    def make(
        model: str = "claude-sonnet-4-5", max_output_tokens: int | None = None, **fields: Any
    ) -> MessagesExchange:
        request = {"model": "listed", "messages": [{"role": "user", "content": "Hi"}], **fields}
        parsed = ChatRequest.parse(json.dumps(request).encode(), CREATED)
        return anthropic_exchange(parsed, deployment(model, max_output_tokens))

    return make


@pytest.fixture
def encode(exchange: Exchange) -> Encode:
    """Encode a request and read back what would be sent."""

    def make(**fields: Any) -> Sent:
        made = exchange(**fields)
        return Sent(json.loads(made.http.body), made.dropped, made.http.body.decode())

    return make
