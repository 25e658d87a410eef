"""JSON → message → JSON keeps everything, on generated input and on recorded traffic.

`plain` (tests/support/openai_json.py) states the equivalences that the package's docstring lists, once and
apart from the tables, and is applied to both sides; whatever else differs is a loss.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings

from router.rpc import codec
from tests.support.openai_json import (
    EQUIVALENT,
    Json,
    chunk,
    completion,
    load,
    params,
    plain,
    plain_params,
)

CORPUS: Final = Path(__file__).parents[4] / "shared" / "corpus"


def params_there_and_back(body: bytes) -> bytes:
    return codec.params_to_json(codec.params_from_json(body), stream=False)


def completion_there_and_back(body: bytes) -> bytes:
    return codec.completion_to_json(codec.completion_from_json(body))


def chunk_there_and_back(body: bytes) -> bytes:
    return codec.chunk_to_json(codec.chunk_from_json(body))


def assert_kept(name: str, there_and_back: Callable[[bytes], bytes], text: bytes) -> None:
    """A round trip loses nothing, and a second one changes no byte."""
    same = plain_params if name == "params" else lambda value: plain(value, EQUIVALENT[name])
    once = there_and_back(text)

    assert same(load(once)) == same(load(text))
    assert there_and_back(once) == once


# --- generated -------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(value=params)
def test_any_request_survives(value: Json) -> None:
    assert_kept("params", params_there_and_back, json.dumps(value).encode())


@settings(max_examples=300, deadline=None)
@given(value=completion)
def test_any_completion_survives(value: Json) -> None:
    assert_kept("completion", completion_there_and_back, json.dumps(value).encode())


@settings(max_examples=300, deadline=None)
@given(value=chunk)
def test_any_chunk_survives(value: Json) -> None:
    assert_kept("chunk", chunk_there_and_back, json.dumps(value).encode())


# --- recorded --------------------------------------------------------------------------------------


def exchanges() -> Iterator[Any]:
    for path in sorted(CORPUS.glob("*/chat/*.json")):
        if path.parent.parent.name not in NOT_OPENAI:
            yield pytest.param(path, id=f"{path.parent.parent.name}/{path.stem}")


NOT_OPENAI: Final = {"anthropic", "vertex", "writer"}
"""Providers whose exchanges of kind `chat` are in a dialect of their own."""

RECORDED: Final = list(exchanges())


def test_the_corpus_is_there() -> None:
    if not RECORDED:
        pytest.skip(f"no recorded exchanges in {CORPUS}")

    assert len(RECORDED) > 500


@pytest.mark.parametrize("path", RECORDED)
def test_recorded_traffic_survives(path: Path) -> None:
    exchange = json.loads(path.read_text())
    request = (exchange.get("request") or {}).get("body")
    if isinstance(request, dict):
        assert_kept("params", params_there_and_back, json.dumps(request).encode())
    body = exchange["response"]["body"]
    if exchange["response"]["status"] == 200 and isinstance(body, dict):
        assert_kept("completion", completion_there_and_back, json.dumps(body).encode())
    if isinstance(body, str):
        for line in body.splitlines():
            payload = line.removeprefix("data:").strip()
            if line.startswith("data:") and payload.startswith("{"):
                assert_kept("chunk", chunk_there_and_back, payload.encode())
