"""Tools, the choice among them, and structured output."""

import json
from typing import Any

import pytest

from router.errors import InvalidRequestError

CLAUDE_45 = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
CLAUDE_37 = "us.anthropic.claude-3-7-sonnet-20250219-v1:0"
NOVA = "us.amazon.nova-pro-v1:0"
LLAMA = "us.meta.llama4-maverick-17b-instruct-v1:0"
MISTRAL = "mistral.mistral-large-2407-v1:0"
TITAN = "amazon.titan-text-express-v1"
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


def tool(name: str = "f", **members: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **members}}


def spec(name: str = "f", **members: Any) -> dict[str, Any]:
    empty = {"json": {"type": "object", "properties": {}}}
    return {"toolSpec": {"name": name, "inputSchema": empty, **members}}


CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLED = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "a", "content": "1"},
]  # fmt: skip


def test_a_tool_has_its_spec(encode: Any) -> None:
    made = tool(description="d", parameters=SCHEMA, strict=True)
    sent = encode(tools=[made, {**tool("g"), "cache_control": {"type": "ephemeral"}}])
    assert sent.body["toolConfig"]["tools"] == [
        spec(description="d", inputSchema={"json": SCHEMA}, strict=True),
        spec("g"),
        {"cachePoint": {"type": "default"}},
    ]
    assert sent.dropped == ()


def test_strict_is_reported_where_the_family_has_none(encode: Any) -> None:
    sent = encode(model=NOVA, tools=[tool(strict=True)])
    assert sent.body["toolConfig"]["tools"] == [spec()]
    assert sent.dropped == ("tools.[0].function.strict",)
    assert encode(model=NOVA, tools=[tool(strict=False)]).dropped == ()


def test_tools_of_aws_own_pass(encode: Any) -> None:
    own = {"type": "systemTool", "systemTool": {"name": "nova_grounding"}}
    sent = encode(model=NOVA, tools=[own])
    assert sent.body["toolConfig"]["tools"] == [{"systemTool": {"name": "nova_grounding"}}]


@pytest.mark.parametrize("kind", ["custom", "web_search", "systemTool"])
def test_other_tools_are_named(exchange: Any, kind: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        exchange(tools=[{"type": kind}])
    assert caught.value.param == "tools.[0].type"


NAMED = {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize(
    ("model", "choice", "sent_choice", "dropped"),
    [
        (CLAUDE_45, "auto", {"auto": {}}, ()),
        (CLAUDE_45, "required", {"any": {}}, ()),
        (CLAUDE_45, NAMED, {"tool": {"name": "f"}}, ()),
        (NOVA, NAMED, {"tool": {"name": "f"}}, ()),
        (MISTRAL, "required", {"any": {}}, ()),
        (MISTRAL, NAMED, {"any": {}}, ()),
        (LLAMA, "auto", {"auto": {}}, ()),
        (LLAMA, "required", None, ("tool_choice",)),
        (LLAMA, NAMED, None, ("tool_choice",)),
    ],
)
def test_a_choice_is_told_as_far_as_the_family_takes_it(
    encode: Any, model: str, choice: Any, sent_choice: Any, dropped: Any
) -> None:
    sent = encode(model=model, tools=[tool()], tool_choice=choice)
    assert sent.body["toolConfig"].get("toolChoice") == sent_choice
    assert sent.dropped == dropped


def test_no_tools_means_none_are_offered(encode: Any) -> None:
    sent = encode(tools=[tool()], tool_choice="none")
    assert "toolConfig" not in sent.body
    assert sent.dropped == ()


def test_tools_stay_declared_where_the_conversation_has_calls(encode: Any) -> None:
    sent = encode(messages=CALLED, tools=[tool()], tool_choice="none")
    assert sent.body["toolConfig"] == {"tools": [spec()]}
    assert sent.dropped == ("tool_choice",)


def test_a_history_with_calls_and_no_tools_is_sent_as_it_is(encode: Any) -> None:
    assert "toolConfig" not in encode(messages=CALLED).body


def test_a_choice_that_narrows_offers_the_others_no_more(encode: Any) -> None:
    allowed = {"mode": "required", "tools": [NAMED]}
    choice = {"type": "allowed_tools", "allowed_tools": allowed}
    sent = encode(tools=[tool(), tool("g")], tool_choice=choice)
    assert sent.body["toolConfig"] == {"tools": [spec()], "toolChoice": {"any": {}}}


def test_a_choice_without_tools_is_reported(encode: Any) -> None:
    assert encode(tool_choice="required").dropped == ("tool_choice",)
    assert encode(tool_choice="auto").dropped == ()


@pytest.mark.parametrize("choice", ["always", {"type": "custom"}, {"type": "function"}])
def test_a_malformed_choice_is_named(exchange: Any, choice: Any) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        exchange(tools=[tool()], tool_choice=choice)
    assert str(caught.value.param).startswith("tool_choice")


def test_one_call_at_a_time_is_claudes_alone(encode: Any) -> None:
    sent = encode(tools=[tool()], tool_choice=NAMED, parallel_tool_calls=False)
    assert sent.body["additionalModelRequestFields"] == {
        "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True}
    }
    assert encode(model=NOVA, tools=[tool()], parallel_tool_calls=False).dropped == (
        "parallel_tool_calls",
    )
    assert encode(model=NOVA, tools=[tool()], parallel_tool_calls=True).dropped == ()


def schema_format(**members: Any) -> dict[str, Any]:
    described = {"name": "n", "schema": SCHEMA, "strict": True, **members}
    return {"type": "json_schema", "json_schema": described}


def test_one_call_at_a_time_and_a_format_by_tool_ask_for_the_same_choice(encode: Any) -> None:
    sent = encode(
        model=CLAUDE_37,
        tools=[tool()],
        parallel_tool_calls=False,
        response_format=schema_format(),
    )
    assert sent.body["toolConfig"]["toolChoice"] == {"any": {}}
    assert sent.body["additionalModelRequestFields"] == {
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True}
    }


def test_a_schema_is_native_where_the_family_has_it(encode: Any) -> None:
    sent = encode(response_format=schema_format(description="d"))
    text_format = sent.body["outputConfig"]["textFormat"]
    described = text_format["structure"]["jsonSchema"]
    assert text_format["type"] == "json_schema"
    assert (described["name"], described["description"]) == ("n", "d")
    assert json.loads(described["schema"]) == SCHEMA
    assert sent.dropped == ()


def test_a_schema_and_an_effort_stand_beside_each_other(encode: Any) -> None:
    sent = encode(
        model="us.anthropic.claude-sonnet-4-6",
        response_format=schema_format(),
        reasoning_effort="low",
    )
    assert set(sent.body["outputConfig"]) == {"textFormat", "effort"}


@pytest.mark.parametrize(
    ("model", "choice"),
    [
        (CLAUDE_37, {"tool": {"name": "json_answer"}}),
        (NOVA, {"tool": {"name": "json_answer"}}),
        (MISTRAL, {"any": {}}),
    ],
)
def test_a_tool_takes_the_answer_where_a_schema_is_not_native(
    encode: Any, model: str, choice: Any
) -> None:
    sent = encode(model=model, response_format=schema_format())
    assert sent.body["toolConfig"] == {
        "tools": [spec("json_answer", inputSchema={"json": SCHEMA})],
        "toolChoice": choice,
    }
    assert sent.dropped == ()


def test_the_tool_for_the_answer_stands_beside_the_callers(encode: Any) -> None:
    sent = encode(model=NOVA, tools=[tool("json_answer")], response_format=schema_format())
    names = [t["toolSpec"]["name"] for t in sent.body["toolConfig"]["tools"]]
    assert names == ["json_answer", "json_answer_2"]
    assert sent.body["toolConfig"]["toolChoice"] == {"any": {}}


@pytest.mark.parametrize(("model", "kind"), [(TITAN, "json_schema"), (CLAUDE_45, "json_object")])
def test_where_nothing_else_can_be_done_words_ask_for_json(
    encode: Any, model: str, kind: str
) -> None:
    asked = schema_format() if kind == "json_schema" else {"type": kind}
    sent = encode(model=model, response_format=asked)
    assert "JSON" in sent.body["system"][-1]["text"]
    assert sent.dropped == ("response_format",)


def test_text_is_what_comes_anyway(encode: Any) -> None:
    assert encode(response_format={"type": "text"}).dropped == ()


def test_an_unknown_format_is_named(exchange: Any) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        exchange(response_format={"type": "yaml"})
    assert caught.value.param == "response_format.type"
