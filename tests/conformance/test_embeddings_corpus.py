"""Every embedding exchange of the recorded corpus, whatever the provider's dialect.

OpenAI-style exchanges go through the whole gateway and come out byte for byte. The others are read twice:
by the adapter, and here, as plainly as possible; the openai SDK's own type must accept the answer strictly,
in both encodings. Not applicable: Ollama's own `/api/embeddings`, which is no dialect of ours.
"""

import array
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import grpc
import pytest
import pytest_asyncio
from openai.types import CreateEmbeddingResponse

from router.errors import UpstreamAuthError, UpstreamModelNotFoundError, UpstreamRejectedError
from router.providers.adapter import UnaryExchange
from router.providers.dialects import EMBEDDERS
from router.routing.handle import language_of
from router.rpc import codec
from router.values import Deployment, Dialect, Provider, Secret
from router.wire.embedding_request import EmbeddingRequest
from tests.support.corpus import WHY_SKIPPED, Exchange, exchanges
from tests.support.gateway import Gateway, gateway, row, write_list
from tests.support.upstream import Connection, Request, reply, upstream
from trunkline.v1.embedding_service_pb2 import CreateEmbeddingRequest
from trunkline.v1.embedding_service_pb2_grpc import EmbeddingServiceStub

TRANSPARENT = {
    e.id: e
    for provider in (
        "openai", "azure", "fireworks", "huggingface", "mistral", "openrouter", "perplexity",
        "sambanova", "together",
    )
    for e in exchanges(provider, "embeddings")
}  # fmt: skip
ANSWERED = [e for e in TRANSPARENT.values() if e.status == 200]
REFUSED = [e for e in TRANSPARENT.values() if e.status != 200]

TRANSLATED = [
    e
    for provider in ("cohere", "gemini", "vertex", "voyage")
    for e in exchanges(provider, "embeddings")
]
DECODED = [e for e in TRANSLATED if e.status == 200]
FAILED = [
    *(e for e in TRANSLATED if e.status != 200),
    *(e for e in exchanges("bedrock", "invoke") if "cohere.embed" in e.path),
]
BY_ID = TRANSPARENT | {e.id: e for e in DECODED}
ASKED = [e for e in TRANSLATED if e.asked and "images" not in e.name]

pytestmark = pytest.mark.skipif(not TRANSPARENT, reason=WHY_SKIPPED)

HTTP_OF = {401: (502, "upstream_auth"), 404: (404, None)}


# --- OpenAI's dialect: through the gateway ---------------------------------------------------------


async def replay(request: Request, connection: Connection) -> None:
    recorded = BY_ID[parse_qs(urlsplit(request.target).query)["exchange"][0]]
    if recorded.id in TRANSPARENT:
        asked = {**recorded.asked, "model": recorded.model or "m"}
        assert stated(request.fields) == stated(asked)
    await reply(recorded.body, recorded.status)(request, connection)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    path: Path = tmp_path_factory.mktemp("embeddings")
    rows = [
        row(
            f"corpus/{e.id}",
            f"{handle_of(e)}{'&' if '?' in handle_of(e) else '?'}exchange={e.id}",
            upstream_model=e.model or "m",
            prompt_price_1k=1,
        )
        for e in BY_ID.values()
    ]
    settings = {"MODEL_LIST_URL": write_list(path / "models.json", rows)}
    async with upstream(replay) as provider:
        for name in ("ACME", "COHERE", "GEMINI", "VERTEX", "VOYAGE"):
            settings[f"TRUNKLINE_PROVIDERS__{name}__BASE_URL"] = provider.url
            settings[f"TRUNKLINE_PROVIDERS__{name}__API_KEY"] = "canary-of-the-upstream"
        async with gateway(path, settings) as started:
            yield started


def stated(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields without nulls, which the typed messages have as absence."""
    return {key: value for key, value in fields.items() if value is not None}


def handle_of(recorded: Exchange) -> str:
    """Where a row leads: OpenAI's dialect at one address, the others by their own paths."""
    if recorded.id in TRANSPARENT:
        return "/acme/v1/embeddings"
    # Cohere's first API has the same words at another path.
    return f"/{recorded.provider}{recorded.path}".replace("/cohere/v1/", "/cohere/v2/")


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("recorded", ANSWERED, ids=lambda e: f"{e.provider}-{e}")
async def test_every_openai_style_answer_passes_unchanged(
    running: Gateway, recorded: Exchange
) -> None:
    asked = {**recorded.asked, "model": f"corpus/{recorded.id}"}
    status, headers, body = await running.post(asked, path="/v1/embeddings")

    assert status == 200, body
    assert hashlib.sha256(body).digest() == hashlib.sha256(recorded.body).digest()
    tokens = (json.loads(recorded.body).get("usage") or {}).get("prompt_tokens")
    cost = headers.get("x-trunkline-cost-usd")
    assert (None if cost is None else Decimal(cost) * 1000) == tokens


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("recorded", REFUSED, ids=lambda e: f"{e.provider}-{e}")
async def test_every_openai_style_error_follows_the_table(
    running: Gateway, recorded: Exchange
) -> None:
    asked = {**recorded.asked, "model": f"corpus/{recorded.id}"}
    status, _, body = await running.post(asked, path="/v1/embeddings")

    error = json.loads(body)["error"]
    words = json.loads(recorded.body)["error"]
    expected, code = HTTP_OF[recorded.status]
    assert status == expected
    assert error["message"] == words["message"]
    assert error["code"] == (code or words["code"])


# --- other dialects --------------------------------------------------------------------------------


def exchange(recorded: Exchange, **fields: Any) -> UnaryExchange:
    path = recorded.path
    dialect, endpoint = language_of(
        handle_of(recorded), Dialect.VOYAGE if recorded.provider == "voyage" else None
    )
    deployment = Deployment(
        model="listed",
        upstream_model=recorded.model or "m",
        provider=Provider("p", "https://host", api_key=Secret("canary-key")),
        dialect=dialect,
        endpoint=endpoint,
        path=path,
    )
    body = json.dumps({"model": "listed", "input": "Hi", **fields}).encode()
    return EMBEDDERS[dialect](EmbeddingRequest.parse(body), deployment)


def recorded_vectors(recorded: Exchange) -> list[list[float]]:
    """The vectors of a recorded answer."""
    body = json.loads(recorded.body)
    match recorded.provider:
        case "cohere":
            [vectors] = body["embeddings"].values()
            return list(vectors)
        case "gemini" | "vertex":
            found = body.get("embeddings") or [body["embedding"]]
            return [each["values"] for each in found]
    return [floats(each["embedding"]) for each in body["data"]]


def recorded_tokens(recorded: Exchange) -> int:
    body = json.loads(recorded.body)
    match recorded.provider:
        case "cohere":
            return int(body["meta"]["billed_units"]["input_tokens"])
        case "gemini" | "vertex":
            return int(body["usageMetadata"]["promptTokenCount"])
    return int(body["usage"]["total_tokens"])


def floats(text: str) -> list[float]:
    """Read base64 as the openai SDK does."""
    return array.array("f", base64.b64decode(text)).tolist()


def in_single_precision(vector: list[float]) -> list[float]:
    return array.array("f", vector).tolist()


@pytest.mark.parametrize("recorded", DECODED, ids=lambda e: f"{e.provider}-{e}")
def test_an_answer_says_the_same_in_openai_words_as_numbers(recorded: Exchange) -> None:
    completion = exchange(recorded, encoding_format="float").decode_response(recorded.body)

    told = CreateEmbeddingResponse.model_validate(json.loads(completion.body), strict=True)
    assert [each.embedding for each in told.data] == recorded_vectors(recorded)
    assert [each.index for each in told.data] == list(range(len(told.data)))
    tokens = recorded_tokens(recorded)
    assert (told.usage.prompt_tokens, told.usage.total_tokens) == (tokens, tokens)
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == tokens


@pytest.mark.parametrize("recorded", DECODED, ids=lambda e: f"{e.provider}-{e}")
def test_an_answer_says_the_same_in_openai_words_in_base64(recorded: Exchange) -> None:
    completion = exchange(recorded, encoding_format="base64").decode_response(recorded.body)

    told = json.loads(completion.body)
    for each in told["data"]:
        each["embedding"] = floats(each["embedding"])
    CreateEmbeddingResponse.model_validate(told, strict=True)
    assert [each["embedding"] for each in told["data"]] == [
        in_single_precision(vector) for vector in recorded_vectors(recorded)
    ]


@pytest.mark.parametrize("recorded", FAILED, ids=lambda e: f"{e.provider}-{e}")
def test_a_recorded_error_follows_the_contract_in_the_providers_words(recorded: Exchange) -> None:
    error = exchange(recorded).decode_error(recorded.status, recorded.headers, recorded.body)

    said = json.loads(recorded.body)
    words = said.get("message") or said.get("detail") or said["error"]["message"]
    assert error.message == words
    if words.startswith("API key"):
        assert isinstance(error, UpstreamAuthError)
    else:
        assert isinstance(error, UpstreamRejectedError | UpstreamModelNotFoundError)
        assert error.http_status == recorded.status


def openai_request(recorded: Exchange) -> dict[str, Any]:
    """A recorded request as a caller of OpenAI's API would put it."""
    asked = {key: value for key, value in recorded.asked.items() if value is not None}
    match recorded.provider:
        case "cohere":
            texts = asked.pop("texts")
            return {**asked, "input": texts}
        case "voyage":
            return asked
    requests = asked.get("requests", [asked])
    texts = [each["content"]["parts"][0]["text"] for each in requests]
    first = requests[0]
    options = {"dimensions": first.get("outputDimensionality"), "task_type": first.get("taskType")}
    return {"input": texts} | {key: value for key, value in options.items() if value is not None}


def plain(body: dict[str, Any]) -> dict[str, Any]:
    """A request without what says nothing: nulls, and the role of a content that has no other."""
    told = {key: value for key, value in body.items() if value is not None}
    for each in told.get("requests", []):
        each["content"].pop("role", None)
    return told


@pytest.mark.parametrize("recorded", ASKED, ids=lambda e: f"{e.provider}-{e}")
def test_a_recorded_request_is_what_openais_form_of_it_becomes(recorded: Exchange) -> None:
    asked = {"model": "listed", **openai_request(recorded)}
    made = exchange(recorded, **{**asked, "model": "listed"})

    expected = plain(recorded.asked)
    if recorded.provider == "cohere":
        expected.setdefault("embedding_types", ["float"])
    assert made.dropped == ()
    assert plain(json.loads(made.http.body)) == expected
    assert made.http.url == f"https://host{recorded.path}"


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("recorded", [*ANSWERED, *DECODED], ids=lambda e: f"{e.provider}-{e}")
async def test_both_faces_give_the_same_answer(running: Gateway, recorded: Exchange) -> None:
    is_translated = recorded.id not in TRANSPARENT
    asked = openai_request(recorded) if is_translated and recorded.asked else recorded.asked
    body = json.dumps({"input": "Hi", **asked, "model": f"corpus/{recorded.id}"}).encode()
    status, _, told = await running.post(body, path="/v1/embeddings")
    async with grpc.aio.insecure_channel(running.grpc) as channel:
        service = EmbeddingServiceStub(channel)
        request = CreateEmbeddingRequest(params=codec.embedding_params_from_json(body))
        typed = (await service.CreateEmbedding(request)).embeddings

    assert status == 200, told
    assert typed == codec.embeddings_from_json(told)
    assert stated(json.loads(codec.embeddings_to_json(typed))) == stated(json.loads(told))


def test_the_corpus_is_as_large_as_the_index_says() -> None:
    assert len(ANSWERED) >= 36
    assert len(REFUSED) >= 11
    assert len(DECODED) >= 6
    assert len(FAILED) >= 9
