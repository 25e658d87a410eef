"""Runs `tests/vectors/bedrock`: a request, what goes upstream, what comes back, what the caller gets.

A stream's events stand in `upstream.events.json`, one after the other, and are framed here.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from router.providers.adapter import Frame
from router.providers.bedrock import bedrock_exchange
from router.providers.bedrock.exchange import ConverseExchange
from router.values import Deployment, Dialect, Endpoint, Provider
from router.wire.chat_request import ChatRequest
from tests.support.aws_events import stream
from tests.support.converse import assert_valid

VECTORS = Path(__file__).parents[3] / "vectors" / "bedrock"
CREATED = 1_700_000_000

CASES = [pytest.param(path, id=path.name) for path in sorted(VECTORS.iterdir()) if path.is_dir()]
UNARY = [case for case in CASES if (VECTORS / str(case.id) / "upstream.json").exists()]
STREAMED = [case for case in CASES if (VECTORS / str(case.id) / "upstream.events.json").exists()]


def read(case: Path, name: str) -> Any:
    return json.loads((case / name).read_text(encoding="utf-8"))


def exchange(case: Path) -> ConverseExchange:
    request = ChatRequest.parse((case / "request.json").read_bytes(), CREATED)
    deployment = Deployment(
        model=request.model,
        upstream_model=request.model,
        provider=Provider("bedrock", "https://bedrock-runtime.us-east-1.amazonaws.com"),
        dialect=Dialect.BEDROCK,
        endpoint=Endpoint.CHAT,
        path=f"/model/{request.model}/converse",
    )
    return bedrock_exchange(request, deployment)


def frames_of(made: ConverseExchange, *pieces: bytes) -> list[Frame]:
    decoder = made.stream_decoder()
    frames = [frame for piece in pieces for frame in decoder.feed(piece)]
    frames += decoder.finish()
    assert decoder.done
    return frames


def without_id(told: dict[str, Any]) -> dict[str, Any]:
    """An answer without the id that is made here, a digest."""
    assert told["id"].startswith("chatcmpl-")
    return {key: value for key, value in told.items() if key != "id"}


@pytest.mark.parametrize("case", CASES)
def test_the_request_that_goes_upstream_is_the_vectors(case: Path) -> None:
    made = exchange(case)
    sent = json.loads(made.http.body)
    assert sent == read(case, "upstream_request.json")
    assert list(made.dropped) == read(case, "expected.json")["dropped"]
    assert_valid(sent)


@pytest.mark.parametrize("case", UNARY)
def test_the_answer_that_comes_back_is_the_vectors(case: Path) -> None:
    completion = exchange(case).decode_response((case / "upstream.json").read_bytes())
    told = json.loads(completion.body)
    assert without_id(told) == read(case, "expected.json")["completion"]
    ChatCompletion.model_validate(told, strict=True)


@pytest.mark.parametrize("case", STREAMED)
def test_the_chunks_that_come_back_are_the_vectors_wherever_the_stream_is_split(case: Path) -> None:
    made, data = exchange(case), stream(read(case, "upstream.events.json"))
    whole = frames_of(made, data)
    told = [json.loads(frame.payload) for frame in whole]
    assert [without_id(chunk) for chunk in told] == read(case, "expected.json")["chunks"]
    for chunk in told:
        ChatCompletionChunk.model_validate(chunk, strict=True)
    assert frames_of(made, *(data[i : i + 1] for i in range(len(data)))) == whole
    assert all(frames_of(made, data[:at], data[at:]) == whole for at in range(1, len(data)))
