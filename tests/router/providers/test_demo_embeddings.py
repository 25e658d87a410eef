import json
import math
from typing import Any

import pytest
from openai.types import CreateEmbeddingResponse

from router.providers.demo import answer
from router.providers.demo.embeddings import MAX_WORDS
from router.providers.embedding.form import from_base64


def ask(**fields: Any) -> tuple[int, dict[str, Any]]:
    body = json.dumps({"model": "demo/embed", "input": "a cat", **fields}).encode()
    made = answer(body, 1)
    return made.status, json.loads(b"".join(part for _, part in made.parts))


def vector(text: str, **fields: Any) -> list[float]:
    _, told = ask(input=text, **fields)
    found: list[float] = told["data"][0]["embedding"]
    return found


def nearness(one: str, other: str) -> float:
    return sum(a * b for a, b in zip(vector(one), vector(other), strict=True))


def test_an_embedding_is_a_vector_of_length_one_and_always_the_same() -> None:
    status, told = ask(input=["a cat", "a dog", ""])

    CreateEmbeddingResponse.model_validate(told, strict=True)
    assert status == 200
    assert [math.hypot(*each["embedding"]) for each in told["data"]] == pytest.approx([1, 1, 1])
    assert told == ask(input=["a cat", "a dog", ""])[1]
    assert told["usage"] == {"prompt_tokens": 4, "total_tokens": 4}


def test_texts_that_share_words_are_near_each_other() -> None:
    assert nearness("the cat sat", "a cat sat") > nearness("the cat sat", "two red cars")


def test_dimensions_and_base64_are_heeded() -> None:
    assert len(vector("a", dimensions=7)) == 7
    _, told = ask(encoding_format="base64")
    numbers = from_base64(told["data"][0]["embedding"])
    assert list(numbers) == pytest.approx(vector("a cat"), rel=1e-6)


def test_token_ids_are_taken() -> None:
    assert ask(input=[1, 2])[1]["data"][0]["embedding"] == vector("1 2")
    assert len(ask(input=[[1], [2]])[1]["data"]) == 2


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": []}, "input"),
        ({"input": 3}, "input"),
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": 10_000}, "dimensions"),
        ({"input": "a " * (MAX_WORDS + 1)}, "input"),
    ],
)
def test_a_request_at_fault_gets_openais_error(fields: dict[str, Any], param: str) -> None:
    status, told = ask(**fields)

    assert status == 400
    assert told["error"]["param"] == param
