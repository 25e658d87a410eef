from typing import Any

import pytest

from router.errors import InvalidRequestError
from tests.router.providers.cohere.conftest import Encode

USER = {"role": "user", "content": "Hi"}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
PNG = "data:image/png;base64,iVBORw0KGgo="


def second(encode: Encode, message: dict[str, Any], **fields: Any) -> dict[str, Any]:
    made = encode(messages=[USER, message], **fields)
    assert made.dropped == ()
    found: dict[str, Any] = made.body["messages"][1]
    return found


def test_roles_stay_where_they_are_and_developer_is_system(encode: Encode) -> None:
    roles = ["system", "user", "developer", "user", "assistant"]
    made = encode(messages=[{"role": role, "content": role} for role in roles])

    assert made.body["messages"] == [
        {"role": "system" if role == "developer" else role, "content": role} for role in roles
    ]


def test_an_image_goes_as_it_is_by_address_or_by_value(encode: Encode) -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "high"}},
        {"type": "image_url", "image_url": PNG},
        {"type": "file", "file": {"file_data": PNG}},
    ]
    sent = second(encode, {"role": "user", "content": parts})

    assert sent["content"] == [
        {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "high"}},
        {"type": "image_url", "image_url": {"url": PNG}},
        {"type": "image_url", "image_url": {"url": PNG}},
    ]


def test_a_text_file_and_a_document_part_join_the_callers_documents(encode: Encode) -> None:
    file = {"filename": "a.md", "file_data": "data:text/markdown;base64,IyBB"}
    document = {"id": "d", "data": {"x": "y"}}
    parts = [{"type": "file", "file": file}, {"type": "document", "document": document}]
    made = encode(messages=[{"role": "user", "content": parts}], documents=["own"])

    assert made.body["documents"] == ["own", {"data": {"title": "a.md", "text": "# A"}}, document]
    assert made.body["messages"] == [{"role": "user", "content": ""}]


def test_a_plan_goes_back_as_a_plan_and_is_no_thinking(encode: Encode) -> None:
    message = {"role": "assistant", "tool_plan": "P", "tool_calls": [CALL], "content": None}

    assert second(encode, message | {"reasoning_content": "P"}) == {
        "role": "assistant", "tool_plan": "P", "tool_calls": [CALL],
    }  # fmt: skip
    assert second(encode, message | {"reasoning_content": "TP"})["content"] == [
        {"type": "thinking", "thinking": "T"}
    ]


def test_reasoning_with_calls_is_a_plan_where_the_model_does_not_think(encode: Encode) -> None:
    message = {"role": "assistant", "reasoning_content": "R", "tool_calls": [CALL]}

    assert second(encode, message)["tool_plan"] == "R"
    thought = second(encode, message, model="command-a-reasoning-08-2025")
    assert thought["content"] == [{"type": "thinking", "thinking": "R"}]
    assert "tool_plan" not in thought


@pytest.mark.parametrize(
    "carrier",
    [
        {"reasoning_content": "ab"},
        {"reasoning": "ab"},
        {"thinking_blocks": [{"type": "thinking", "thinking": "a"}, {"thinking": "b"}]},
        {"reasoning_details": [{"type": "reasoning.text", "text": "ab"}]},
        {"reasoning_content": "ab", "thinking_blocks": [{"type": "thinking", "thinking": "ab"}]},
    ],
)
def test_thinking_goes_back_from_every_carrier(encode: Encode, carrier: dict[str, Any]) -> None:
    assert second(encode, {"role": "assistant", "content": "x", **carrier})["content"] == [
        {"type": "thinking", "thinking": "ab"},
        {"type": "text", "text": "x"},
    ]


def test_an_assistants_refusal_is_text(encode: Encode) -> None:
    message = {"role": "assistant", "content": None, "refusal": "No."}

    assert second(encode, message)["content"] == [{"type": "text", "text": "No."}]


def test_arguments_keep_their_text_and_none_are_an_empty_object(encode: Encode) -> None:
    calls = [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1.0}'}},
        {"id": "b", "function": {"name": "g", "arguments": ""}},
    ]
    sent = second(encode, {"role": "assistant", "tool_calls": calls})

    assert [call["function"]["arguments"] for call in sent["tool_calls"]] == ['{"x": 1.0}', "{}"]
    assert [call["type"] for call in sent["tool_calls"]] == ["function", "function"]


def test_a_tools_result_keeps_its_form(encode: Encode) -> None:
    for content in ("out", [{"type": "text", "text": "out"}]):
        sent = second(
            encode, {"role": "tool", "tool_call_id": "c", "name": "f", "content": content}
        )
        assert sent == {"role": "tool", "tool_call_id": "c", "content": content}


def test_members_that_no_message_of_the_providers_has_are_reported(encode: Encode) -> None:
    made = encode(messages=[{**USER, "name": "Ann"}, {"role": "assistant", "content": "x", "z": 1}])

    assert made.dropped == ("messages.[0].name", "messages.[1].z")


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "function", "content": "x"}, "messages.[1].role"),
        ({"content": "x"}, "messages.[1].role"),
        ({"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]},
         "messages.[1].content.[0]"),
        ({"role": "user", "content": [{"type": "text"}]}, "messages.[1].content.[0].text"),
        ({"role": "user", "content": [{"text": "x"}]}, "messages.[1].content.[0].type"),
        ({"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]},
         "messages.[1].content.[0].file"),
        ({"role": "user", "content": [{"type": "file", "file": {"file_data": "JVBERg=="}}]},
         "messages.[1].content.[0].file.file_data"),
        ({"role": "user", "content": [
            {"type": "file", "file": {"file_data": "data:text/plain;base64,/w=="}}]},
         "messages.[1].content.[0].file"),
        ({"role": "user", "content": [{"type": "document"}]}, "messages.[1].content.[0].document"),
        ({"role": "tool", "tool_call_id": "c", "content": [
            {"type": "image_url", "image_url": {"url": PNG}}]}, "messages.[1].content.[0]"),
        ({"role": "tool", "content": "x"}, "messages.[1].tool_call_id"),
        ({"role": "assistant", "audio": {"id": "a"}}, "messages.[1].audio"),
        ({"role": "assistant", "provider_blocks": [{"type": "x"}]}, "messages.[1].provider_blocks"),
        ({"role": "assistant", "tool_calls": [{"id": "a", "type": "custom"}]},
         "messages.[1].tool_calls.[0].type"),
        ({"role": "assistant", "tool_calls": [{"id": "a", "function": {}}]},
         "messages.[1].tool_calls.[0].function.name"),
    ],
)  # fmt: skip
def test_content_that_cannot_be_carried_is_refused_and_named(
    encode: Encode, message: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        encode(messages=[USER, message])

    assert caught.value.param == param


def test_bare_base64_is_of_the_type_that_the_name_of_its_file_tells(encode: Any) -> None:
    files = [
        {"filename": "notes.txt", "file_data": "aGVsbG8="},
        {"filename": "dot.png", "file_data": "iVBORw0KGgo="},
    ]

    sent = encode(
        messages=[{"role": "user", "content": [{"type": "file", "file": file} for file in files]}]
    )

    url = {"url": "data:image/png;base64,iVBORw0KGgo="}
    assert sent.body["documents"] == [{"data": {"title": "notes.txt", "text": "hello"}}]
    assert sent.body["messages"][0]["content"] == [{"type": "image_url", "image_url": url}]


def test_cache_control_on_a_part_is_reported(encode: Any) -> None:
    part = {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}

    sent = encode(messages=[{"role": "user", "content": [part]}])

    assert sent.body["messages"][0]["content"] == [{"type": "text", "text": "a"}]
    assert sent.dropped == ("messages.[0].content.[0].cache_control",)
