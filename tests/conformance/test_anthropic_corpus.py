"""What Anthropic's recorded exchanges show beyond the three checks: ends that come too early."""

import json
from typing import Any

import pytest

from tests.conformance.kit.anthropic import EXCHANGE, PLAIN, exchange_for
from tests.conformance.kit.anthropic_request import in_openai_words, normal
from tests.conformance.kit.split import outcome
from tests.conformance.kit.suite import Check
from tests.conformance.kit.suites import applicable
from tests.support.corpus import WHY_SKIPPED, Exchange

STREAMS = [
    e for e in applicable(Check.SPLIT) if e.kind == "messages" and b"event: error" not in e.body
]
PAUSED = [
    e
    for e in applicable(Check.DECODE)
    if e.kind == "messages" and "server_tools" in e.features and e.body[:1] == b"{"
]

pytestmark = pytest.mark.skipif(not STREAMS, reason=WHY_SKIPPED)


@pytest.mark.parametrize("recorded", STREAMS, ids=str)
def test_a_recorded_stream_that_breaks_off_is_truncated(recorded: Exchange) -> None:
    end = recorded.body.index(b"event: message_stop")
    decoder = EXCHANGE.stream_decoder()

    frames = [*decoder.feed(recorded.body[:end]), *decoder.finish()]

    assert decoder.failure is not None
    assert decoder.failure.reason == "UPSTREAM_TRUNCATED"
    assert not decoder.done
    assert all(b'"finish_reason":null' in frame.payload for frame in frames)


@pytest.mark.parametrize("recorded", PAUSED, ids=str)
def test_an_answer_with_the_providers_tools_continues_block_by_block(recorded: Exchange) -> None:
    answer = json.loads(recorded.body)
    if recorded.status != 200 or not answer["content"]:
        pytest.skip("no answer to continue")
    told = json.loads(EXCHANGE.decode_response(recorded.body).body)["choices"][0]["message"]

    again = exchange_for({**PLAIN, "messages": [*PLAIN["messages"], told]})

    assert normal({"messages": turns_of(again.http.body)}) == normal(
        {"messages": [*turns_of(exchange_for(PLAIN).http.body), replayable(answer)]}
    )


def turns_of(body: bytes) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = json.loads(body)["messages"]
    return turns


def replayable(answer: dict[str, Any]) -> dict[str, Any]:
    """A recorded answer as the turn to be sent back: what only answers state is left out."""
    blocks = [
        {k: v for k, v in block.items() if k != "caller" or v.get("type") != "direct"}
        if block["type"] == "tool_use"
        else block
        for block in answer["content"]
    ]
    return {"role": "assistant", "content": blocks}


def test_the_mapping_refuses_what_it_does_not_know() -> None:
    with pytest.raises(LookupError, match="a_field_of_tomorrow"):
        in_openai_words({"messages": [], "a_field_of_tomorrow": 1})


def test_a_block_that_was_lost_is_noticed() -> None:
    sent = {"messages": [{"role": "user", "content": "Hi"}], "system": "Be brief."}

    assert normal(sent) != normal({"messages": sent["messages"]})
    assert outcome(EXCHANGE.stream_decoder, [b""])[1:2] == (False,)
