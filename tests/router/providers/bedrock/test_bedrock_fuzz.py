"""Whatever bytes may come: answers are told or refused, and nothing else is ever raised."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from router.errors import InvalidRequestError, UpstreamError
from router.providers.bedrock import bedrock_exchange
from router.providers.bedrock.exchange import ConverseExchange
from router.values import Deployment, Dialect, Endpoint, Provider
from router.wire.chat_request import ChatRequest
from tests.support.aws_events import stream
from tests.support.converse import assert_valid

NOVA = "us.amazon.nova-pro-v1:0"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5) | st.just("server_tool_use"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([
        "text", "toolUse", "toolResult", "reasoningContent", "citationsContent", "reasoningText", "index",
        "signature", "redactedContent", "content", "message", "output", "input", "name", "toolUseId", "type",
        "start", "delta", "contentBlockIndex", "stopReason", "usage", "inputTokens", "citation", "image",
        "citations", "trace", "additionalModelResponseFields", "serviceTier", "location", "json",
    ]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip

EVENTS = st.lists(
    st.tuples(
        st.sampled_from([
            "messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop",
            "metadata", "somethingNew",
        ]),
        st.dictionaries(
            st.sampled_from(["start", "delta", "contentBlockIndex", "stopReason", "usage", "trace"]),
            JSON, max_size=3,
        ),
    ),
    max_size=8,
)  # fmt: skip


def plain(fields: dict[str, Any] | None = None, model: str = NOVA) -> ConverseExchange:
    request = {"model": "m", "messages": [], **(fields or {})}
    deployment = Deployment(
        "m",
        "m",
        Provider("b", "https://x"),
        Dialect.BEDROCK,
        Endpoint.CHAT,
        f"/model/{model}/converse",
    )
    return bedrock_exchange(ChatRequest.parse(json.dumps(request).encode(), 1), deployment)


@given(JSON)
def test_any_answer_is_told_or_refused(value: Any) -> None:
    for body in (value, {"output": {"message": {"content": value}}, "usage": value}):
        try:
            told = plain().decode_response(json.dumps(body).encode())
        except UpstreamError:
            continue
        ChatCompletion.model_validate_json(told.body, strict=True)


@given(EVENTS)
def test_any_stream_is_told_or_refused(events: list[tuple[str, dict[str, Any]]]) -> None:
    data = stream([{kind: payload} for kind, payload in events])
    told = []
    for pieces in ([data], [data[i : i + 7] for i in range(0, len(data), 7)]):
        decoder = plain().stream_decoder()
        frames = [f for piece in pieces for f in decoder.feed(piece)] + decoder.finish()
        assert decoder.done != (decoder.failure is not None)
        told.append((frames, type(decoder.failure)))
        for frame in frames:
            ChatCompletionChunk.model_validate_json(frame.payload, strict=True)
    assert told[0] == told[1]


@given(st.integers(100, 599), st.binary(max_size=60), JSON)
def test_any_error_is_an_upstream_error(status: int, body: bytes, value: Any) -> None:
    for data in (body, json.dumps(value).encode(), json.dumps({"message": value}).encode()):
        assert isinstance(plain().decode_error(status, {}, data), UpstreamError)


PARTS = st.lists(
    st.sampled_from([
        {"type": "text", "text": "a"}, {"type": "text", "text": ""}, {"type": "text"}, {"type": "x"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "image_url", "image_url": {"url": "https://x"}}, {"type": "file", "file": {}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "AAAA"}},
        {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}},
    ]), max_size=3,
)  # fmt: skip
CALLS = st.lists(
    st.fixed_dictionaries({
        "id": st.sampled_from(["a", "b c", "", "x" * 80]),
        "function": st.fixed_dictionaries({
            "name": st.sampled_from(["f", "g h", ""]), "arguments": st.sampled_from(["{}", "", "[", "1"]),
        }),
    }), max_size=2,
)  # fmt: skip
MESSAGE = st.one_of(
    st.fixed_dictionaries({
        "role": st.sampled_from(["system", "user"]), "content": PARTS | st.text(max_size=3),
    }),
    st.fixed_dictionaries({
        "role": st.just("assistant"), "content": st.none() | st.text(max_size=3), "tool_calls": CALLS,
        "thinking_blocks": st.lists(st.sampled_from([
            {"type": "thinking", "thinking": "t", "signature": "s"}, {"type": "thinking"},
            {"type": "redacted_thinking", "data": "AAAA"}, {},
        ]), max_size=2),
        "block_order": JSON,
    }),
    st.fixed_dictionaries({"role": st.just("tool"), "tool_call_id": st.just("a"), "content": PARTS}),
)  # fmt: skip
NAMED = {"type": "function", "function": {"name": "f"}}
SCHEMA = {"name": "n", "schema": {"type": "object"}}
FIELDS = st.fixed_dictionaries({}, optional={
    "tools": st.lists(st.sampled_from([
        {"type": "function", "function": {"name": "f", "strict": True}}, {"type": "function"},
        {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}},
    ]), max_size=2),
    "tool_choice": st.sampled_from(["auto", "none", "required", NAMED]),
    "response_format": st.sampled_from([
        {"type": "json_object"}, {"type": "json_schema", "json_schema": SCHEMA},
    ]),
    "reasoning_effort": st.sampled_from(["none", "low", "max"]), "temperature": st.sampled_from([0, 0.5, 2]),
    "top_k": st.just(3), "max_tokens": st.sampled_from([1, 5000]), "parallel_tool_calls": st.booleans(),
    "stop": st.sampled_from(["", "x", [" "], []]), "service_tier": st.sampled_from(["auto", "flex", "x"]),
    "metadata": st.sampled_from([{}, {"a": "b"}, {"a": "{"}]),
})  # fmt: skip
MODELS = st.sampled_from([
    NOVA, "us.amazon.nova-2-lite-v1:0", "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "us.anthropic.claude-opus-4-8-v1", "us.meta.llama4-maverick-17b-instruct-v1:0", "openai.gpt-oss-120b-1:0",
])  # fmt: skip


@given(MODELS, st.lists(MESSAGE, max_size=4), FIELDS)
def test_any_request_is_refused_or_valid_by_botocores_model(
    model: str, messages: list[Any], fields: dict[str, Any]
) -> None:
    try:
        made = plain({"messages": messages, **fields}, model)
    except InvalidRequestError:
        return
    assert_valid(json.loads(made.http.body))
