"""Embeddings through the whole gateway, by the official SDK and over gRPC."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import openai
import pytest
import pytest_asyncio

from tests.support.gateway import Gateway, gateway, row, write_list
from tests.support.upstream import Connection, Request, reply, upstream
from trunkline.v1 import embedding_service_pb2 as pb
from trunkline.v1 import embedding_service_pb2_grpc as pb_grpc

VECTOR = [0.5, -0.25, 0.125]


async def answer(request: Request, connection: Connection) -> None:
    """Cohere's embed, or a failure that echoes the key."""
    if "texts" not in request.fields or request.fields["texts"] == ["fail"]:
        await reply({"message": f"bad key {request.headers['authorization']}"}, 401)(
            request, connection
        )
        return
    vectors = [VECTOR for _ in request.fields["texts"]]
    meta = {"billed_units": {"input_tokens": 3}}
    await reply({"id": "e", "embeddings": {"float": vectors}, "meta": meta})(request, connection)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running(
    tmp_path_factory: pytest.TempPathFactory, channel_kind: str
) -> AsyncIterator[Gateway]:
    path: Path = tmp_path_factory.mktemp("embeddings")
    rows = [
        row("demo/embed", "/demo/v1/embeddings", prompt_price_1k="0.001"),
        row("demo/echo", "/demo/v1/chat/completions"),
        row("both", "/demo/v1/embeddings", upstream_model="demo/embed"),
        row("both", "/demo/v1/chat/completions", upstream_model="demo/echo"),
        row("embed-v4", "/cohere/v2/embed", prompt_price_1k=0.1),
    ]
    async with (
        upstream(answer) as provider,
        gateway(
            path,
            {
                "MODEL_LIST_URL": write_list(path / "models.json", rows),
                "TRUNKLINE_PROVIDERS__COHERE__BASE_URL": provider.url,
                "TRUNKLINE_PROVIDERS__COHERE__API_KEY": "canary-of-the-upstream",
            },
        ) as started,
    ):
        yield started


pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_sdk_gets_numbers_and_gets_the_same_by_its_default(running: Gateway) -> None:
    create = running.sdk().embeddings.create
    floats = await create(model="demo/embed", input=["a cat", "a dog"], encoding_format="float")
    default = await create(model="demo/embed", input=["a cat", "a dog"])

    assert [len(each.embedding) for each in floats.data] == [256, 256]
    for one, other in zip(floats.data, default.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, rel=1e-6)
    assert floats.usage.prompt_tokens == 4


async def test_the_sdk_gets_base64_as_it_is(running: Gateway) -> None:
    create = running.sdk().embeddings.with_raw_response.create
    answered = await create(model="demo/embed", input="a", encoding_format="base64", dimensions=3)

    [entry] = json.loads(answered.content)["data"]
    assert isinstance(entry["embedding"], str)
    assert answered.headers["x-trunkline-cost-usd"] == "0.000001"


@pytest.mark.parametrize("encoding", ["float", "base64"])
async def test_the_sdk_gets_the_same_from_a_translated_provider(
    running: Gateway, encoding: Any
) -> None:
    create = running.sdk().embeddings.with_raw_response.create
    answered = await create(model="embed-v4", input=["a", "b"], encoding_format=encoding)

    assert answered.headers["x-trunkline-provider"] == "cohere"
    assert answered.headers["x-trunkline-cost-usd"] == "0.0003"
    if encoding == "float":
        assert [each.embedding for each in answered.parse().data] == [VECTOR, VECTOR]
    else:
        assert json.loads(answered.content)["data"][0]["embedding"] == "AAAAPwAAgL4AAAA+"
        default = await running.sdk().embeddings.create(model="embed-v4", input="a")
        assert default.data[0].embedding == VECTOR


async def test_a_model_is_served_at_the_endpoint_of_its_handle_alone(running: Gateway) -> None:
    sdk = running.sdk()
    with pytest.raises(openai.BadRequestError) as chat:
        await sdk.chat.completions.create(
            model="demo/embed", messages=[{"role": "user", "content": "hi"}]
        )
    with pytest.raises(openai.BadRequestError) as embeddings:
        await sdk.embeddings.create(model="demo/echo", input="hi")

    assert chat.value.param == "model"
    assert embeddings.value.param == "model"
    assert "does not serve embeddings" in embeddings.value.message


async def test_a_model_with_both_handles_serves_both(running: Gateway) -> None:
    sdk = running.sdk()
    chat = await sdk.chat.completions.create(
        model="both", messages=[{"role": "user", "content": "hi"}]
    )
    embeddings = await sdk.embeddings.create(model="both", input="hi")

    assert chat.choices[0].message.content == "hi"
    assert len(embeddings.data) == 1


async def test_a_parameter_that_cannot_be_honoured_is_reported_or_refused(running: Gateway) -> None:
    body = {"model": "embed-v4", "input": "a", "user": "u"}
    status, headers, _ = await running.post(body, path="/v1/embeddings")
    strict, _, refused = await running.post(body, path="/v1/embeddings", x_trunkline_strict="true")

    assert (status, headers["x-trunkline-dropped-params"]) == (200, "user")
    assert strict == 400
    assert json.loads(refused)["error"]["param"] == "user"


async def test_our_key_is_masked_in_a_providers_words(running: Gateway) -> None:
    status, _, body = await running.post(
        {"model": "embed-v4", "input": "fail"}, path="/v1/embeddings"
    )

    assert status == 502
    assert json.loads(body)["error"]["code"] == "upstream_auth"
    assert b"canary" not in body
    assert b"bad key" in body


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (b"{", 400, None),
        ({"model": "demo/embed"}, 400, "input"),
        ({"input": "a"}, 400, "model"),
        ({"model": "demo/embed", "input": {"a": 1}}, 400, "input"),
        ({"model": "embed-v4", "input": [1, 2]}, 400, "input"),
        ({"model": "nobody", "input": "a"}, 404, "model"),
    ],
)
async def test_a_request_at_fault_is_refused(
    running: Gateway, body: object, status: int, param: str | None
) -> None:
    got, _, told = await running.post(body, path="/v1/embeddings")

    assert got == status
    assert json.loads(told)["error"]["param"] == param


async def test_another_method_or_content_type_is_refused(running: Gateway) -> None:
    url = f"{running.url}/v1/embeddings"
    async with running.http.get(url) as response:
        assert response.status == 405
        assert response.headers["allow"] == "POST"
    async with running.http.post(url, data=b"x", headers={"content-type": "text/xml"}) as response:
        assert response.status == 415


async def test_the_typed_service_gives_the_same_answer(running: Gateway) -> None:
    async with grpc.aio.insecure_channel(running.grpc) as channel:
        service = pb_grpc.EmbeddingServiceStub(channel)
        params = pb.EmbeddingParams(model="embed-v4", texts=["a", "b"])
        call = service.CreateEmbedding(pb.CreateEmbeddingRequest(params=params))
        typed = (await call).embeddings
        metadata = dict(await call.initial_metadata())
        params.encoding_format = "base64"
        encoded = await service.CreateEmbedding(pb.CreateEmbeddingRequest(params=params))

    assert [list(each.vector) for each in typed.data] == [VECTOR, VECTOR]
    assert typed.usage.total_tokens == 3
    assert metadata["x-trunkline-cost-usd"] == "0.0003"
    assert encoded.embeddings.data[0].base64 == "AAAAPwAAgL4AAAA+"


async def test_the_typed_service_says_what_is_wrong(running: Gateway) -> None:
    async with grpc.aio.insecure_channel(running.grpc) as channel:
        service = pb_grpc.EmbeddingServiceStub(channel)
        params = pb.EmbeddingParams(model="demo/echo", text="a")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await service.CreateEmbedding(pb.CreateEmbeddingRequest(params=params))

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_embeddings_do_not_stream(running: Gateway) -> None:
    status, headers, body = await running.post(
        {"model": "demo/embed", "input": "a", "stream": True}, path="/v1/embeddings"
    )

    assert status == 200
    assert headers["content-type"] == "application/json"
    assert json.loads(body)["object"] == "list"
