import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from router.providers.bedrock import bedrock_exchange
from router.providers.bedrock.exchange import ConverseExchange
from router.values import Deployment, Dialect, Endpoint, Provider, Secret
from router.wire.chat_request import ChatRequest
from tests.support.converse import assert_valid

CREATED = 1_700_000_000


@dataclass(frozen=True)
class Sent:
    """What the adapter made of a request."""

    body: dict[str, Any]
    dropped: tuple[str, ...]
    text: str


def deployment(model: str, provider: Provider | None = None) -> Deployment:
    known = Provider(
        "bedrock", "https://bedrock-runtime.us-east-1.amazonaws.com", api_key=Secret("ABSK-canary")
    )
    return Deployment(
        model="listed",
        upstream_model="upstream",
        provider=provider or known,
        dialect=Dialect.BEDROCK,
        endpoint=Endpoint.CHAT,
        path=f"/model/{model}/converse",
    )


Exchange = Callable[..., ConverseExchange]
Encode = Callable[..., Sent]


@pytest.fixture
def exchange() -> Exchange:
    """Make an exchange from the fields of a request; what is not given is the least there must be."""

    def make(
        model: str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        provider: Provider | None = None,
        **fields: Any,
    ) -> ConverseExchange:
        request = {"model": "listed", "messages": [{"role": "user", "content": "Hi"}], **fields}
        parsed = ChatRequest.parse(json.dumps(request).encode(), CREATED)
        return bedrock_exchange(parsed, deployment(model, provider))

    return make


@pytest.fixture
def encode(exchange: Exchange) -> Encode:
    """Encode a request and read back what would be sent, valid by botocore's model unless told not to be."""

    def make(*, valid: bool = True, **fields: Any) -> Sent:
        made = exchange(**fields)
        body = json.loads(made.http.body)
        if valid:
            assert_valid(body)
        return Sent(body, made.dropped, made.http.body.decode())

    return make
