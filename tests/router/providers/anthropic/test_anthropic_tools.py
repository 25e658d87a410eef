import json
from typing import Any

import pytest
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from pydantic import TypeAdapter

from router.errors import InvalidRequestError

MESSAGES_TYPE = TypeAdapter(MessageCreateParamsNonStreaming)

OPUS_48 = "claude-opus-4-8"
SONNET_45 = "claude-sonnet-4-5"
SONNET_4 = "claude-sonnet-4-20250514"

FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}

SCHEMA = {"title": "T", "type": "object", "properties": {"z": {"type": "number"}, "a": {}}}
JSON_SCHEMA = {"type": "json_schema", "json_schema": {"name": "t", "schema": SCHEMA}}


def test_a_schema_is_native_where_the_family_has_it_and_whole(encode: Any) -> None:
    sent = encode(model=SONNET_45, response_format=JSON_SCHEMA)
    assert sent.body["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}}
    assert json.dumps(SCHEMA, separators=(",", ":")) in sent.text.replace(" ", "")
    assert sent.dropped == ()


def test_a_schema_and_an_effort_share_the_output_config(encode: Any) -> None:
    sent = encode(model=OPUS_48, response_format=JSON_SCHEMA, reasoning_effort="low")
    assert set(sent.body["output_config"]) == {"format", "effort"}


def test_a_schema_is_a_forced_tool_elsewhere(encode: Any) -> None:
    sent = encode(model=SONNET_4, response_format=JSON_SCHEMA)
    assert sent.body["tools"] == [{"name": "json_answer", "input_schema": SCHEMA}]
    assert sent.body["tool_choice"] == {
        "type": "tool",
        "name": "json_answer",
        "disable_parallel_tool_use": True,
    }


def test_a_forced_tool_leaves_the_callers_own_tools_their_chance(encode: Any) -> None:
    sent = encode(model=SONNET_4, response_format=JSON_SCHEMA, tools=[FUNCTION])
    assert [tool["name"] for tool in sent.body["tools"]] == ["f", "json_answer"]
    assert sent.body["tool_choice"] == {"type": "any"}


def test_any_json_object_is_asked_for_in_words_and_reported(encode: Any) -> None:
    sent = encode(response_format={"type": "json_object"})
    assert [block["text"] for block in sent.body["system"]] == [
        "Answer with one JSON object and nothing else."
    ]
    assert sent.dropped == ("response_format",)


def test_tools_are_carried_whole(encode: Any) -> None:
    tool = {
        "type": "function",
        "cache_control": {"type": "ephemeral"},
        "function": {
            "name": "f",
            "description": "d",
            "parameters": {"type": "object", "additionalProperties": False, "properties": {}},
            "strict": True,
        },
    }
    sent = encode(tools=[tool])
    assert sent.body["tools"] == [
        {
            "name": "f",
            "description": "d",
            "input_schema": tool["function"]["parameters"],  # type: ignore[index]
            "strict": True,
            "cache_control": {"type": "ephemeral"},
        }
    ]
    MESSAGES_TYPE.validate_python(sent.body)


def test_a_tool_without_parameters_takes_none(encode: Any) -> None:
    sent = encode(tools=[{"type": "function", "function": {"name": "f"}}])
    assert sent.body["tools"][0]["input_schema"] == {"type": "object", "properties": {}}


def test_anthropics_own_tools_pass_as_they_are(encode: Any) -> None:
    native = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
    assert encode(tools=[native]).body["tools"] == [native]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", {"type": "auto"}),
        ("required", {"type": "any"}),
        ("none", {"type": "none"}),
        ({"type": "function", "function": {"name": "f"}}, {"type": "tool", "name": "f"}),
        ({"type": "tool", "name": "f"}, {"type": "tool", "name": "f"}),
        (None, None),
    ],
)
def test_tool_choice_is_said_in_anthropics_words(
    encode: Any, choice: object, expected: object
) -> None:
    sent = encode(tools=[FUNCTION], tool_choice=choice)
    assert sent.body.get("tool_choice") == expected
    assert sent.dropped == ()


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, {"type": "auto", "disable_parallel_tool_use": True}),
        ("required", {"type": "any", "disable_parallel_tool_use": True}),
        ("none", {"type": "none"}),
    ],
)
def test_one_call_at_a_time_is_a_property_of_the_choice(
    encode: Any, choice: object, expected: object
) -> None:
    sent = encode(tools=[FUNCTION], tool_choice=choice, parallel_tool_calls=False)
    assert sent.body["tool_choice"] == expected


def test_without_tools_there_is_nothing_to_choose(encode: Any) -> None:
    assert "tool_choice" not in encode(tool_choice="auto", parallel_tool_calls=False).body
    assert encode(tool_choice="auto").dropped == ()
    assert encode(tool_choice="required").dropped == ("tool_choice",)


def test_allowed_tools_are_the_only_ones_offered(encode: Any) -> None:
    other = {"type": "function", "function": {"name": "g"}}
    choice = {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "required", "tools": [other]},
    }
    sent = encode(tools=[FUNCTION, other], tool_choice=choice)
    assert [tool["name"] for tool in sent.body["tools"]] == ["g"]
    assert sent.body["tool_choice"] == {"type": "any"}


def test_a_family_that_refuses_to_be_forced_decides_for_itself(encode: Any) -> None:
    sent = encode(model="claude-fable-5-1", tools=[FUNCTION], tool_choice="required")
    assert sent.body["tool_choice"] == {"type": "auto"}
    assert sent.dropped == ("tool_choice",)


def test_names_that_anthropic_refuses_are_respelt_and_told_apart(
    encode: Any, exchange: Any
) -> None:
    names = ["a.b", "a_b", "a b", "x" * 200]
    tools = [{"type": "function", "function": {"name": name}} for name in names]
    sent = [tool["name"] for tool in encode(tools=tools).body["tools"]]
    assert sent == ["a_b", "a_b_2", "a_b_3", "x" * 128]
    answer = {
        "type": "message",
        "content": [{"type": "tool_use", "id": "t", "name": name, "input": {}} for name in sent],
    }
    told = json.loads(exchange(tools=tools).decode_response(json.dumps(answer).encode()).body)
    calls = told["choices"][0]["message"]["tool_calls"]
    assert [call["function"]["name"] for call in calls] == names


_SCHEMA_FORMAT = {
    "type": "json_schema",
    "json_schema": {
        "name": "answer",
        "description": "An answer.",
        "schema": {"type": "object", "properties": {}},
    },
}


def test_the_description_of_a_native_schema_is_reported(encode: Any) -> None:
    sent = encode(model="claude-sonnet-4-5", response_format=_SCHEMA_FORMAT)

    assert sent.dropped == ("response_format.json_schema.description",)


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({}, ["json_answer"]),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, ["f", "json_answer"]),
        (
            {
                "tools": [{"type": "function", "function": {"name": "f"}}],
                "tool_choice": "none",
            },
            ["json_answer"],
        ),
    ],
)
def test_the_tool_of_an_answer_is_not_forced_on_a_model_that_thinks(
    encode: Any, asked: dict[str, Any], names: list[str]
) -> None:
    thinking = {"type": "enabled", "budget_tokens": 2_000}

    sent = encode(
        model="claude-sonnet-4-0", response_format=_SCHEMA_FORMAT, thinking=thinking, **asked
    )

    assert [tool["name"] for tool in sent.body["tools"]] == names
    assert sent.body["tool_choice"] == {"type": "auto"}
    assert sent.dropped == ("response_format",)


def test_allowed_tools_that_are_not_there_are_refused(encode: Any) -> None:
    allowed = {"mode": "auto", "tools": [{"type": "function", "function": {"name": "other"}}]}

    with pytest.raises(InvalidRequestError) as caught:
        encode(
            tools=[{"type": "function", "function": {"name": "f"}}],
            tool_choice={"type": "allowed_tools", "allowed_tools": allowed},
        )

    assert caught.value.param == "tool_choice"
