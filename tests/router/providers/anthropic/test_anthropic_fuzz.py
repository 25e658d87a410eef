"""Whatever comes from callers and providers, nothing is raised but what the adapter's contract declares."""

import json
import time
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import InvalidRequestError, UpstreamError
from router.wire.sse import MAX_EVENT_BYTES
from tests.conformance.kit.anthropic import EXCHANGE, PLAIN, exchange_for
from tests.conformance.kit.split import outcome

ODD = st.sampled_from([
    None, True, 0, -1, 1.5, 10**30, "", "x", "{}", "[", "text", "data:,", "data:image/png;base64,AAAA",
    "https://[", [], {}, [None], ["x"], {"type": "text"}, {"text": "x"}, {"name": "f"},
])  # fmt: skip
JSON = st.recursive(
    ODD,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from([
            "type", "text", "role", "content", "tool_calls", "function", "name", "arguments", "id", "length",
            "citations", "image_url", "url", "file", "file_data", "index", "signature", "thinking", "data",
            "provider_blocks", "block_order", "thinking_blocks", "tool_call_id", "parameters", "schema",
            "json_schema", "cache_control", "is_error", "input", "mode", "allowed_tools", "tools",
        ]),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "developer", "user", "assistant", "tool"])},
    optional=dict.fromkeys([
        "content", "tool_calls", "tool_call_id", "thinking_blocks", "provider_blocks", "block_order",
        "citations", "reasoning_content", "reasoning_details", "refusal", "is_error", "cache_control",
        "name",
    ], JSON),
)  # fmt: skip
FIELDS = st.dictionaries(
    st.sampled_from([
        "tools", "tool_choice", "response_format", "stop", "n", "temperature", "top_p", "top_k", "metadata",
        "reasoning_effort", "thinking", "output_config", "service_tier", "parallel_tool_calls", "user",
        "max_tokens", "max_completion_tokens", "web_search_options", "cache_control", "modalities",
    ]),
    JSON,
    max_size=4,
)  # fmt: skip

WORDS = st.sampled_from([
    None, True, 0, 1, -1, 10**30, 1.5, "", "x", "end_turn", "text", "tool_use", "thinking", "compaction",
    "redacted_thinking", "server_tool_use", "text_delta", "input_json_delta", "thinking_delta",
    "signature_delta", "citations_delta", "compaction_delta", "message", "error",
])  # fmt: skip
ANSWER = st.recursive(
    WORDS,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from([
            "type", "text", "content", "id", "name", "input", "thinking", "signature", "data", "citations",
            "citation", "partial_json", "usage", "input_tokens", "output_tokens", "cache_creation",
            "cache_read_input_tokens", "stop_reason", "stop_sequence", "stop_details", "explanation",
            "error", "message", "model", "container", "caller",
        ]),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip
EVENT = ANSWER | st.fixed_dictionaries(
    {
        "type": st.sampled_from([
            "message_start", "content_block_start", "content_block_delta", "content_block_stop",
            "message_delta", "message_stop", "ping", "error",
        ]),
    },
    optional={
        "index": st.sampled_from([0, 1, None, "x"]),
        "message": ANSWER,
        "content_block": ANSWER,
        "delta": ANSWER,
        "usage": ANSWER,
        "error": ANSWER,
    },
)  # fmt: skip


@given(st.lists(MESSAGE, max_size=3), FIELDS, st.sampled_from(["claude-3-opus", "claude-opus-5-5"]))
@settings(max_examples=300)
def test_a_request_is_encoded_or_refused(
    messages: list[Any], fields: dict[str, Any], model: str
) -> None:
    try:
        made = exchange_for({**fields, "messages": messages}, model)
    except InvalidRequestError:
        return
    assert isinstance(json.loads(made.http.body)["messages"], list)


@given(ANSWER | st.fixed_dictionaries({"content": st.lists(ANSWER, max_size=4)}))
@settings(max_examples=300)
def test_an_answer_is_read_or_is_the_providers_failure(answer: Any) -> None:
    body = json.dumps(answer).encode()
    with suppress(UpstreamError, InvalidRequestError):
        told = json.loads(EXCHANGE.decode_response(body).body)
        exchange_for({**PLAIN, "messages": [told["choices"][0]["message"]]})
    EXCHANGE.decode_error(400, {}, body)


@given(st.lists(EVENT, max_size=6), st.data())
@settings(max_examples=300)
def test_a_stream_is_read_the_same_wherever_it_is_split(
    events: list[Any], data: st.DataObject
) -> None:
    stream = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()
    at = data.draw(st.integers(0, len(stream)))

    whole = outcome(EXCHANGE.stream_decoder, [stream])

    assert outcome(EXCHANGE.stream_decoder, [stream[:at], stream[at:]]) == whole
    frames, done, _, failure, _ = whole
    assert done == (failure is None)
    assert all(isinstance(json.loads(frame.payload), dict) for frame in frames)


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_bytes_of_any_kind_do_no_harm(data: bytes) -> None:
    pieces = [data[i : i + 1] for i in range(len(data))]

    assert outcome(EXCHANGE.stream_decoder, pieces) == outcome(EXCHANGE.stream_decoder, [data])
    EXCHANGE.decode_error(500, {}, data)


def event(kind: str, **fields: Any) -> bytes:
    return f"data: {json.dumps({'type': kind, **fields})}\n\n".encode()


def test_blocks_without_end_are_held_within_bounds() -> None:
    decoder = EXCHANGE.stream_decoder()
    opening = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    closing = event("content_block_stop", index=0)
    many = (opening + closing) * 1_000

    fed = 0
    while decoder.failure is None and fed < 2 * MAX_EVENT_BYTES:
        decoder.feed(many)
        fed += 1_000 * 64

    assert decoder.failure is not None


def seconds(size: int) -> float:
    """How long the processor takes for a stream of `size` small blocks, each event in two pieces."""
    blocks: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"type": "text", "text": ""}, {"type": "text_delta", "text": "a"}),
        (
            {"type": "tool_use", "id": "t", "name": "f"},
            {"type": "input_json_delta", "partial_json": "{}"},
        ),
        ({"type": "thinking", "thinking": ""}, {"type": "thinking_delta", "thinking": "a"}),
        ({"type": "server_tool_use"}, {"type": "input_json_delta", "partial_json": "{}"}),
    ]
    decoder = EXCHANGE.stream_decoder()
    start = time.thread_time()
    for i in range(size):
        for block, delta in blocks:
            data = event("content_block_start", index=i, content_block=block)
            data += event("content_block_delta", index=i, delta=delta)
            data += event("content_block_stop", index=i)
            decoder.feed(data[:20])
            decoder.feed(data[20:])
    decoder.feed(event("message_stop"))
    return time.thread_time() - start


def test_a_stream_ten_times_as_long_takes_about_ten_times_as_long() -> None:
    short = min(seconds(100) for _ in range(5))

    assert seconds(1_000) < 40 * short + 0.1
