"""Runs `tests/vectors/cohere`: a request, what goes upstream, what comes back, what the caller gets."""

import json
from pathlib import Path
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from router.providers.adapter import Frame
from router.providers.cohere import cohere_exchange
from router.providers.cohere.exchange import ChatExchange
from router.values import Deployment, Dialect, Endpoint, Provider
from router.wire.chat_request import ChatRequest

VECTORS = Path(__file__).parents[3] / "vectors" / "cohere"
CREATED = 1_700_000_000

CASES = [pytest.param(path, id=path.name) for path in sorted(VECTORS.iterdir()) if path.is_dir()]
UNARY = [case for case in CASES if (VECTORS / str(case.id) / "upstream.json").exists()]
STREAMED = [case for case in CASES if (VECTORS / str(case.id) / "upstream.sse").exists()]


def read(case: Path, name: str) -> Any:
    return json.loads((case / name).read_text(encoding="utf-8"))


def exchange(case: Path) -> ChatExchange:
    request = ChatRequest.parse((case / "request.json").read_bytes(), CREATED)
    deployment = Deployment(
        model=request.model,
        upstream_model=request.model,
        provider=Provider("cohere", "https://api.cohere.com"),
        dialect=Dialect.COHERE,
        endpoint=Endpoint.CHAT,
        path="/v2/chat",
    )
    return cohere_exchange(request, deployment)


def frames_of(case: Path, *pieces: bytes) -> list[Frame]:
    decoder = exchange(case).stream_decoder()
    frames = [frame for piece in pieces for frame in decoder.feed(piece)]
    frames += decoder.finish()
    assert decoder.done
    return frames


@pytest.mark.parametrize("case", CASES)
def test_the_request_that_goes_upstream_is_the_vectors(case: Path) -> None:
    made = exchange(case)
    assert json.loads(made.http.body) == read(case, "upstream_request.json")
    assert list(made.dropped) == read(case, "expected.json")["dropped"]


@pytest.mark.parametrize("case", UNARY)
def test_the_answer_that_comes_back_is_the_vectors(case: Path) -> None:
    completion = exchange(case).decode_response((case / "upstream.json").read_bytes())
    told = json.loads(completion.body)
    assert told == read(case, "expected.json")["completion"]
    ChatCompletion.model_validate(told, strict=True)


@pytest.mark.parametrize("case", STREAMED)
def test_the_chunks_that_come_back_are_the_vectors_wherever_the_stream_is_split(case: Path) -> None:
    data = (case / "upstream.sse").read_bytes()
    whole = frames_of(case, data)
    told = [json.loads(frame.payload) for frame in whole]
    assert told == read(case, "expected.json")["chunks"]
    for chunk in told:
        ChatCompletionChunk.model_validate(chunk, strict=True)
    assert frames_of(case, *(data[i : i + 1] for i in range(len(data)))) == whole
    assert all(frames_of(case, data[:at], data[at:]) == whole for at in range(1, len(data)))
    crlf = data.replace(b"\n", b"\r\n")
    assert frames_of(case, crlf) == whole
