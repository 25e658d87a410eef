import json
from typing import Any

import pytest
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from router.errors import InvalidRequestError
from router.providers.anthropic import anthropic_exchange
from router.values import Deployment, Dialect, Endpoint, Provider
from router.wire.chat_request import ChatRequest

MESSAGES_TYPE = TypeAdapter(MessageCreateParamsNonStreaming)

OPUS_48 = "claude-opus-4-8"
SONNET_45 = "claude-sonnet-4-5"
HAIKU_3 = "claude-3-haiku-20240307"


def deployment(model: str, **headers: str) -> Deployment:
    provider = Provider("anthropic", "https://api.anthropic.com", headers=headers)
    return Deployment("listed", model, provider, Dialect.ANTHROPIC, Endpoint.CHAT, "/v1/messages")


def test_the_least_request_says_no_more_than_the_caller_said(encode: Any) -> None:
    sent = encode(model=SONNET_45)
    assert sent.body == {
        "model": SONNET_45,
        "max_tokens": 64_000,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
    }
    assert sent.dropped == ()


def test_it_is_sent_with_the_providers_key_in_anthropics_headers(exchange: Any) -> None:
    http = exchange(stream=False).http
    assert (http.method, http.url) == ("POST", "https://api.anthropic.com/v1/messages")
    assert http.headers == {
        "content-type": "application/json",
        "accept": "application/json",
        "anthropic-version": "2023-06-01",
        "x-api-key": "sk-ant-canary",
    }
    assert "sk-ant-canary" not in repr(http)


def test_the_providers_own_headers_are_sent_too() -> None:
    request = ChatRequest.parse(b'{"model":"listed","messages":[]}', 0)
    target = deployment(SONNET_45, **{"Anthropic-Beta": "files-api-2025-04-14"})
    headers = anthropic_exchange(request, target).http.headers
    assert headers["anthropic-beta"] == "files-api-2025-04-14"
    assert "x-api-key" not in headers


def test_a_stream_is_asked_for_in_body_and_headers(exchange: Any, encode: Any) -> None:
    assert exchange(stream=True).http.headers["accept"] == "text/event-stream"
    assert encode(stream=True).body["stream"] is True


@pytest.mark.parametrize(
    ("model", "row", "fields", "expected"),
    [
        (SONNET_45, None, {"max_tokens": 10}, 10),
        (SONNET_45, None, {"max_tokens": 10, "max_completion_tokens": 20}, 20),
        (SONNET_45, 50, {"max_tokens": 10}, 10),
        (SONNET_45, 50, {}, 50),
        (HAIKU_3, None, {}, 4_096),
        (OPUS_48, None, {"max_tokens": None}, 128_000),
        ("some-other-model", None, {}, 4_096),
    ],
)
def test_max_tokens_is_the_callers_then_the_rows_then_the_familys(
    encode: Any, model: str, row: int | None, fields: dict[str, Any], expected: int
) -> None:
    sent = encode(model=model, max_output_tokens=row, **fields)
    assert sent.body["max_tokens"] == expected


@pytest.mark.parametrize(
    ("fields", "expected", "dropped"),
    [
        ({"stop": "END"}, {"stop_sequences": ["END"]}, ()),
        ({"stop": ["a", "b"]}, {"stop_sequences": ["a", "b"]}, ()),
        ({"stop": ["a", "\n\n"]}, {"stop_sequences": ["a"]}, ("stop",)),
        ({"stop": None}, {}, ()),
        ({"user": "u-1"}, {"metadata": {"user_id": "u-1"}}, ()),
        ({"user": "ada@example.org"}, {}, ("user",)),
        ({"user": "+44 20 7946 0000"}, {}, ("user",)),
        ({"safety_identifier": "s-1"}, {"metadata": {"user_id": "s-1"}}, ()),
        ({"safety_identifier": "s", "user": "u"}, {"metadata": {"user_id": "s"}}, ("user",)),
        ({"metadata": {"user_id": "u-1"}}, {"metadata": {"user_id": "u-1"}}, ()),
        ({"metadata": {"team": "blue"}}, {}, ("metadata",)),
        ({"service_tier": "priority"}, {"service_tier": "auto"}, ()),
        ({"service_tier": "default"}, {"service_tier": "standard_only"}, ()),
        ({"service_tier": "flex"}, {}, ("service_tier",)),
        ({"top_k": 5}, {"top_k": 5}, ()),
        ({"inference_geo": "us"}, {"inference_geo": "us"}, ()),
        ({"container": "container_1"}, {"container": "container_1"}, ()),
        ({"seed": 1, "logit_bias": {"1": 2}}, {}, ("seed", "logit_bias")),
        ({"betas": ["x"], "made_up": 1}, {}, ("betas", "made_up")),
        ({"n": 1, "logprobs": False, "seed": None, "logit_bias": {}}, {}, ()),
        ({"stream_options": {"include_usage": True}, "store": False}, {}, ()),
        ({"frequency_penalty": 0, "presence_penalty": 0.0}, {}, ()),
        ({"frequency_penalty": 0.5}, {}, ("frequency_penalty",)),
        ({"response_format": {"type": "text"}, "parallel_tool_calls": True}, {}, ()),
    ],
)
def test_parameters_are_carried_or_reported(
    encode: Any, fields: dict[str, Any], expected: dict[str, Any], dropped: tuple[str, ...]
) -> None:
    sent = encode(**fields)
    extra = {k: v for k, v in sent.body.items() if k not in ("model", "max_tokens", "messages")}
    assert extra == expected
    assert sent.dropped == dropped
    MESSAGES_TYPE.validate_python(sent.body)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"n": "1"}, "n"),
        ({"max_tokens": "10"}, "max_tokens"),
        ({"stop": 5}, "stop"),
        ({"stop": [5]}, "stop"),
        ({"user": 5}, "user"),
        ({"metadata": "x"}, "metadata"),
        ({"temperature": "hot"}, "temperature"),
        ({"reasoning_effort": "extreme"}, "reasoning_effort"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools.[0].type"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools.[0].function.name"),
        ({"tool_choice": "sometimes"}, "tool_choice"),
        ({"tool_choice": {"type": "custom"}}, "tool_choice.type"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.[0].content"),
        ({"messages": [{"role": "function", "content": "x"}]}, "messages.[0].role"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.[0].tool_call_id"),
        ({"messages": [{"content": "x"}]}, "messages.[0].role"),
        ({"messages": [{"role": "assistant", "audio": {"id": "a"}}]}, "messages.[0].audio"),
    ],
)
def test_what_is_not_as_openai_has_it_is_refused_by_name(
    encode: Any, fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        encode(**fields)
    assert caught.value.param == param


def test_values_that_pass_keep_the_callers_spelling_and_order() -> None:
    body = (
        '{"model":"listed","messages":[{"role":"user","content":"Hi"}],"temperature":0.10,'
        '"container": {"z": 1.0, "a": 123456789012345678901234567890},'
        '"tools":[{"type":"function","function":{"name":"f","parameters":'
        '{"type":"object", "properties":{"z":{"default":1e5},"a":{"const":1.00}}}}}]}'
    )
    request = ChatRequest.parse(body.encode(), 0)
    sent = anthropic_exchange(request, deployment(SONNET_45)).http.body.decode()
    assert '"temperature":0.10' in sent
    assert '{"z": 1.0, "a": 123456789012345678901234567890}' in sent
    assert '{"type":"object", "properties":{"z":{"default":1e5},"a":{"const":1.00}}}' in sent


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-2, 2**70)
    | st.sampled_from(["text", "image_url", "function", "tool", "{}", "none", "high", "a@b.c", ""])
    | st.text(max_size=3)
)
KEYS = st.sampled_from(
    ["type", "text", "role", "content", "image_url", "file", "url", "id", "name", "function",
     "arguments", "parameters", "tool_calls", "thinking_blocks", "provider_blocks", "signature"]
)  # fmt: skip
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=10,
)
ROLES = st.sampled_from(["system", "developer", "user", "assistant", "tool"])
PARTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image_url", "file", "refusal"])},
    optional={"text": st.text(max_size=3), "image_url": ANYTHING, "file": ANYTHING},
)
CALLS = st.fixed_dictionaries(
    {"id": st.text(max_size=3), "function": st.dictionaries(KEYS, LEAVES)}
)
TURNS = st.fixed_dictionaries(
    {"role": ROLES},
    optional={
        "content": st.text(max_size=3) | st.lists(PARTS, max_size=2) | ANYTHING,
        "tool_calls": st.lists(CALLS, max_size=2) | ANYTHING,
        "tool_call_id": st.text(max_size=3),
        "thinking_blocks": ANYTHING,
        "provider_blocks": ANYTHING,
        "cache_control": ANYTHING,
    },
)
PARAMETERS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        (
            "tools", "tool_choice", "response_format", "stop", "user", "metadata", "temperature",
            "top_p", "top_k", "reasoning_effort", "thinking", "max_tokens", "parallel_tool_calls",
            "output_config", "service_tier", "n",
        ),
        ANYTHING,
    ),
)  # fmt: skip


@given(
    st.lists(TURNS, max_size=4),
    PARAMETERS,
    st.sampled_from([SONNET_45, OPUS_48, HAIKU_3, "claude-fable-5", "other"]),
)
def test_an_odd_request_is_encoded_or_refused_and_nothing_else(
    messages: list[Any], parameters: dict[str, Any], model: str
) -> None:
    body = json.dumps({"model": "listed", "messages": messages, **parameters}).encode()
    try:
        http = anthropic_exchange(ChatRequest.parse(body, 0), deployment(model)).http
    except InvalidRequestError:
        return
    assert all(turn["content"] for turn in json.loads(http.body)["messages"])
