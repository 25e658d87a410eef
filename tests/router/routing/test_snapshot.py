"""The list at one moment: models are found by id and alias, and told as OpenAI does."""

import json
from types import MappingProxyType

import pytest

from router.errors import ModelNotFoundError
from router.routing.snapshot import EMPTY, Model, Snapshot, entry, listing
from tests.support.calls import DEPLOYMENT

MODEL = Model("a/b", 5, "p", "family", (DEPLOYMENT,), ("other",))
SNAPSHOT = Snapshot(3, (MODEL,), by_name=MappingProxyType({"a/b": MODEL, "other": MODEL}))


@pytest.mark.parametrize("name", ["a/b", "other"])
def test_a_model_is_found_by_its_id_and_its_aliases(name: str) -> None:
    assert SNAPSHOT.find(name) is MODEL


@pytest.mark.parametrize("name", ["", "A/B", "a/b ", "c"])
def test_any_other_name_is_not_found_and_the_param_says_so(name: str) -> None:
    with pytest.raises(ModelNotFoundError, match="does not exist") as caught:
        SNAPSHOT.find(name)

    assert caught.value.param == "model"


def test_a_callers_name_stands_in_the_message_printable_and_bounded() -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        EMPTY.find("a\x00\x1b[31m\ud83d" + "x" * 1000)

    assert caught.value.message.isprintable()
    assert "a\N{REPLACEMENT CHARACTER}" in caught.value.message
    assert len(caught.value.message) < 300


def test_models_are_told_as_openai_does() -> None:
    told = {"id": "a/b", "object": "model", "created": 5, "owned_by": "p"}

    assert json.loads(entry(MODEL)) == told
    assert json.loads(listing([[MODEL, MODEL], [MODEL]])) == {"object": "list", "data": [told] * 3}


def test_before_any_list_there_is_an_empty_one() -> None:
    assert EMPTY.generation == 0
    assert EMPTY.listing == listing([])
