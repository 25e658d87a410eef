import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from router.errors import UpstreamError, UpstreamUnavailableError
from router.providers.anthropic import decode
from router.providers.names import Names
from router.values import Usage


def answer(*content: Any, **fields: Any) -> bytes:
    usage = {"input_tokens": 3, "output_tokens": 2}
    return json.dumps(
        {
            "id": "msg_1",
            "type": "message",
            "model": "claude",
            "content": content,
            "stop_reason": "end_turn",
            "usage": usage,
            **fields,
        }
    ).encode()


def read(body: bytes, json_tool: str | None = None) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(decode.decode(body, 7, Names(), json_tool).body)
    ChatCompletion.model_validate(told, strict=True)
    return told


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def tool_use(name: str = "f", **fields: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": "t1", "name": name, "input": {"a": 1}, **fields}


@pytest.mark.parametrize(
    ("stop_reason", "content", "expected"),
    [
        ("end_turn", [text("a")], "stop"),
        ("stop_sequence", [text("a")], "stop"),
        ("max_tokens", [text("a")], "length"),
        ("model_context_window_exceeded", [text("a")], "length"),
        ("tool_use", [tool_use()], "tool_calls"),
        ("tool_use", [text("a")], "stop"),
        ("pause_turn", [text("a")], "stop"),
        ("compaction", [text("a")], "stop"),
        ("refusal", [], "content_filter"),
        ("a_reason_of_tomorrow", [text("a")], "stop"),
        ("a_reason_of_tomorrow", [tool_use()], "tool_calls"),
        (None, [text("a")], "stop"),
        (5, [tool_use()], "tool_calls"),
    ],
)
def test_every_stop_reason_has_its_finish_reason(
    stop_reason: object, content: list[Any], expected: str
) -> None:
    told = read(answer(*content, stop_reason=stop_reason))
    assert told["choices"][0]["finish_reason"] == expected


@pytest.mark.parametrize(
    ("fields", "extras"),
    [
        ({}, {}),
        ({"stop_reason": "max_tokens"}, {}),
        ({"stop_reason": "pause_turn"}, {"stop_reason": "pause_turn"}),
        (
            {"stop_reason": "stop_sequence", "stop_sequence": "END"},
            {"stop_reason": "stop_sequence", "stop_sequence": "END"},
        ),
    ],
)
def test_a_native_reason_stands_beside_where_it_says_more(
    fields: dict[str, Any], extras: dict[str, Any]
) -> None:
    choice = read(answer(text("a"), **fields))["choices"][0]
    standard = {"index", "message", "logprobs", "finish_reason"}
    assert {k: v for k, v in choice.items() if k not in standard} == extras


def test_a_refusal_is_told_in_the_providers_words() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "Not this."}
    choice = read(answer(stop_reason="refusal", stop_details=details))["choices"][0]
    assert choice["message"]["refusal"] == "Not this."
    assert choice["message"]["content"] is None
    assert choice["stop_details"] == details


def test_texts_are_joined_and_calls_alone_have_no_content() -> None:
    assert read(answer(text("a"), text("b")))["choices"][0]["message"]["content"] == "ab"
    assert read(answer(tool_use()))["choices"][0]["message"]["content"] is None
    assert read(answer())["choices"][0]["message"]["content"] == ""


def test_arguments_are_the_text_that_the_provider_wrote() -> None:
    body = answer(tool_use()).replace(b'{"a": 1}', b'{ "b":1.0,\n "a":12345678901234567890123}')
    (call,) = read(body)["choices"][0]["message"]["tool_calls"]
    assert call["function"]["arguments"] == '{ "b":1.0,\n "a":12345678901234567890123}'


def test_numbers_and_nesting_at_the_edge_are_read_or_refused() -> None:
    for depth in range(100, 3_000, 13):
        nested = b"[" * depth + b"]" * depth
        try:
            decode.decode(answer(text("a"), container=5).replace(b"5", nested), 7, Names(), None)
        except UpstreamUnavailableError:
            continue
    huge = 10**30
    told = read(
        answer(text("a"), usage={"input_tokens": huge, "output_tokens": 1, "iterations": huge})
    )
    assert told["choices"][0]["message"]["content"] == "a"


@pytest.mark.parametrize("block", [{"type": "tool_use"}, tool_use(input=None)])
def test_a_call_without_input_has_empty_arguments(block: dict[str, Any]) -> None:
    (call,) = read(answer(block))["choices"][0]["message"]["tool_calls"]
    assert call["function"]["arguments"] == "{}"


def test_tools_of_the_providers_own_are_never_calls() -> None:
    blocks = [
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"q": 1.0}},
        {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []},
    ]
    message = read(answer(*blocks, text("a")))["choices"][0]["message"]
    assert "tool_calls" not in message
    assert message["provider_blocks"] == blocks


def test_who_made_a_call_is_told_where_it_was_not_the_model() -> None:
    caller = {"type": "code_execution_20260120", "tool_id": "s1"}
    calls = [tool_use(caller=caller), tool_use(caller={"type": "direct"})]
    told = read(answer(*calls))["choices"][0]["message"]["tool_calls"]
    assert told[0]["caller"] == caller
    assert "caller" not in told[1]


def test_the_tool_that_stands_for_the_format_becomes_content_again() -> None:
    body = answer(tool_use("json_answer"), stop_reason="tool_use")
    choice = read(body, json_tool="json_answer")["choices"][0]
    assert choice["message"]["content"] == '{"a": 1}'
    assert choice["finish_reason"] == "stop"
    assert "tool_calls" not in choice["message"]


@pytest.mark.parametrize(
    ("usage", "told", "read_usage"),
    [
        (
            {"input_tokens": 1, "output_tokens": 2},
            {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
            Usage(1, 2),
        ),
        (
            {
                "input_tokens": 1,
                "cache_creation_input_tokens": 10,
                "cache_read_input_tokens": 100,
                "cache_creation": {"ephemeral_5m_input_tokens": 10},
                "output_tokens": 2,
                "output_tokens_details": {"thinking_tokens": 1},
                "server_tool_use": {"web_search_requests": 1},
                "service_tier": "standard",
            },
            {
                "prompt_tokens": 111,
                "completion_tokens": 2,
                "total_tokens": 113,
                "prompt_tokens_details": {
                    "cached_tokens": 100,
                    "cache_write_tokens": 10,
                    "cache_creation": {"ephemeral_5m_input_tokens": 10},
                },
                "completion_tokens_details": {"reasoning_tokens": 1},
                "server_tool_use": {"web_search_requests": 1},
            },
            Usage(111, 2, 100, 1),
        ),
        ({"input_tokens": "many", "output_tokens": None}, None, None),
        (None, None, None),
    ],
)
def test_usage_counts_cached_tokens_and_states_what_is_stated(
    usage: Any, told: dict[str, Any] | None, read_usage: Usage | None
) -> None:
    completion = decode.decode(answer(usage=usage), 7, Names(), None)
    assert json.loads(completion.body).get("usage") == told
    assert completion.usage == read_usage


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"type":"message","content":"text"}',
        b'{"type":"message","content":[5]}',
        b'{"type":"message","content":[]',
        b'{"type":"message","content":[{"type":"text","text":"\xff"}]}',
        b'{"content":' + b"[" * 200_000,
        b'{"content":[],"container":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    ],
)
def test_an_answer_that_cannot_be_read_is_the_providers_fault(body: bytes) -> None:
    with pytest.raises(UpstreamUnavailableError):
        decode.decode(body, 7, Names(), None)


KEYS = st.sampled_from(
    ["type", "text", "thinking", "signature", "input", "name", "id", "citations", "caller"]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
BLOCKS = st.dictionaries(KEYS, ANYTHING) | st.builds(
    lambda kind, rest: {**rest, "type": kind},
    st.sampled_from(["text", "tool_use", "thinking", "redacted_thinking", "server_tool_use"]),
    st.dictionaries(KEYS, ANYTHING),
)
FIELDS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("id", "model", "stop_reason", "stop_sequence", "stop_details", "usage"), ANYTHING
    ),
)


@given(st.lists(BLOCKS, max_size=3), FIELDS)
def test_an_odd_answer_is_read_or_refused_and_nothing_else(
    blocks: list[Any], fields: dict[str, Any]
) -> None:
    try:
        told = decode.decode(answer(*blocks, **fields), 7, Names(), None).body
    except UpstreamError:
        return
    ChatCompletion.model_validate(json.loads(told), strict=True)
