"""The embedding messages: what stands in which field, and that nothing is lost on the way."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import InvalidRequestError, UpstreamUnavailableError
from router.rpc import codec
from router.rpc.codec.embeddings import TABLES
from router.rpc.codec.oneof import Bare
from router.rpc.codec.shapes import EXTRA, Nested, Repeated, Table
from tests.support.corpus import Exchange, everything
from trunkline.v1 import embedding_service_pb2 as pb

RECORDED = [e for e in everything() if e.kind == "embeddings"]


def assert_reaches(shape: Any, descriptor: Any) -> None:
    assert isinstance(shape, Table)
    kinds = {row.name: row.kind for row in shape.rows if row.name}
    assert set(kinds) == {field.name for field in descriptor.fields} - {EXTRA}
    for name, kind in kinds.items():
        if isinstance(kind, Nested | Repeated) and not isinstance(kind.shape, Bare):
            assert_reaches(kind.shape, descriptor.fields_by_name[name].message_type)


@pytest.mark.parametrize(("table", "message"), TABLES)
def test_every_field_of_the_messages_stands_in_a_table(table: Table, message: Any) -> None:
    assert_reaches(table, message.DESCRIPTOR)


@pytest.mark.parametrize(
    ("params", "body"),
    [
        (pb.EmbeddingParams(model="m", text=""), {"model": "m", "input": ""}),
        (
            pb.EmbeddingParams(texts=["a", "b"], dimensions=0),
            {"input": ["a", "b"], "dimensions": 0},
        ),
        (pb.EmbeddingParams(tokens=[1, 2], user="u"), {"input": [1, 2], "user": "u"}),
        (
            pb.EmbeddingParams(
                token_lists=[pb.TokenList(tokens=[1]), pb.TokenList()],
                encoding_format="base64",
                extra_json='{"input_type": "query"}',
            ),
            {"input": [[1], []], "encoding_format": "base64", "input_type": "query"},
        ),
    ],
)
def test_a_typed_request_is_openais_json_and_back(
    params: pb.EmbeddingParams, body: dict[str, Any]
) -> None:
    written = codec.embedding_params_to_json(params)

    assert json.loads(written) == body
    assert codec.embedding_params_to_json(codec.embedding_params_from_json(written)) == written


@pytest.mark.parametrize(
    "params",
    [
        pb.EmbeddingParams(text="a", texts=["b"]),
        pb.EmbeddingParams(tokens=[1], token_lists=[pb.TokenList(tokens=[1])]),
        pb.EmbeddingParams(extra_json="{"),
        pb.EmbeddingParams(text="a", extra_json='{"input": "b"}'),
    ],
)
def test_a_typed_request_that_says_two_things_or_no_json_is_refused(
    params: pb.EmbeddingParams,
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        codec.embedding_params_to_json(params)

    assert caught.value.param


def test_an_answer_in_numbers_and_in_base64_has_its_field() -> None:
    body = (
        b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1.0]},'
        b'{"object":"embedding","index":1,"embedding":"AAAAPw=="}],'
        b'"model":"m","usage":{"prompt_tokens":2,"total_tokens":2}}'
    )
    answer = codec.embeddings_from_json(body)

    assert list(answer.data[0].vector) == [0.5, -1.0]
    assert answer.data[1].base64 == "AAAAPw=="
    assert (answer.data[1].index, answer.usage.prompt_tokens) == (1, 2)
    assert codec.embeddings_to_json(answer) == body


def test_a_number_with_more_digits_than_a_double_keeps_them() -> None:
    body = b'{"data":[{"embedding":[0.1234567890123456789]}]}'
    answer = codec.embeddings_from_json(body)

    assert b"0.1234567890123456789" in codec.embeddings_to_json(answer)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"'])
def test_an_answer_that_is_no_object_is_the_providers_failure(body: bytes) -> None:
    with pytest.raises(UpstreamUnavailableError):
        codec.embeddings_from_json(body)


def same(text: bytes) -> Any:
    """What an answer says: always-written members and nulls left out, numbers by their value."""

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            hidden: dict[str, tuple[Any, ...]] = {
                "object": ("list", "embedding"),
                "index": (0,),
                "data": ([],),
            }
            return {
                k: strip(v)
                for k, v in value.items()
                if v is not None and v not in hidden.get(k, ())
            }
        return [strip(item) for item in value] if isinstance(value, list) else value

    return strip(json.loads(text))


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda e: f"{e.provider}-{e}")
def test_recorded_traffic_survives(recorded: Exchange) -> None:
    asked = json.dumps(recorded.asked).encode()
    there = codec.embedding_params_to_json(codec.embedding_params_from_json(asked))
    assert same(there) == same(asked)
    if recorded.status == 200:
        back = codec.embeddings_to_json(codec.embeddings_from_json(recorded.body))
        assert same(back) == same(recorded.body)


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
embedding = st.dictionaries(st.sampled_from(["object", "index", "embedding", "x"]), any_json)


@given(
    value=st.fixed_dictionaries(
        {}, optional={
            "data": st.lists(embedding, max_size=3) | any_json,
            "usage": st.dictionaries(st.sampled_from(["prompt_tokens", "x"]), any_json),
            "model": any_json, "input": any_json, "dimensions": any_json, "z": any_json,
        },
    )
)  # fmt: skip
def test_any_object_survives_both_tables(value: dict[str, Any]) -> None:
    text = json.dumps(value).encode()

    params = codec.embedding_params_to_json(codec.embedding_params_from_json(text))
    answer = codec.embeddings_to_json(codec.embeddings_from_json(text))
    assert same(params) == same(text)
    assert same(answer) == same(text)
