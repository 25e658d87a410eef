"""Every generateContent exchange of the recorded corpus, of Gemini's own API and of Vertex AI.

The three checks are the suite's (`kit/gemini.py`); beyond them: early ends, both framings of a stream,
addresses, and Claude on Vertex AI.
"""

import json
from typing import Any

import pytest

from router.providers.anthropic import anthropic_exchange
from router.values import Deployment, Dialect, Endpoint, Provider
from router.wire.chat_request import ChatRequest
from tests.conformance.kit.anthropic_request import in_openai_words, normal
from tests.conformance.kit.gemini import EXCHANGE, GEMINI, exchange_for
from tests.conformance.kit.gemini_reading import chunks_of
from tests.conformance.kit.split import ALL_SPLITS_UP_TO, assert_cuts, outcome, portions
from tests.conformance.kit.suite import Check, is_streamed
from tests.support.corpus import WHY_SKIPPED, Exchange, exchanges

RECORDED = [*exchanges("gemini", "generate_content"), *exchanges("vertex", "generate_content")]
STREAMS = [e for e in RECORDED if e.status == 200 and is_streamed(e)]
CLAUDES = [e for e in exchanges("vertex", "messages") if e.status == 200]

pytestmark = pytest.mark.skipif(not RECORDED, reason=WHY_SKIPPED)


def applicable(check: Check) -> list[Exchange]:
    return [recorded for recorded in RECORDED if GEMINI.why_not(recorded, check) is None]


@pytest.mark.parametrize("recorded", applicable(Check.DECODE), ids=str)
def test_an_answer_says_the_same_in_openai_words(recorded: Exchange) -> None:
    GEMINI.decode(recorded)


@pytest.mark.parametrize("recorded", applicable(Check.ROUND_TRIP), ids=str)
def test_a_request_asks_the_provider_for_the_same(recorded: Exchange) -> None:
    GEMINI.round_trip(recorded)


@pytest.mark.parametrize("recorded", applicable(Check.SPLIT), ids=str)
def test_a_stream_gives_the_same_however_its_bytes_arrive(recorded: Exchange) -> None:
    GEMINI.run(Check.SPLIT, recorded)


def long_streams() -> list[Any]:
    return [
        pytest.param(recorded, cuts, id=f"{recorded}-{cuts.start}")
        for recorded in applicable(Check.SPLIT)
        if len(recorded.body) > ALL_SPLITS_UP_TO
        for cuts in portions(recorded.body)
    ]


@pytest.mark.full
@pytest.mark.parametrize(("recorded", "cuts"), long_streams())
def test_a_long_stream_may_be_cut_anywhere(recorded: Exchange, cuts: range) -> None:
    assert_cuts(GEMINI.decoder_of(recorded), recorded.body, cuts)


@pytest.mark.parametrize("recorded", STREAMS, ids=str)
def test_a_recorded_stream_that_breaks_off_is_truncated(recorded: Exchange) -> None:
    chunks = chunks_of(recorded.body)
    data = "".join(f"data: {json.dumps(chunk)}\r\n\r\n" for chunk in chunks[:-1]).encode()
    last = json.dumps(chunks[-1]).encode()[:-1]

    for pieces in ([data], [data, b"data: " + last], [recorded.body[: len(recorded.body) // 2]]):
        frames, done, _, failure, _ = outcome(EXCHANGE.stream_decoder, pieces)

        assert failure is not None
        assert failure[0].reason == "UPSTREAM_TRUNCATED"
        assert not done
        assert all(b'"finish_reason":null' in frame.payload for frame in frames)


@pytest.mark.parametrize("recorded", STREAMS, ids=str)
def test_a_recorded_stream_is_the_same_as_an_array_and_as_events(recorded: Exchange) -> None:
    chunks = chunks_of(recorded.body)
    compact = [json.dumps(chunk, separators=(",", ":")) for chunk in chunks]
    events = "".join(f"data: {chunk}\n\n" for chunk in compact).encode()
    array = json.dumps(chunks, indent=2).encode()

    assert outcome(EXCHANGE.stream_decoder, [array]) == outcome(EXCHANGE.stream_decoder, [events])


@pytest.mark.parametrize("recorded", [e for e in RECORDED if e.status == 200 and e.asked], ids=str)
def test_a_request_goes_to_the_recorded_address(recorded: Exchange) -> None:
    bare = recorded.path.partition("?")[0]
    path = bare.replace(":streamGenerateContent", ":generateContent")
    is_stream = path != bare

    made = exchange_for(
        {"messages": [{"role": "user", "content": "Hi"}], "stream": is_stream}, path
    )

    query = "?alt=sse" if is_stream else ""
    assert made.http.url == f"https://gemini.test{bare}{query}"


@pytest.mark.parametrize("recorded", CLAUDES, ids=str)
def test_a_request_of_claudes_on_vertex_is_asked_for_as_recorded(recorded: Exchange) -> None:
    path = recorded.path.replace(":streamRawPredict", ":rawPredict")
    is_stream = recorded.asked.get("stream") is True
    asked = in_openai_words(recorded.asked) | {"model": "listed", "stream": is_stream}
    deployment = Deployment(
        model="listed",
        upstream_model="listed",
        provider=Provider("vertex", "https://vertex.test"),
        dialect=Dialect.ANTHROPIC,
        endpoint=Endpoint.CHAT,
        path=path,
    )

    made = anthropic_exchange(ChatRequest.parse(json.dumps(asked).encode(), 0), deployment)

    sent = json.loads(made.http.body)
    assert made.http.url == f"https://vertex.test{recorded.path}"
    assert sent.get("anthropic_version") == recorded.asked["anthropic_version"]
    assert "model" not in sent
    assert normal(sent) == normal(recorded.asked)
    assert "x-api-key" not in made.http.headers
