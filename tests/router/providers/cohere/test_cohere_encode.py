import json
from typing import Any

import pytest

from router.errors import InvalidRequestError
from router.providers.cohere import cohere_exchange
from router.wire.chat_request import ChatRequest
from tests.router.providers.cohere.conftest import CohereExchange, Encode, deployment

THINKER = "command-a-reasoning-08-2025"


def test_a_request_goes_out_with_the_key_and_the_model_of_the_provider(
    exchange: CohereExchange,
) -> None:
    http = exchange(model="command-r7b").http

    assert (http.method, http.url) == ("POST", "https://api.cohere.com/v2/chat")
    assert http.headers["authorization"] == "Bearer co-canary-key"
    assert http.headers["accept"] == "application/json"
    assert json.loads(http.body) == {
        "model": "command-r7b",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": False,
    }


def test_a_stream_is_asked_for_as_one(exchange: CohereExchange) -> None:
    http = exchange(stream=True).http

    assert http.headers["accept"] == "text/event-stream"
    assert json.loads(http.body)["stream"] is True


def test_no_key_is_sent_where_there_is_none_and_a_header_of_its_own_takes_it_bare(
    exchange: CohereExchange,
) -> None:
    assert "authorization" not in exchange(provider={"api_key": None}).http.headers
    assert exchange(provider={"key_header": "api-key"}).http.headers["api-key"] == "co-canary-key"
    assert exchange(provider={"headers": {"X-Team": "a"}}).http.headers["x-team"] == "a"


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({"max_tokens": 5}, {"max_tokens": 5}),
        ({"max_tokens": 5, "max_completion_tokens": 7}, {"max_tokens": 7}),
        ({"stop": "a"}, {"stop_sequences": ["a"]}),
        ({"stop": ["a", "b"]}, {"stop_sequences": ["a", "b"]}),
        ({"temperature": 0.5, "top_p": 0.5, "seed": 3}, {"temperature": 0.5, "p": 0.5, "seed": 3}),
        ({"top_k": 40}, {"k": 40}),
        ({"k": 40, "p": 0.75}, {"k": 40, "p": 0.75}),
        ({"frequency_penalty": 1, "presence_penalty": 0},
         {"frequency_penalty": 1, "presence_penalty": 0}),
        ({"logprobs": True, "top_logprobs": 0}, {"logprobs": True}),
        ({"safety_mode": "STRICT", "priority": 3}, {"safety_mode": "STRICT", "priority": 3}),
        ({"citation_options": {"mode": "off"}}, {"citation_options": {"mode": "off"}}),
        ({"documents": ["a", {"data": {"b": 1}}]}, {"documents": ["a", {"data": {"b": 1}}]}),
        ({"n": 1, "service_tier": "auto", "store": False, "logprobs": False, "metadata": {}}, {}),
        ({"response_format": {"type": "text"}}, {}),
        ({"response_format": {"type": "json_object"}}, {"response_format": {"type": "json_object"}}),
        (
            {"response_format": {"type": "json_object", "json_schema": {"type": "object"}}},
            {"response_format": {"type": "json_object", "json_schema": {"type": "object"}}},
        ),
    ],
)  # fmt: skip
def test_a_parameter_goes_out_under_the_providers_name(
    encode: Encode, asked: dict[str, Any], sent: dict[str, Any]
) -> None:
    made = encode(**asked)

    assert made.dropped == ()
    assert {k: v for k, v in made.body.items() if k not in ("model", "messages", "stream")} == sent


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({"top_p": 1}, {"p": 0.99}),
        ({"top_p": 0}, {"p": 0.01}),
        ({"frequency_penalty": -2}, {"frequency_penalty": 0.0}),
        ({"presence_penalty": 1.5}, {"presence_penalty": 1.0}),
        ({"user": "u"}, {}),
        ({"logit_bias": {"1": 2}}, {}),
        ({"top_logprobs": 3}, {}),
        ({"parallel_tool_calls": False}, {}),
        ({"service_tier": "priority"}, {}),
        ({"whatever": 1}, {}),
        ({"reasoning_effort": "low"}, {}),
    ],
)
def test_what_cannot_be_honoured_as_asked_is_reported(
    encode: Encode, asked: dict[str, Any], sent: dict[str, Any]
) -> None:
    made = encode(**asked)

    assert made.dropped == tuple(asked)
    assert {k: v for k, v in made.body.items() if k not in ("model", "messages", "stream")} == sent


def test_numbers_and_schemas_keep_their_text() -> None:
    text = '"temperature":0.30'
    schema = '{"z":1.0,"a":{"const":1e2}}'
    function = f'{{"name":"f","parameters":{schema}}}'
    body = f'{{"model":"m","messages":[],{text},"tools":[{{"type":"function","function":{function}}}]}}'
    request = ChatRequest.parse(body.encode(), 1)

    sent = cohere_exchange(request, deployment("command-r")).http.body.decode()

    assert text in sent
    assert schema in sent


@pytest.mark.parametrize(
    ("effort", "thinking"),
    [
        ("none", {"type": "disabled"}),
        ("low", {"type": "enabled", "token_budget": 1024}),
        ("high", {"type": "enabled", "token_budget": 4096}),
        ("max", {"type": "enabled"}),
    ],
)
def test_effort_becomes_a_thinking_budget(
    encode: Encode, effort: str, thinking: dict[str, Any]
) -> None:
    made = encode(model=THINKER, reasoning_effort=effort)

    assert made.body["thinking"] == thinking
    assert made.dropped == ()


def test_the_providers_own_thinking_decides_alone(encode: Encode) -> None:
    thinking = {"type": "enabled", "token_budget": 7}
    made = encode(model=THINKER, reasoning_effort="low", thinking=thinking)

    assert made.body["thinking"] == thinking
    assert made.dropped == ("reasoning_effort",)


def test_a_model_that_does_not_think_need_not_be_told_not_to(encode: Encode) -> None:
    made = encode(reasoning_effort="none")

    assert "thinking" not in made.body
    assert made.dropped == ()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"reasoning_effort": "much"}, "reasoning_effort"),
        ({"temperature": "hot"}, "temperature"),
        ({"stop": 3}, "stop"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"documents": {"a": 1}}, "documents"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": 3}}},
         "response_format.json_schema.schema"),
    ],
)  # fmt: skip
def test_what_is_not_as_openai_has_it_is_refused(
    encode: Encode, fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        encode(**fields)

    assert caught.value.param == param
