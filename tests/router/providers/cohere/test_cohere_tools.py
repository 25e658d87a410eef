from typing import Any

import pytest

from router.errors import InvalidRequestError
from tests.router.providers.cohere.conftest import Encode


def tool(name: str, **function: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {"x": {"type": "integer"}}}
    return {"type": "function", "function": {"name": name, "parameters": parameters, **function}}


@pytest.mark.parametrize(
    ("choice", "sent"),
    [("auto", None), ("required", "REQUIRED"), ("none", "NONE"), (None, None)],
)
def test_a_choice_goes_out_in_the_providers_word(
    encode: Encode, choice: str | None, sent: str | None
) -> None:
    made = encode(tools=[tool("f"), tool("g")], tool_choice=choice)

    assert made.body.get("tool_choice") == sent
    assert [each["function"]["name"] for each in made.body["tools"]] == ["f", "g"]
    assert made.dropped == ()


@pytest.mark.parametrize(
    ("choice", "mode", "names"),
    [
        ({"type": "function", "function": {"name": "g"}}, "REQUIRED", ["g"]),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [
            {"type": "function", "function": {"name": "f"}}]}}, None, ["f"]),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [
            {"type": "function", "function": {"name": "f"}},
            {"type": "function", "function": {"name": "g"}}]}}, "REQUIRED", ["f", "g"]),
    ],
)  # fmt: skip
def test_a_choice_by_name_offers_those_tools_alone(
    encode: Encode, choice: dict[str, Any], mode: str | None, names: list[str]
) -> None:
    made = encode(tools=[tool("f"), tool("g"), tool("h")], tool_choice=choice)

    assert made.body.get("tool_choice") == mode
    assert [each["function"]["name"] for each in made.body["tools"]] == names
    assert made.dropped == ()


def test_a_choice_without_tools_is_reported(encode: Encode) -> None:
    assert encode(tool_choice="required").dropped == ("tool_choice",)
    assert encode(tool_choice="none").dropped == ()


def test_all_tools_are_strict_or_it_is_reported(encode: Encode) -> None:
    both = encode(tools=[tool("f", strict=True), tool("g", strict=True)])
    one = encode(tools=[tool("f", strict=True), tool("g", strict=False)])

    assert (both.body["strict_tools"], both.dropped) == (True, ())
    assert "strict_tools" not in one.body
    assert one.dropped == ("tools.[0].function.strict",)
    assert all("strict" not in each["function"] for each in both.body["tools"])


def test_a_tool_without_parameters_has_an_empty_object_of_them(encode: Encode) -> None:
    made = encode(tools=[{"type": "function", "function": {"name": "f", "description": ""}}])

    assert made.body["tools"] == [
        {"type": "function", "function": {
            "name": "f", "description": "", "parameters": {"type": "object", "properties": {}}}}
    ]  # fmt: skip


def test_what_the_provider_does_not_know_of_a_tool_is_reported_and_not_sent(encode: Encode) -> None:
    made = encode(tools=[tool("f", examples=[1]) | {"cache_control": {"type": "ephemeral"}}])

    assert made.dropped == ("tools.[0].cache_control", "tools.[0].function.examples")
    assert set(made.body["tools"][0]) == {"type", "function"}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools.[0].type"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools.[0].function.name"),
        ({"tools": [tool("f", parameters=[1])]}, "tools.[0].function.parameters"),
        ({"tools": [tool("f")], "tool_choice": "any"}, "tool_choice"),
        ({"tools": [tool("f")], "tool_choice": {"type": "custom"}}, "tool_choice.type"),
        ({"tools": [tool("f")], "tool_choice": {"type": "function", "function": {"name": "g"}}},
         "tool_choice"),
        ({"tools": [tool("f")], "tool_choice": {"type": "allowed_tools", "allowed_tools": {
            "mode": "any", "tools": []}}}, "tool_choice.allowed_tools.mode"),
    ],
)  # fmt: skip
def test_tools_and_choices_that_cannot_be_carried_are_refused(
    encode: Encode, fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        encode(**fields)

    assert caught.value.param == param


def test_the_description_of_a_schema_is_reported(encode: Any) -> None:
    schema = {"type": "object", "properties": {}}
    described = {"name": "answer", "description": "An answer.", "schema": schema}

    sent = encode(response_format={"type": "json_schema", "json_schema": described})

    assert sent.body["response_format"] == {"type": "json_object", "json_schema": schema}
    assert sent.dropped == ("response_format.json_schema.description",)
