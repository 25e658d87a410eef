from collections.abc import Callable
from typing import Any

import pytest

from router.errors import InvalidRequestError

Encode = Callable[..., Any]

PNG = "iVBORw0KGgo="
IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
INLINE = {"inlineData": {"mimeType": "image/png", "data": PNG}}


def call(told: str, name: str = "look", arguments: str = "{}") -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"id": told, "type": "function", "function": function}


def calling(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": list(calls)}


def result(told: str, content: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": told, "content": content}


def test_leading_instructions_become_the_systems(encode: Encode) -> None:
    made = encode(
        messages=[
            {"role": "system", "content": "One"},
            {"role": "developer", "content": [{"type": "text", "text": "Two"}]},
            {"role": "user", "content": "Hi"},
        ]
    )

    assert made.body["systemInstruction"] == {"parts": [{"text": "One"}, {"text": "Two"}]}
    assert made.body["contents"] == [{"role": "user", "parts": [{"text": "Hi"}]}]
    assert made.dropped == ()


def test_a_later_instruction_is_hoisted_and_reported(encode: Encode) -> None:
    messages = [{"role": "user", "content": "Hi"}, {"role": "system", "content": "Late"}]
    made = encode(messages=messages)

    assert made.body["systemInstruction"] == {"parts": [{"text": "Late"}]}
    assert made.dropped == ("messages.[1].role",)


def test_instructions_that_are_no_text_are_refused(encode: Encode) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        encode(messages=[{"role": "system", "content": [IMAGE]}])

    assert caught.value.param == "messages.[0].content"


def test_messages_of_one_role_stay_apart(encode: Encode) -> None:
    made = encode(messages=[{"role": "user", "content": text} for text in ("a", "b")])

    assert [content["parts"] for content in made.body["contents"]] == [
        [{"text": "a"}],
        [{"text": "b"}],
    ]


def test_calls_and_results_keep_the_callers_ids(encode: Encode) -> None:
    made = encode(
        messages=[calling(call("call_1", arguments='{"n":1.0}')), result("call_1", '{"a": 1e2}')]
    )

    assert made.body["contents"] == [
        {
            "role": "model",
            "parts": [{"functionCall": {"id": "call_1", "name": "look", "args": {"n": 1.0}}}],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "call_1", "name": "look", "response": {"a": 100.0}}}
            ],
        },
    ]
    assert '"args":{"n":1.0}' in made.text
    assert '"response":{"a": 1e2}' in made.text


def test_ids_that_we_made_never_go_out_and_results_stand_in_the_order_of_calls(
    encode: Encode,
) -> None:
    first, second = "call_gemini_r_0", "call_gemini_r_1"
    made = encode(
        messages=[
            calling(call(first), call(second, "listen")),
            result(second, "heard"),
            result(first, "seen"),
        ]
    )

    assert made.body["contents"] == [
        {
            "role": "model",
            "parts": [
                {"functionCall": {"name": "look", "args": {}}},
                {"functionCall": {"name": "listen", "args": {}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "look", "response": {"output": "seen"}}},
                {"functionResponse": {"name": "listen", "response": {"output": "heard"}}},
            ],
        },
    ]


@pytest.mark.parametrize(
    ("content", "response"),
    [
        ("sunny", {"output": "sunny"}),
        ("", {}),
        ("[1, 2]", {"output": "[1, 2]"}),
        ('{"error": "none"}', {"error": "none"}),
        ('{"broken', {"output": '{"broken'}),
        ([{"type": "text", "text": "sunny"}], {"output": "sunny"}),
    ],
)
def test_a_result_is_the_object_that_it_is_or_an_output(
    content: Any, response: dict[str, Any], encode: Encode
) -> None:
    made = encode(messages=[calling(call("c")), result("c", content)])

    assert made.parts[0]["functionResponse"]["response"] == response


def test_a_result_is_an_error_if_the_caller_says_so(encode: Encode) -> None:
    made = encode(messages=[calling(call("c")), result("c", "no") | {"is_error": True}])

    assert made.parts[0]["functionResponse"]["response"] == {"error": "no"}


def test_media_stand_inside_a_result_where_the_family_takes_them(encode: Encode) -> None:
    messages = [calling(call("c")), result("c", [IMAGE])]

    inside = encode(messages=messages, model="gemini-3-flash-preview")
    assert inside.parts[0]["functionResponse"]["parts"] == [INLINE]
    assert inside.parts[0]["functionResponse"]["response"] == {}
    beside = encode(messages=messages, model="gemini-2.5-flash")
    assert "parts" not in beside.parts[0]["functionResponse"]
    assert beside.parts[1:] == [INLINE]


def test_a_result_of_no_call_is_refused_unless_it_says_its_name(encode: Encode) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        encode(messages=[result("nowhere", "x")])
    assert caught.value.param == "messages.[0].tool_call_id"

    named = encode(messages=[result("nowhere", "x") | {"name": "look"}])
    assert named.parts[0]["functionResponse"]["name"] == "look"


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "wizard", "content": "x"}, "messages.[0].role"),
        ({"content": "x"}, "messages.[0].role"),
        ({"role": "tool", "content": "x"}, "messages.[0].tool_call_id"),
        (
            {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
            "messages.[0].function_call",
        ),
        (calling(call("c", arguments="[1]")), "messages.[0].tool_calls.[0].function.arguments"),
        (calling(call("c", arguments="{")), "messages.[0].tool_calls.[0].function.arguments"),
        (calling(call("c", name="")), "messages.[0].tool_calls.[0].function.name"),
        (calling(call("c") | {"type": "custom"}), "messages.[0].tool_calls.[0].type"),
        ({"role": "assistant", "audio": {"id": "a"}}, "messages.[0].audio.data"),
    ],
)
def test_what_is_not_as_openai_has_it_is_refused_by_its_place(
    message: dict[str, Any], param: str, encode: Encode
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        encode(messages=[message])

    assert caught.value.param == param


def test_members_that_say_something_new_are_reported(encode: Encode) -> None:
    made = encode(messages=[{"role": "user", "content": "Hi", "name": "Bob", "refusal": None}])

    assert made.dropped == ("messages.[0].name",)


def test_names_that_gemini_refuses_are_changed_and_changed_back(exchange: Any) -> None:
    tool = {"type": "function", "function": {"name": "2nd look/é"}}
    made = exchange(tools=[tool], messages=[calling(call("c", "2nd look/é")), result("c", "x")])
    text = made.http.body.decode()

    assert text.count('"name":"_nd_look__"') == 3
    answer = b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"_nd_look__"}}]}}]}'
    assert '"name":"2nd look/é"' in made.decode_response(answer).body.decode()
