import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import DeadlineExceededError, UpstreamError
from router.providers.adapter import Frame
from router.providers.cohere.stream import MAX_OPEN_CALLS, CohereStreamDecoder, StreamContext
from tests.router.providers.cohere.conftest import CohereExchange

START = {"type": "message-start", "id": "s", "delta": {"message": {"role": "assistant"}}}
END = {"type": "message-end", "delta": {"finish_reason": "COMPLETE"}}


def decoder() -> CohereStreamDecoder:
    return CohereStreamDecoder(StreamContext(1, "m", include_usage=False))


def sse(*events: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


def text(value: str, **event: Any) -> dict[str, Any]:
    return {"type": "content-delta", "delta": {"message": {"content": {"text": value}}}, **event}


def call_start(index: Any, arguments: Any = "") -> dict[str, Any]:
    call = {"id": f"c{index}", "function": {"name": "f", "arguments": arguments}}
    return {"type": "tool-call-start", "index": index, "delta": {"message": {"tool_calls": call}}}


def call_delta(index: Any, arguments: str) -> dict[str, Any]:
    calls = {"function": {"arguments": arguments}}
    return {"type": "tool-call-delta", "index": index, "delta": {"message": {"tool_calls": calls}}}


def deltas(frames: list[Frame]) -> list[dict[str, Any]]:
    return [json.loads(f.payload)["choices"][0]["delta"] for f in frames]


def arguments_of(frames: list[Frame]) -> dict[int, str]:
    told: dict[int, str] = {}
    for delta in deltas(frames):
        for entry in delta.get("tool_calls", []):
            told[entry["index"]] = told.get(entry["index"], "") + entry["function"]["arguments"]
    return told


def test_the_end_of_the_message_ends_the_stream_whatever_follows() -> None:
    reading = decoder()
    frames = reading.feed(sse(START, text("a"), END) + b"data: [DONE]\n\ndata: nonsense\n\n")

    assert reading.done
    assert reading.failure is None
    assert deltas(frames) == [{"role": "assistant", "content": ""}, {"content": "a"}, {}]
    assert reading.feed(sse(text("b"))) == []


@pytest.mark.parametrize("tail", [b"", b"data: [DONE]\n\n", b'data: {"type": "message-e'])
def test_a_stream_without_its_end_is_truncated(tail: bytes) -> None:
    reading = decoder()
    reading.feed(sse(START, text("a")) + tail)
    reading.finish()

    assert reading.failure is not None
    assert reading.failure.reason == "UPSTREAM_TRUNCATED"
    assert not reading.done


@pytest.mark.parametrize(
    ("event", "reason", "message"),
    [
        ({"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "oops"}},
         "UPSTREAM_UNAVAILABLE", "oops"),
        ({"message": "gone wrong", "id": "x"}, "UPSTREAM_UNAVAILABLE", "gone wrong"),
        ({"message": "too many tokens: 5", "error_type": "TOO_MANY_TOKENS"},
         "UPSTREAM_REJECTED", "too many tokens: 5"),
    ],
)  # fmt: skip
def test_a_failure_in_a_stream_is_told_in_the_providers_words(
    event: dict[str, Any], reason: str, message: str
) -> None:
    reading = decoder()
    reading.feed(sse(START, text("a"), event))

    assert reading.failure is not None
    assert (reading.failure.reason, reading.failure.message) == (reason, message)
    assert not reading.done
    assert not reading.is_failure_told


def test_an_answer_that_the_provider_gave_up_on_in_time_is_a_timeout() -> None:
    reading = decoder()
    reading.feed(sse(START, {"type": "message-end", "delta": {"finish_reason": "TIMEOUT"}}))

    assert isinstance(reading.failure, DeadlineExceededError)


def test_a_broken_event_fails_the_stream() -> None:
    reading = decoder()
    frames = reading.feed(sse(START, text("a")) + b"data: {broken}\n\n" + sse(text("b"), END))

    assert deltas(frames)[1:] == [{"content": "a"}]
    assert reading.failure is not None
    assert reading.failure.reason == "UPSTREAM_UNAVAILABLE"


def test_events_that_are_not_known_say_nothing() -> None:
    reading = decoder()
    frames = reading.feed(sse(START, {"type": "debug", "prompt": "x"}, {"type": "new-event"}, END))

    assert len(frames) == 2


def test_a_stream_may_begin_without_its_start() -> None:
    frames = decoder().feed(sse(text("a"), END))

    assert deltas(frames) == [{"role": "assistant", "content": ""}, {"content": "a"}, {}]


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([call_start(0)], {0: "{}"}),
        ([call_start(0, '{"a":'), call_delta(0, "1}")], {0: '{"a":1}'}),
        ([call_start(0), call_delta(0, "null")], {0: "{}"}),
        ([call_start(0), call_delta(0, "nul"), call_delta(0, "!")], {0: "nul!"}),
        ([call_start(0), call_start(1), call_delta(0, "{}"), call_delta(1, '{"b":2}')],
         {0: "{}", 1: '{"b":2}'}),
        ([call_start(0, "{}"), call_start(0, '{"again":1}')], {0: "{}", 1: '{"again":1}'}),
        ([call_start(None, "{}")], {0: "{}"}),
    ],
)  # fmt: skip
def test_each_call_has_its_own_arguments(events: list[Any], told: dict[int, str]) -> None:
    end = {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL"}}
    frames = decoder().feed(sse(START, *events, end))

    assert arguments_of(frames) == told
    assert json.loads(frames[-1].payload)["choices"][0]["finish_reason"] == "tool_calls"


def test_probabilities_go_with_the_text_that_they_are_of() -> None:
    stated = {"text": "ab", "token_ids": [1, 2], "logprobs": [-1.0, -0.5]}
    frames = decoder().feed(sse(START, text("ab", logprobs=stated), END))

    [entry] = json.loads(frames[1].payload)["choices"][0]["logprobs"]["content"]
    assert (entry["token"], entry["logprob"], entry["bytes"]) == ("ab", -1.5, [97, 98])


def test_usage_is_told_to_those_who_ask(exchange: CohereExchange) -> None:
    end = {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": {
        "tokens": {"input_tokens": 3, "output_tokens": 2}}}}  # fmt: skip
    asking = exchange(stream=True, stream_options={"include_usage": True}).stream_decoder()
    silent = exchange(stream=True).stream_decoder()

    asked, unasked = (reading.feed(sse(START, end)) for reading in (asking, silent))
    assert json.loads(asked[-1].payload)["usage"]["total_tokens"] == 5
    assert len(unasked) == len(asked) - 1
    assert asking.usage == silent.usage


def test_memory_stays_bounded_however_many_calls_are_opened() -> None:
    reading = decoder()
    for index in range(MAX_OPEN_CALLS + 2):
        reading.feed(sse(call_start(index)))

    assert reading.failure is not None


def test_a_long_stream_in_single_bytes_takes_linear_time() -> None:
    data = sse(START, *[text("x" * 100)] * 300, END)
    began = time.thread_time()
    reading = decoder()
    for i in range(len(data)):
        reading.feed(data[i : i + 1])

    assert reading.done
    assert time.thread_time() - began < 5


keys = st.sampled_from([
    "type", "delta", "message", "content", "text", "thinking", "tool_calls", "function",
    "arguments", "tool_plan", "citations", "usage", "tokens", "index", "logprobs", "finish_reason",
])  # fmt: skip
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=4)
    | st.sampled_from(["message-start", "content-delta", "tool-call-start", "message-end"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=10,
)
events = st.fixed_dictionaries(
    {"type": st.sampled_from(sorted(CohereStreamDecoder._EVENTS))}, optional={
        "delta": values | st.fixed_dictionaries({"message": values}),
        "index": values, "id": values, "logprobs": values, "message": values,
    },
)  # fmt: skip


@given(given_events=st.lists(events, max_size=8), noise=st.binary(max_size=20))
def test_any_events_are_chunks_or_a_declared_failure(given_events: list[Any], noise: bytes) -> None:
    reading = decoder()
    frames = [*reading.feed(sse(*given_events)), *reading.feed(noise), *reading.finish()]

    assert reading.done or isinstance(reading.failure, UpstreamError)
    for frame in frames:
        assert json.loads(frame.payload)["object"] == "chat.completion.chunk"


def test_probabilities_of_a_chunk_without_text_are_told() -> None:
    silent = {"text": "", "token_ids": [255_001], "logprobs": [-0.5]}

    frames = decoder().feed(sse(START, text("a"), text("", logprobs=silent), END))

    told = [json.loads(frame.payload)["choices"][0] for frame in frames]
    assert told[2]["delta"] == {}
    assert told[2]["logprobs"]["content"][0]["logprob"] == -0.5
    assert not frames[2].is_content
