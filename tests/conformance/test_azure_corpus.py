"""Azure's recorded exchanges: OpenAI's dialect at Azure's paths, and what Azure adds to it passes."""

import json
from typing import Any

import pytest

from router.config import ProvidersConfig, ProviderSettings
from router.errors import (
    RateLimitedError,
    UpstreamAuthError,
    UpstreamError,
    UpstreamModelNotFoundError,
    UpstreamNotFoundError,
    UpstreamRejectedError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from router.providers.openai import OpenAIExchange
from router.routing import handle
from router.routing.providers import resolve
from router.values import Deployment, Dialect, Provider, Secret
from router.wire.chat_request import ChatRequest
from tests.support.corpus import CORPUS, WHY_SKIPPED

ERRORS: dict[int, tuple[type[UpstreamError], int | None]] = {
    401: (UpstreamAuthError, None),
    404: (UpstreamNotFoundError, 404),
    408: (UpstreamTimeoutError, None),
    413: (UpstreamRejectedError, 413),
    429: (RateLimitedError, None),
    500: (UpstreamUnavailableError, None),
}


def recordings() -> list[Any]:
    return [
        pytest.param(json.loads(path.read_text(encoding="utf-8")), id=path.stem)
        for path in sorted((CORPUS / "azure" / "chat").glob("*.json"))
    ]


RECORDINGS = recordings()
pytestmark = pytest.mark.skipif(not RECORDINGS, reason=WHY_SKIPPED)


def azure(**settings: Any) -> Provider:
    own = ProviderSettings(base_url="https://RESOURCE.openai.azure.com/", **settings)
    return resolve("azure", ProvidersConfig(named={"AZURE": own}))


def exchange(recorded: dict[str, Any], provider: Provider) -> OpenAIExchange:
    asked = recorded["request"]["body"]
    body = asked if isinstance(asked, dict) else {"messages": []}
    row = handle.parse(f"/azure{recorded['path']}")
    dialect, endpoint = handle.language_of(row.path, None)
    assert (row.provider, dialect) == ("azure", Dialect.OPENAI)
    deployment = Deployment("m", body.get("model") or "m", provider, dialect, endpoint, row.path)
    parsed = ChatRequest.parse(json.dumps({**body, "model": "m"}).encode(), created=1)
    return OpenAIExchange(parsed, deployment)


@pytest.mark.parametrize("recorded", RECORDINGS)
def test_a_deployments_path_is_called_verbatim_with_the_key_in_azures_header(
    recorded: dict[str, Any],
) -> None:
    http = exchange(recorded, azure(api_key=Secret("azure-key"))).http

    assert http.url == f"https://RESOURCE.openai.azure.com{recorded['path']}"
    assert http.headers["api-key"] == "azure-key"
    assert "authorization" not in http.headers


def test_without_a_key_the_request_leaves_for_entras_token() -> None:
    http = exchange(
        {"path": "/openai/v1/chat/completions", "request": {"body": None}}, azure()
    ).http
    assert {"api-key", "authorization"}.isdisjoint(http.headers)


@pytest.mark.parametrize("recorded", RECORDINGS)
def test_what_azure_answers_passes_whole_or_fails_by_the_contract(recorded: dict[str, Any]) -> None:
    made = exchange(recorded, azure())
    answer = recorded["response"]
    body = answer["body"]
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    if answer["status"] != 200:
        error = made.decode_error(answer["status"], answer["headers"], data)
        kind, kept = ERRORS[answer["status"]]
        is_gone = kind is UpstreamNotFoundError and error.code == "DeploymentNotFound"
        assert type(error) is (UpstreamModelNotFoundError if is_gone else kind)
        assert error.http_status == kept
        words = body["error"]["message"] if isinstance(body, dict) else body
        assert " ".join(error.message.split()) == " ".join(words.split())
    elif isinstance(body, dict):
        assert made.decode_response(data).body == data
    elif "event: error" not in body and '"error"' not in body:
        decoder = made.stream_decoder()
        frames = [*decoder.feed(data), *decoder.finish()]
        assert decoder.failure is None
        sent = [line[5:].strip() for line in body.splitlines() if line.startswith("data:")]
        told = [frame.payload.decode() for frame in frames]
        left_out = [line for line in sent if line not in told and line != "[DONE]"]
        assert all(json.loads(line)["choices"] == [] for line in left_out)
        filtered = [line for line in sent if "prompt_filter_results" in line]
        assert all(line in told for line in filtered)
