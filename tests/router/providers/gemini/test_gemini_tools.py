from collections.abc import Callable
from typing import Any

import pytest

from router.errors import InvalidRequestError

Encode = Callable[..., Any]

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": ["string", "null"]}},
    "additionalProperties": False,
}


def function(name: str = "look", **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **more}}


def calling(mode: str, *names: str) -> dict[str, Any]:
    config: dict[str, Any] = {"mode": mode}
    return {
        "functionCallingConfig": config | ({"allowedFunctionNames": list(names)} if names else {})
    }


def test_a_function_goes_with_its_whole_schema(encode: Encode) -> None:
    made = encode(tools=[function(description="Looks", parameters=SCHEMA), function("bare")])

    looks = {"name": "look", "description": "Looks", "parametersJsonSchema": SCHEMA}
    assert made.body["tools"] == [{"functionDeclarations": [looks, {"name": "bare"}]}]
    assert "toolConfig" not in made.body
    assert made.dropped == ()


def test_a_schema_keeps_its_spelling(exchange: Callable[..., Any]) -> None:
    made = exchange(tools=[function(parameters={"type": "object", "maximum": 1.0})])

    assert b'"maximum": 1.0' in made.http.body


@pytest.mark.parametrize(
    "tool",
    [
        {"google_search": {"a": 1}},
        {"googleSearch": {"a": 1}},
        {"type": "google_search", "google_search": {"a": 1}},
    ],
)
def test_geminis_own_tools_pass_in_either_spelling(tool: dict[str, Any], encode: Encode) -> None:
    assert encode(tools=[tool]).body["tools"] == [{"googleSearch": {"a": 1}}]


def test_one_of_geminis_own_tools_may_be_named_alone(encode: Encode) -> None:
    made = encode(tools=[{"type": "code_execution"}, function()])

    assert made.body["tools"] == [
        {"functionDeclarations": [{"name": "look"}]},
        {"codeExecution": {}},
    ]


def test_web_search_is_geminis_own_tool(encode: Encode) -> None:
    made = encode(web_search_options={"search_context_size": "low"})

    assert made.body["tools"] == [{"googleSearch": {}}]
    assert made.dropped == ("web_search_options.search_context_size",)
    assert encode(web_search_options={}, tools=[{"googleSearch": {}}]).body["tools"] == [
        {"googleSearch": {}}
    ]
    assert "tools" not in encode(web_search_options=None).body


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        ("auto", calling("AUTO")),
        ("required", calling("ANY")),
        ("none", calling("NONE")),
        ({"type": "function", "function": {"name": "look"}}, calling("ANY", "look")),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [function()]}},
            calling("ANY", "look"),
        ),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [function()]}},
            calling("VALIDATED", "look"),
        ),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "none", "tools": []}},
            calling("NONE"),
        ),
    ],
)
def test_a_choice_is_a_mode(choice: Any, config: dict[str, Any], encode: Encode) -> None:
    assert encode(tools=[function()], tool_choice=choice).body["toolConfig"] == config


def test_a_choice_without_functions_is_reported_if_it_asks_for_one(encode: Encode) -> None:
    assert encode(tool_choice="required").dropped == ("tool_choice",)
    assert encode(tool_choice="auto").dropped == ()


@pytest.mark.parametrize(
    ("choice", "config"),
    [(None, calling("VALIDATED")), ("auto", calling("VALIDATED")), ("required", calling("ANY"))],
)
def test_strict_functions_are_called_by_their_schema(
    choice: str | None, config: dict[str, Any], encode: Encode
) -> None:
    made = encode(tools=[function(strict=True)], tool_choice=choice)

    assert made.body["toolConfig"] == config
    assert made.dropped == ()


def test_strict_is_reported_where_the_family_has_no_such_mode(encode: Encode) -> None:
    made = encode(tools=[function(strict=True)], model="gemini-2.0-flash")

    assert "toolConfig" not in made.body
    assert made.dropped == ("tools.[0].function.strict",)


def test_one_call_at_a_time_cannot_be_asked_for(encode: Encode) -> None:
    assert encode(tools=[function()], parallel_tool_calls=False).dropped == ("parallel_tool_calls",)
    assert encode(tools=[function()], parallel_tool_calls=True).dropped == ()
    assert encode(parallel_tool_calls=False).dropped == ()


def test_what_a_tool_says_besides_is_reported(encode: Encode) -> None:
    made = encode(tools=[{**function(strict=False, x=1), "cache_control": {"type": "ephemeral"}}])

    assert made.dropped == ("tools.[0].cache_control", "tools.[0].function.x")


@pytest.mark.parametrize(
    ("asked", "config"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, {"responseMimeType": "application/json"}),
        (
            {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": SCHEMA}},
            {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
        ),
        (
            {"type": "json_schema", "json_schema": {"name": "a"}},
            {"responseMimeType": "application/json"},
        ),
    ],
)
def test_the_form_of_the_answer_is_told(asked: Any, config: Any, encode: Encode) -> None:
    made = encode(response_format=asked)

    assert made.body.get("generationConfig") == config
    assert made.dropped == ()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"function": {"name": "x"}}]}, "tools.[0].type"),
        ({"tools": [{"type": "custom", "custom": {}}]}, "tools.[0].type"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools.[0].function.name"),
        ({"tools": [function(parameters=[])]}, "tools.[0].function.parameters"),
        ({"tool_choice": "maybe"}, "tool_choice"),
        ({"tool_choice": {"type": "custom"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function.name"),
        (
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "x"}}},
            "tool_choice.allowed_tools.mode",
        ),
        ({"response_format": {"type": "grammar"}}, "response_format.type"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": []}}},
            "response_format.json_schema.schema",
        ),
    ],
)
def test_what_is_not_as_openai_has_it_is_refused_by_its_name(
    fields: dict[str, Any], param: str, encode: Encode
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        encode(**fields)

    assert caught.value.param == param
