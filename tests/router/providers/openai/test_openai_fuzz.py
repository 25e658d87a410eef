"""Whatever an OpenAI-style provider sends: passed on, or its failure; never anything else, however split."""

import json
import time
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import UpstreamError
from router.providers.openai import OpenAIExchange
from router.wire.chat_request import ChatRequest
from tests.conformance.kit.openai import payloads
from tests.conformance.kit.split import outcome
from tests.support.calls import DEPLOYMENT
from tests.support.openai_json import any_json, chunk, completion

ASKED = b'{"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true}}'
EXCHANGE = OpenAIExchange(ChatRequest.parse(ASKED, 0), DEPLOYMENT)

FRAME = st.one_of(chunk, any_json, st.fixed_dictionaries({"error": any_json})).map(json.dumps)
PIECE = st.one_of(
    FRAME.map("data: {}\n\n".format),
    FRAME.map("data:{}\r\n\r\n".format),
    st.sampled_from(
        [": ping\n\n", "data: [DONE]\n\n", "event: x\n", "\n", "data:\n\n", "data: {\n\n"]
    ),
)


@given(st.one_of(completion, any_json))
@settings(max_examples=200)
def test_an_answer_passes_byte_for_byte(answer: Any) -> None:
    body = json.dumps(answer).encode()

    assert EXCHANGE.decode_response(body).body == body
    EXCHANGE.decode_error(400, {}, body)


@given(st.lists(PIECE, max_size=6), st.data())
@settings(max_examples=300)
def test_a_stream_is_read_the_same_wherever_it_is_split(
    pieces: list[str], data: st.DataObject
) -> None:
    stream = "".join(pieces).encode()
    at = data.draw(st.integers(0, len(stream)))

    whole = outcome(EXCHANGE.stream_decoder, [stream])

    assert outcome(EXCHANGE.stream_decoder, [stream[:at], stream[at:]]) == whole
    assert [f.payload for f in whole[0]] == payloads(stream)[: len(whole[0])]


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_bytes_of_any_kind_do_no_harm(data: bytes) -> None:
    pieces = [data[i : i + 1] for i in range(len(data))]

    assert outcome(EXCHANGE.stream_decoder, pieces) == outcome(EXCHANGE.stream_decoder, [data])
    EXCHANGE.decode_error(500, {}, data)
    with suppress(UpstreamError):
        assert EXCHANGE.decode_response(data).body == data


def seconds(size: int) -> float:
    """How long the processor takes for a stream of `size` small events, each in two pieces."""
    frame = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
    decoder = EXCHANGE.stream_decoder()
    start = time.thread_time()
    for _ in range(size):
        decoder.feed(frame[:20])
        decoder.feed(frame[20:])
    decoder.finish()
    return time.thread_time() - start


def test_a_stream_ten_times_as_long_takes_about_ten_times_as_long() -> None:
    short = min(seconds(1_000) for _ in range(5))

    assert seconds(10_000) < 40 * short + 0.1
