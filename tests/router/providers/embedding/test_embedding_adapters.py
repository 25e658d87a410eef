import array
import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import CreateEmbeddingResponse

from router.errors import InvalidRequestError, UpstreamError, UpstreamUnavailableError
from router.providers.adapter import UnaryExchange
from router.providers.dialects import EMBEDDERS
from router.providers.embedding import form
from router.routing.handle import language_of
from router.values import Deployment, Dialect, Provider, Secret, Usage
from router.wire.embedding_request import EmbeddingRequest

OPENAI = "/v1/embeddings"
COHERE = "/v2/embed"
VOYAGE = "/voyage/v1/embeddings"
GEMINI = "/v1beta/models/gemini-embedding-001:batchEmbedContents"
GEMINI_ONE = "/v1beta/models/gemini-embedding-001:embedContent"
VERTEX = "/v1/projects/p/locations/l/publishers/google/models/gemini-embedding-2:embedContent"
TITAN = "/model/amazon.titan-embed-text-v2%3A0/invoke"
TITAN_IMAGE = "/model/amazon.titan-embed-image-v1/invoke"
TITAN_1 = "/model/amazon.titan-embed-text-v1/invoke"
BEDROCK_COHERE = "/model/cohere.embed-english-v3/invoke"

TRANSLATED = (COHERE, VOYAGE, GEMINI, GEMINI_ONE, VERTEX, TITAN, BEDROCK_COHERE)


def exchange(path: str, provider: Mapping[str, Any] | None = None, **fields: Any) -> UnaryExchange:
    dialect, endpoint = language_of(path, Dialect.VOYAGE if path == VOYAGE else None)
    options = {"api_key": Secret("canary-key"), **(provider or {})}
    deployment = Deployment(
        model="listed",
        upstream_model="up",
        provider=Provider("p", "https://host", **options),
        dialect=dialect,
        endpoint=endpoint,
        path=path,
    )
    body = json.dumps({"model": "listed", "input": "Hi", **fields}).encode()
    return EMBEDDERS[dialect](EmbeddingRequest.parse(body), deployment)


def sent(made: UnaryExchange) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(made.http.body)
    return body


@pytest.mark.parametrize(
    ("path", "fields", "body"),
    [
        (OPENAI, {"input": [1, 2], "extra": 1}, {"model": "up", "input": [1, 2], "extra": 1}),
        (COHERE, {}, {"model": "up", "texts": ["Hi"], "input_type": "search_document",
                      "embedding_types": ["float"]}),
        (COHERE, {"input": ["a", "b"], "dimensions": 256, "encoding_format": "base64",
                  "input_type": "search_query", "truncate": "END", "embedding_types": ["int8"]},
         {"model": "up", "texts": ["a", "b"], "input_type": "search_query", "truncate": "END",
          "embedding_types": ["int8"], "output_dimension": 256}),
        (BEDROCK_COHERE, {"input": ["a", "b"]},
         {"texts": ["a", "b"], "input_type": "search_document", "embedding_types": ["float"]}),
        (VOYAGE, {"encoding_format": "float"}, {"model": "up", "input": ["Hi"]}),
        (VOYAGE, {"encoding_format": "base64", "dimensions": 512, "input_type": "query"},
         {"model": "up", "input": ["Hi"], "encoding_format": "base64", "output_dimension": 512,
          "input_type": "query"}),
        (VOYAGE, {"encoding_format": "base64", "output_dtype": "int8"},
         {"model": "up", "input": ["Hi"], "output_dtype": "int8"}),
        (GEMINI, {"dimensions": 768, "task_type": "RETRIEVAL_QUERY"},
         {"requests": [{"model": "models/gemini-embedding-001", "outputDimensionality": 768,
                        "content": {"parts": [{"text": "Hi"}]}, "taskType": "RETRIEVAL_QUERY"}]}),
        (GEMINI_ONE, {},
         {"model": "models/gemini-embedding-001", "content": {"parts": [{"text": "Hi"}]}}),
        (VERTEX, {"dimensions": 768},
         {"content": {"parts": [{"text": "Hi"}]},
          "embedContentConfig": {"outputDimensionality": 768}}),
        (TITAN, {"input": ["Hi"], "dimensions": 256, "normalize": False},
         {"inputText": "Hi", "dimensions": 256, "normalize": False}),
        (TITAN_1, {}, {"inputText": "Hi"}),
        (TITAN_IMAGE, {"dimensions": 384},
         {"inputText": "Hi", "embeddingConfig": {"outputEmbeddingLength": 384}}),
    ],
)  # fmt: skip
def test_a_request_goes_out_in_the_providers_words(
    path: str, fields: dict[str, Any], body: dict[str, Any]
) -> None:
    made = exchange(path, **fields)

    assert sent(made) == body
    assert made.dropped == ()
    assert made.http.url == "https://host" + path


@pytest.mark.parametrize(
    ("path", "url"),
    [
        (GEMINI_ONE, "/v1beta/models/gemini-embedding-001:batchEmbedContents"),
        (VERTEX, VERTEX.replace(":embedContent", ":batchEmbedContents")),
        (GEMINI, GEMINI),
        (GEMINI_ONE + "?a=b", "/v1beta/models/gemini-embedding-001:batchEmbedContents?a=b"),
    ],
)
def test_several_texts_go_to_geminis_batch_method(path: str, url: str) -> None:
    made = exchange(path, input=["a", "b"])

    assert made.http.url == "https://host" + url
    assert [r["content"]["parts"][0]["text"] for r in sent(made)["requests"]] == ["a", "b"]


@pytest.mark.parametrize(
    ("path", "header", "value"),
    [
        (OPENAI, "authorization", "Bearer canary-key"),
        (COHERE, "authorization", "Bearer canary-key"),
        (VOYAGE, "authorization", "Bearer canary-key"),
        (GEMINI, "x-goog-api-key", "canary-key"),
        (VERTEX, "authorization", "Bearer canary-key"),
        (TITAN, "authorization", "Bearer canary-key"),
    ],
)
def test_the_key_goes_where_the_provider_looks_for_it(path: str, header: str, value: str) -> None:
    assert exchange(path).http.headers[header] == value
    assert header not in exchange(path, {"api_key": None}).http.headers
    assert exchange(path, {"key_header": "api-key"}).http.headers["api-key"] == "canary-key"
    assert exchange(path, {"headers": {"X-A": "b"}}).http.headers["x-a"] == "b"


@pytest.mark.parametrize("path", TRANSLATED)
def test_fields_that_a_target_does_not_know_are_reported(path: str) -> None:
    assert exchange(path, user="u", whatever=[1], nothing=None).dropped == ("user", "whatever")


def test_the_first_titan_takes_nothing_but_the_text() -> None:
    made = exchange(TITAN_1, dimensions=256, normalize=True)

    assert sent(made) == {"inputText": "Hi"}
    assert made.dropped == ("dimensions", "normalize")


def test_lists_that_were_not_asked_for_may_be_empty() -> None:
    body = b'{"embeddings": {"float": [[1.0]], "int8": [], "uint8": null}}'

    answer = json.loads(exchange(COHERE).decode_response(body).body)

    assert [each["embedding"] for each in answer["data"]] == [[1.0]]


def test_titan_for_images_knows_no_normalizing() -> None:
    made = exchange(TITAN_IMAGE, normalize=True)

    assert sent(made) == {"inputText": "Hi"}
    assert made.dropped == ("normalize",)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (COHERE, b'{"embeddings": {"float": [[1.0]]}}'),
        (BEDROCK_COHERE, b'{"embeddings": [[1.0]]}'),
        (GEMINI, b'{"embeddings": [{"values": [1.0]}]}'),
        (VOYAGE, b'{"data": [{"embedding": [1.0], "index": 0}]}'),
        (VOYAGE, b'{"data": []}'),
    ],
)
def test_fewer_embeddings_than_texts_are_the_providers_failure(path: str, body: bytes) -> None:
    with pytest.raises(UpstreamUnavailableError):
        exchange(path, input=["a", "b"]).decode_response(body)


@pytest.mark.parametrize(
    ("indices", "order"),
    [
        ((1, 0), [2.0, 1.0]),
        ((0, 1), [1.0, 2.0]),
        ((None, None), [1.0, 2.0]),
        ((1, "0"), [1.0, 2.0]),
    ],
)
def test_voyages_embeddings_stand_where_their_index_says(
    indices: tuple[Any, Any], order: list[float]
) -> None:
    data = [{"embedding": [n + 1.0], "index": index} for n, index in enumerate(indices)]
    body = json.dumps({"data": data, "usage": {"total_tokens": 2}}).encode()

    answer = json.loads(exchange(VOYAGE, input=["a", "b"]).decode_response(body).body)

    assert [(each["index"], *each["embedding"]) for each in answer["data"]] == [*enumerate(order)]


@pytest.mark.parametrize("path", TRANSLATED)
@pytest.mark.parametrize("given_input", [[1, 2], [[1], [2]], []])
def test_token_ids_are_refused_where_the_target_takes_texts(path: str, given_input: Any) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        exchange(path, input=given_input)

    assert caught.value.param == "input"


@pytest.mark.parametrize("path", [TITAN, TITAN_1])
def test_a_model_that_takes_one_text_refuses_several(path: str) -> None:
    with pytest.raises(InvalidRequestError, match="one text at a time") as caught:
        exchange(path, input=["a", "b"])

    assert caught.value.param == "input"


def test_several_types_of_number_are_refused() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        exchange(COHERE, embedding_types=["float", "int8"])

    assert caught.value.param == "embedding_types"


VECTOR = [0.10000000149011612, -1.0, 3.0e-8]
IN_BASE64 = base64.b64encode(array.array("f", VECTOR).tobytes()).decode()

ANSWERS: dict[str, tuple[dict[str, Any], int | None]] = {
    COHERE: (
        {"id": "i", "embeddings": {"float": [VECTOR]},
         "meta": {"tokens": {"input_tokens": 4}, "billed_units": {"input_tokens": 2}}}, 4),
    BEDROCK_COHERE: ({"embeddings": [VECTOR], "response_type": "embeddings_floats"}, None),
    VOYAGE: ({"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": VECTOR}],
              "model": "v", "usage": {"total_tokens": 4}}, 4),
    GEMINI: ({"embeddings": [{"values": VECTOR}]}, None),
    VERTEX: ({"embedding": {"values": VECTOR}, "usageMetadata": {"promptTokenCount": 4}}, 4),
    TITAN: ({"embedding": VECTOR, "inputTextTokenCount": 4}, 4),
}  # fmt: skip


@pytest.mark.parametrize("path", ANSWERS)
@pytest.mark.parametrize("encoding", ["float", "base64", None])
def test_an_answer_is_openais_in_both_encodings(path: str, encoding: str | None) -> None:
    body, tokens = ANSWERS[path]
    completion = exchange(path, encoding_format=encoding).decode_response(json.dumps(body).encode())

    told = json.loads(completion.body)
    [entry] = told["data"]
    assert entry["embedding"] == (IN_BASE64 if encoding == "base64" else VECTOR)
    entry["embedding"] = VECTOR
    CreateEmbeddingResponse.model_validate(told, strict=True)
    assert told["usage"] == {"prompt_tokens": tokens or 0, "total_tokens": tokens or 0}
    assert completion.usage == (None if tokens is None else Usage(prompt_tokens=tokens))


def test_numbers_pass_as_the_provider_spelt_them() -> None:
    body = b'{"embeddings": {"float": [[0.10, 1e-8, 1]]}}'

    assert b"[0.10, 1e-8, 1]" in exchange(COHERE).decode_response(body).body


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_base64_of_the_providers_own_says_the_same_as_its_numbers(encoding: str) -> None:
    body = {"data": [{"embedding": IN_BASE64}], "model": "v", "usage": {"total_tokens": 1}}
    made = exchange(VOYAGE, encoding_format=encoding)

    [entry] = json.loads(made.decode_response(json.dumps(body).encode()).body)["data"]
    assert entry["embedding"] == (
        IN_BASE64 if encoding == "base64" else array.array("f", VECTOR).tolist()
    )


def test_an_openai_style_answer_passes_byte_for_byte() -> None:
    body = b'{"data": [ ], "odd": 1.0, "usage": {"prompt_tokens": 3}}'
    completion = exchange(OPENAI).decode_response(body)

    assert completion.body is body
    assert completion.usage == Usage(prompt_tokens=3)


BROKEN = [
    b"", b"{", b"[]", b"null", b'{"embeddings": 3}', b'{"embedding": "x", "data": [{}]}',
    b'{"embeddings": {"float": [["a"]]}, "data": [{"embedding": ["a"]}], "embedding": ["a"]}',
    b'{"embeddings": {}, "data": 1}', b"\xff",
]  # fmt: skip


@pytest.mark.parametrize("path", TRANSLATED)
@pytest.mark.parametrize("body", BROKEN)
def test_an_answer_that_cannot_be_read_is_the_providers_failure(path: str, body: bytes) -> None:
    with pytest.raises(UpstreamError):
        exchange(path, encoding_format="base64").decode_response(body)


def test_a_number_that_no_32_bit_float_can_hold_is_the_providers_failure() -> None:
    with pytest.raises(UpstreamError):
        exchange(TITAN, encoding_format="base64").decode_response(b'{"embedding": [1e300]}')


@pytest.mark.parametrize("path", [OPENAI, *TRANSLATED])
@pytest.mark.parametrize(
    ("status", "body", "reason", "message"),
    [
        (400, b'{"message": "bad"}', "UPSTREAM_REJECTED", "bad"),
        (401, b'{"error": {"message": "who?"}}', "UPSTREAM_AUTH", "who?"),
        (429, b'{"detail": "slow down"}', "RATE_LIMIT_EXCEEDED", "slow down"),
        (500, b"Oops", "UPSTREAM_UNAVAILABLE", "Oops"),
    ],
)
def test_errors_follow_the_table_in_the_providers_words(
    path: str, status: int, body: bytes, reason: str, message: str
) -> None:
    error = exchange(path).decode_error(status, {}, body)

    assert error.reason == reason
    assert message in error.message


@given(numbers=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_base64_and_numbers_are_the_same(numbers: list[float]) -> None:
    text = form.to_base64(numbers)

    assert list(form.from_base64(text)) == numbers
    assert array.array("f", base64.b64decode(text)).tolist() == numbers


any_json = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["embeddings", "embedding", "values", "data", "float", "usage", "meta"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(body=st.binary(max_size=30) | any_json.map(lambda value: json.dumps(value).encode()))
@pytest.mark.parametrize("path", TRANSLATED)
def test_any_body_is_an_answer_or_a_declared_failure(path: str, body: bytes) -> None:
    try:
        completion = exchange(path).decode_response(body)
    except UpstreamError:
        return
    assert json.loads(completion.body)["object"] == "list"
