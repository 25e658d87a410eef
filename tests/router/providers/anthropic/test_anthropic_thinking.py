from typing import Any

import pytest
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from pydantic import TypeAdapter

MESSAGES_TYPE = TypeAdapter(MessageCreateParamsNonStreaming)

OPUS_46 = "claude-opus-4-6"
OPUS_48 = "claude-opus-4-8"
SONNET_45 = "claude-sonnet-4-5"
SONNET_4 = "claude-sonnet-4-20250514"
HAIKU_3 = "claude-3-haiku-20240307"
FABLE_5 = "claude-fable-5"

ADAPTIVE = {"type": "adaptive"}

FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


@pytest.mark.parametrize(
    ("model", "effort", "expected", "dropped"),
    [
        (SONNET_45, "low", {"thinking": {"type": "enabled", "budget_tokens": 1_024}}, ()),
        (SONNET_45, "high", {"thinking": {"type": "enabled", "budget_tokens": 4_096}}, ()),
        (SONNET_45, "max", {"thinking": {"type": "enabled", "budget_tokens": 16_384}}, ()),
        (SONNET_45, "none", {}, ()),
        (OPUS_46, "high", {"thinking": ADAPTIVE, "output_config": {"effort": "high"}}, ()),
        (OPUS_46, "xhigh", {"thinking": ADAPTIVE, "output_config": {"effort": "max"}}, ()),
        (OPUS_48, "minimal", {"thinking": ADAPTIVE, "output_config": {"effort": "low"}}, ()),
        (OPUS_48, "xhigh", {"thinking": ADAPTIVE, "output_config": {"effort": "xhigh"}}, ()),
        (OPUS_48, "none", {"thinking": {"type": "disabled"}}, ()),
        (FABLE_5, "none", {}, ("reasoning_effort",)),
        (HAIKU_3, "high", {}, ("reasoning_effort",)),
        (HAIKU_3, "none", {}, ()),
    ],
)
def test_reasoning_effort_becomes_what_the_family_has(
    encode: Any, model: str, effort: str, expected: dict[str, Any], dropped: tuple[str, ...]
) -> None:
    sent = encode(model=model, reasoning_effort=effort)
    names = ("thinking", "output_config")
    assert {name: sent.body[name] for name in names if name in sent.body} == expected
    assert sent.dropped == dropped
    MESSAGES_TYPE.validate_python(sent.body)


TOOL_LOOP = [
    {"role": "user", "content": "Hi"},
    {
        "role": "assistant",
        "tool_calls": [
            {"id": "t1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        ],
    },
    {"role": "tool", "tool_call_id": "t1", "content": "1"},
]


@pytest.mark.parametrize(
    ("fields", "budget"),
    [
        ({"max_tokens": 3_000}, 2_999),
        ({"max_tokens": 1_025}, 1_024),
        ({"max_tokens": 1_024}, None),
        ({"tools": [FUNCTION], "tool_choice": "required"}, None),
        ({"tools": [FUNCTION], "tool_choice": "auto"}, 4_096),
        ({"tools": [FUNCTION], "messages": TOOL_LOOP}, None),
        ({"messages": [*TOOL_LOOP, {"role": "assistant", "content": "It is"}]}, None),
    ],
)
def test_a_budget_is_asked_for_where_there_is_room_and_nothing_rules_it_out(
    encode: Any, fields: dict[str, Any], budget: int | None
) -> None:
    sent = encode(reasoning_effort="high", **fields)
    assert sent.body.get("thinking", {}).get("budget_tokens") == budget
    assert ("reasoning_effort" in sent.dropped) == (budget is None)


def test_native_thinking_passes_and_comes_before_an_effort(encode: Any) -> None:
    native = {"type": "enabled", "budget_tokens": 2_000}
    sent = encode(thinking=native, reasoning_effort="high", temperature=0.5)
    assert sent.body["thinking"] == native
    assert sent.dropped == ("reasoning_effort", "temperature")


@pytest.mark.parametrize(
    ("model", "fields", "expected", "dropped"),
    [
        (SONNET_4, {"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5, "top_p": 0.9}, ()),
        (SONNET_4, {"temperature": 1.5}, {"temperature": 1}, ("temperature",)),
        (SONNET_45, {"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5}, ("top_p",)),
        (SONNET_45, {"temperature": 0.5, "top_p": 1}, {"temperature": 0.5}, ()),
        (SONNET_45, {"top_p": 0.9}, {"top_p": 0.9}, ()),
        (OPUS_48, {"temperature": 1, "top_p": 1}, {}, ()),
        (OPUS_48, {"temperature": 0, "top_k": 3}, {}, ("temperature", "top_k")),
        (SONNET_4, {"temperature": 0.2, "reasoning_effort": "low"}, {}, ("temperature",)),
        (SONNET_4, {"temperature": 1, "reasoning_effort": "low"}, {"temperature": 1}, ()),
        (SONNET_4, {"top_p": 0.95, "reasoning_effort": "low"}, {"top_p": 0.95}, ()),
        (
            SONNET_4,
            {"top_p": 0.9, "top_k": 1, "reasoning_effort": "low"},
            {},
            ("top_p", "top_k"),
        ),
    ],
)
def test_sampling_stands_as_far_as_family_and_thinking_let_it(
    encode: Any,
    model: str,
    fields: dict[str, Any],
    expected: dict[str, Any],
    dropped: tuple[str, ...],
) -> None:
    sent = encode(model=model, **fields)
    names = ("temperature", "top_p", "top_k")
    assert {name: sent.body[name] for name in names if name in sent.body} == expected
    assert sent.dropped == dropped
