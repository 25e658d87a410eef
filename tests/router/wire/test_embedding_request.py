import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import InvalidRequestError
from router.wire.embedding_request import EmbeddingRequest


def parse(body: object) -> EmbeddingRequest:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return EmbeddingRequest.parse(data)


@pytest.mark.parametrize("given_input", ["", "a", [], ["a", "b"], [1, 2], [[1], [2, 3]], [[]]])
def test_every_form_of_input_is_taken(given_input: Any) -> None:
    assert parse({"model": "m", "input": given_input}).input == given_input


def test_what_is_asked_for_is_read() -> None:
    request = parse({"model": "m", "input": "a", "encoding_format": "base64", "dimensions": 3})

    assert (request.model, request.is_base64, request.dimensions) == ("m", True, 3)
    assert parse({"model": "m", "input": "a", "dimensions": None}).dimensions is None


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": "a"}, "model"),
        ({"model": 3, "input": "a"}, "model"),
        ({"model": "m"}, "input"),
        ({"model": "m", "input": None}, "input"),
        ({"model": "m", "input": {"a": 1}}, "input"),
        ({"model": "m", "input": ["a", 1]}, "input"),
        ({"model": "m", "input": [1.5]}, "input"),
        ({"model": "m", "input": [True]}, "input"),
        ({"model": "m", "input": [["a"]]}, "input"),
        ({"model": "m", "input": [[1], 2]}, "input"),
        ({"model": "m", "input": "a", "encoding_format": "int8"}, "encoding_format"),
        ({"model": "m", "input": "a", "encoding_format": ["float"]}, "encoding_format"),
        ({"model": "m", "input": "a", "dimensions": "3"}, "dimensions"),
        ({"model": "m", "input": "a", "dimensions": True}, "dimensions"),
        ({"model": "m", "input": "a", "user": 3}, "user"),
        (b'{"model": "m", "input": "a", "model": "n"}', "model"),
        (b'{"model": "m", "input": "a", "\\u0069nput": "b"}', "input"),
        (b"[]", None),
        (b"", None),
        (b'{"model": "m", "input": "a"} x', None),
        (b'{"model": "m", "input": "\xff"}', None),
        (b'{"model": "m", "input": "a", "x": NaN}', None),
    ],
)
def test_what_is_not_as_openai_has_it_is_refused(body: Any, param: str | None) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse(body)

    assert caught.value.param == param


def test_only_the_model_is_edited() -> None:
    body = b'{ "x": 1.0,"model" : "m", "input":["a"], "y": {"model": "z"} }'
    request = parse(body)

    assert request.edited(model="m") is request.body
    assert request.edited(model='n"') == body.replace(b'"m"', b'"n\\""')


def test_what_is_only_unusual_is_taken() -> None:
    body = b'{"model": "m", "input": "\\ud800", "big": 1e400}'

    assert parse(body).edited(model="n") == body.replace(b'"m"', b'"n"')


def test_texts_are_the_input_where_it_is_texts() -> None:
    assert parse({"model": "m", "input": "a"}).texts == ["a"]
    assert parse({"model": "m", "input": ["a", "b"]}).texts == ["a", "b"]
    listed: list[Any] = [[1], [[1]], [], [[]]]
    for tokens in listed:
        with pytest.raises(InvalidRequestError):
            _ = parse({"model": "m", "input": tokens}).texts


def test_what_is_nested_too_deeply_is_refused() -> None:
    deep = b'{"model": "m", "input": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(InvalidRequestError):
        parse(deep)


@given(body=st.binary(max_size=60))
def test_any_body_is_a_request_or_refused(body: bytes) -> None:
    try:
        parse(body)
    except InvalidRequestError:
        return
