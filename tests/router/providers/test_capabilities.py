"""Every adapter does what the table of capabilities says: each row is tried on each dialect."""

import json
from typing import Any, Final

import msgspec
import pytest

from router.errors import InvalidRequestError
from router.providers.adapter import Exchange
from router.providers.capabilities import (
    CONTENT,
    LIMITS,
    NATIVE,
    NO_EFFECT,
    PARAMETERS,
    Carrier,
    Way,
)
from router.providers.dialects import ADAPTERS
from router.values import Deployment, Dialect, Endpoint, Provider, Secret
from router.wire.chat_request import ChatRequest

PLACES: Final = {
    Dialect.ANTHROPIC: ("claude-sonnet-4-5", "/v1/messages"),
    Dialect.GEMINI: ("gemini-2.5-flash", "/v1beta/models/gemini-2.5-flash:generateContent"),
    Dialect.BEDROCK: (
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "/model/anthropic.claude-sonnet-4-5-20250929-v1:0/converse",
    ),
    Dialect.COHERE: ("command-a-reasoning-08-2025", "/v2/chat"),
}
"""A capable model of each dialect, and its address."""

TRANSLATED: Final = sorted(set(ADAPTERS) - {Dialect.OPENAI})

SCHEMA: Final = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
TOOL: Final = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
USER: Final = {"role": "user", "content": "Hi"}

ASKED: Final[dict[str, dict[str, Any]]] = {
    "audio": {"audio": {"voice": "alloy", "format": "wav"}, "modalities": ["text", "audio"]},
    "frequency_penalty": {"frequency_penalty": 0.5},
    "function_call": {"function_call": "auto"},
    "functions": {"functions": [{"name": "f", "parameters": SCHEMA}]},
    "logit_bias": {"logit_bias": {"50256": -100}},
    "logprobs": {"logprobs": True},
    "max_completion_tokens": {"max_completion_tokens": 4096},
    "max_tokens": {"max_tokens": 4096},
    "messages": {},
    "metadata": {"metadata": {"user_id": "u1"}},
    "modalities": {"modalities": ["text", "image"]},
    "model": {},
    "n": {"n": 2},
    "parallel_tool_calls": {"parallel_tool_calls": True, "tools": [TOOL]},
    "prediction": {"prediction": {"type": "content", "content": "x"}},
    "presence_penalty": {"presence_penalty": 0.5},
    "prompt_cache_key": {"prompt_cache_key": "k"},
    "prompt_cache_retention": {"prompt_cache_retention": "24h"},
    "reasoning_effort": {"reasoning_effort": "low", "max_tokens": 4096},
    "response_format": {
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}
    },
    "safety_identifier": {"safety_identifier": "u1"},
    "seed": {"seed": 7},
    "service_tier": {"service_tier": "priority"},
    "stop": {"stop": ["END"]},
    "store": {"store": True},
    "stream": {"stream": True},
    "stream_options": {"stream_options": {"include_usage": True}},
    "temperature": {"temperature": 0.5},
    "tool_choice": {"tool_choice": "required", "tools": [TOOL]},
    "tools": {"tools": [TOOL]},
    "top_k": {"top_k": 5},
    "top_logprobs": {"logprobs": True, "top_logprobs": 3},
    "top_p": {"top_p": 0.9},
    "user": {"user": "u1"},
    "verbosity": {"verbosity": "low"},
    "web_search_options": {"web_search_options": {}},
}
"""How each field is asked for in a way that a dialect which has it at all can carry."""

BEYOND: Final = {"parallel_tool_calls": {"parallel_tool_calls": False, "tools": [TOOL]}}
"""How a field is asked for where that way would have no effect anyway."""

PIXEL: Final = "iVBORw0KGgo="
PARTS: Final[dict[str, dict[str, Any]]] = {
    "text": {"type": "text", "text": "said"},
    "image, as data": {
        "type": "image_url",
        "image_url": {"url": f"data:image/png;base64,{PIXEL}"},
    },
    "image, by address": {"type": "image_url", "image_url": {"url": "https://e.org/a.png"}},
    "audio": {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
    "file: PDF, as data": {
        "type": "file",
        "file": {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"},
    },
    "file: plain text, as data": {
        "type": "file",
        "file": {"file_data": "data:text/plain;base64,SGFsbG8=", "filename": "a.txt"},
    },
    "file, by address": {"type": "file", "file": {"file_data": "https://e.org/a.pdf"}},
    "file, by the provider's id": {"type": "file", "file": {"file_id": "file-1"}},
    "video, by address": {"type": "video_url", "video_url": {"url": "https://e.org/a.mp4"}},
    "video, as data": {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}},
    "a part that nobody knows": {"type": "hologram", "hologram": {"data": "AAAA"}},
}

TRACES: Final = {
    "text": ("said",),
    "image, as data": (PIXEL,),
    "image, by address": ("e.org/a.png",),
    "audio": ("UklGRg==",),
    "file: PDF, as data": ("JVBERi0=",),
    "file: plain text, as data": ("SGFsbG8=", "Hallo"),
    "file, by address": ("e.org/a.pdf",),
    "file, by the provider's id": ("file-1",),
    "video, by address": ("e.org/a.mp4",),
    "video, as data": ("AAAA",),
}
"""What of a part must be found in the request that is sent; one of them."""


def asked(dialect: Dialect, **fields: Any) -> Exchange:
    model, path = PLACES[dialect]
    provider = Provider("acme", "https://acme.test", Secret("key-of-ours"))
    deployment = Deployment("listed", model, provider, dialect, Endpoint.CHAT, path)
    body = json.dumps({"model": "listed", "messages": [USER], **fields}).encode()
    return ADAPTERS[dialect](ChatRequest.parse(body, 0), deployment)


@pytest.mark.parametrize("dialect", TRANSLATED)
@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_goes_the_way_that_its_row_says(name: str, dialect: Dialect) -> None:
    match PARAMETERS[name][dialect]:
        case Way.REFUSED:
            with pytest.raises(InvalidRequestError) as caught:
                asked(dialect, **ASKED[name])
            assert caught.value.param == name
        case Way.REPORTED:
            assert name in asked(dialect, **BEYOND.get(name, ASKED[name])).dropped
        case _:
            assert name not in asked(dialect, **ASKED[name]).dropped


@pytest.mark.parametrize("dialect", TRANSLATED)
@pytest.mark.parametrize("name", NO_EFFECT)
def test_a_value_without_effect_is_no_loss(name: str, dialect: Dialect) -> None:
    for value in NO_EFFECT[name]:
        assert asked(dialect, **{name: value}).dropped == ()


@pytest.mark.parametrize("dialect", TRANSLATED)
@pytest.mark.parametrize("kind", CONTENT)
def test_content_is_carried_or_refused(kind: str, dialect: Dialect) -> None:
    message = {"role": "user", "content": [PARTS[kind], {"type": "text", "text": "What is it?"}]}
    if CONTENT[kind][dialect] is Way.REFUSED:
        with pytest.raises(InvalidRequestError) as caught:
            asked(dialect, messages=[message])
        assert "messages" in str(caught.value.param)
    else:
        sent = asked(dialect, messages=[message]).http.body.decode()
        assert any(trace in sent for trace in TRACES[kind])


@pytest.mark.parametrize("dialect", TRANSLATED)
def test_a_dialects_own_fields_are_not_reported(dialect: Dialect) -> None:
    own = dict.fromkeys(NATIVE[dialect], msgspec.Raw(b'{"a":1}'))

    assert list(Carrier(dialect).left_out(own)) == []


@pytest.mark.parametrize("dialect", TRANSLATED)
def test_a_field_that_nobody_knows_is_reported(dialect: Dialect) -> None:
    assert asked(dialect, a_field_of_tomorrow=1).dropped == ("a_field_of_tomorrow",)
    assert asked(dialect, a_field_of_tomorrow=None).dropped == ()


def test_the_table_has_a_row_for_each_field_that_is_tried_and_limits_for_its_dialects() -> None:
    assert set(ASKED) == set(PARAMETERS)
    assert set(PARTS) == set(CONTENT)
    assert set(LIMITS) <= set(TRANSLATED)
