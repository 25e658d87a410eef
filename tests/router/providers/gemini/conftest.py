import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from router.providers.gemini import gemini_exchange
from router.providers.gemini.exchange import GenerateExchange
from router.values import Deployment, Dialect, Endpoint, Provider, Secret
from router.wire.chat_request import ChatRequest

CREATED = 1_700_000_000
VERTEX = "/v1/projects/p/locations/global/publishers/google/models/{}:generateContent"


@dataclass(frozen=True)
class Sent:
    """What the adapter made of a request."""

    body: dict[str, Any]
    dropped: tuple[str, ...]
    text: str

    @property
    def parts(self) -> list[dict[str, Any]]:
        """Those of the last content."""
        found: list[dict[str, Any]] = self.body["contents"][-1]["parts"]
        return found


Exchange = Callable[..., GenerateExchange]
Encode = Callable[..., Sent]


@pytest.fixture
def exchange() -> Exchange:
    """Make an exchange from the fields of a request; what is not given is the least there must be."""

    def make(
        model: str = "gemini-2.5-flash",
        path: str = "/v1beta/models/{}:generateContent",
        provider: Provider | None = None,
        **fields: Any,
    ) -> GenerateExchange:
        request = {"model": "listed", "messages": [{"role": "user", "content": "Hi"}], **fields}
        parsed = ChatRequest.parse(json.dumps(request).encode(), CREATED)
        deployment = Deployment(
            model="listed",
            upstream_model="listed",
            provider=provider or Provider("gemini", "https://gemini.test", Secret("gk-canary")),
            dialect=Dialect.GEMINI,
            endpoint=Endpoint.CHAT,
            path=path.format(model),
        )
        return gemini_exchange(parsed, deployment)

    return make


@pytest.fixture
def encode(exchange: Exchange) -> Encode:
    """Encode a request and read back what would be sent."""

    def make(**fields: Any) -> Sent:
        made = exchange(**fields)
        return Sent(json.loads(made.http.body), made.dropped, made.http.body.decode())

    return make
