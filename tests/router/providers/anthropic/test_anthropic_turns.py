from typing import Any

import pytest

from router.errors import InvalidRequestError

OPUS_48 = "claude-opus-4-8"


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def call(id_: str, arguments: object = "{}", name: str = "f") -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


USER = {"role": "user", "content": "Hi"}
CALLS = {"role": "assistant", "content": None, "tool_calls": [call("t1"), call("t2")]}


def test_the_leading_run_of_system_and_developer_messages_is_hoisted(encode: Any) -> None:
    sent = encode(
        messages=[
            {"role": "system", "content": "a"},
            {
                "role": "developer",
                "content": [{**text("b"), "cache_control": {"type": "ephemeral"}}],
            },
            USER,
        ]
    )
    assert sent.body["system"] == [
        text("a"),
        {**text("b"), "cache_control": {"type": "ephemeral"}},
    ]
    assert [turn["role"] for turn in sent.body["messages"]] == ["user"]
    assert sent.dropped == ()


def test_a_later_system_message_is_hoisted_and_reported(encode: Any) -> None:
    sent = encode(messages=[USER, {"role": "system", "content": "late"}, USER])
    assert sent.body["system"] == [text("late")]
    assert sent.dropped == ("messages.[1].role",)


@pytest.mark.parametrize(
    ("messages", "roles", "dropped"),
    [
        ([USER, {"role": "system", "content": "s"}], ["user", "system"], ()),
        (
            [USER, {"role": "developer", "content": "s"}, {"role": "assistant", "content": "a"}],
            ["user", "system", "assistant"],
            (),
        ),
        (
            [USER, {"role": "system", "content": "s"}, {"role": "system", "content": "t"}],
            ["user", "system"],
            (),
        ),
        ([USER, {"role": "system", "content": "s"}, USER], ["user"], ("messages.[1].role",)),
        (
            [USER, {"role": "assistant", "content": "a"}, {"role": "system", "content": "s"}],
            ["user", "assistant"],
            ("messages.[2].role",),
        ),
    ],
)
def test_a_later_system_message_stays_where_the_family_takes_it(
    encode: Any, messages: object, roles: list[str], dropped: tuple[str, ...]
) -> None:
    sent = encode(model=OPUS_48, messages=messages)
    assert [turn["role"] for turn in sent.body["messages"]] == roles
    assert sent.dropped == dropped


def test_consecutive_messages_of_one_role_become_one_turn(encode: Any) -> None:
    sent = encode(messages=[USER, USER, {"role": "assistant", "content": "a"}, USER])
    assert sent.body["messages"] == [
        {"role": "user", "content": [text("Hi"), text("Hi")]},
        {"role": "assistant", "content": [text("a")]},
        {"role": "user", "content": [text("Hi")]},
    ]


def test_results_of_parallel_calls_stand_first_in_one_turn(encode: Any) -> None:
    sent = encode(
        messages=[
            USER,
            CALLS,
            {"role": "tool", "tool_call_id": "t1", "content": "1"},
            USER,
            {"role": "tool", "tool_call_id": "t2", "content": [text("2"), text("")]},
        ]
    )
    assert sent.body["messages"][2:] == [
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "1"},
                {"type": "tool_result", "tool_use_id": "t2", "content": [text("2")]},
                text("Hi"),
            ],
        }
    ]


def test_whether_a_result_is_an_error_is_the_callers_to_say(encode: Any) -> None:
    result = {"role": "tool", "tool_call_id": "t1", "content": '{"error": "x"}'}
    sent = encode(messages=[USER, CALLS, result, {**result, "is_error": True}])
    assert [block.get("is_error") for block in sent.body["messages"][2]["content"]] == [None, True]


def test_a_history_of_calls_needs_no_tools(encode: Any) -> None:
    sent = encode(messages=[USER, CALLS])
    assert "tools" not in sent.body
    assert sent.body["messages"][1]["content"][0] == {
        "type": "tool_use",
        "id": "t1",
        "name": "f",
        "input": {},
    }


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"b": 1.0, "a": 123456789012345678901234567890}',) * 2,
        (' {"x":1e5}\n', ' {"x":1e5}\n'),
        ("", "{}"),
        ("  ", "{}"),
        (None, "{}"),
    ],
)
def test_arguments_are_embedded_as_they_were_written(
    encode: Any, arguments: str | None, expected: str
) -> None:
    sent = encode(messages=[USER, {"role": "assistant", "tool_calls": [call("t1", arguments)]}])
    assert f'"input":{expected}' in sent.text


@pytest.mark.parametrize("arguments", ["[]", "1", "null", "{", '{"a":1} x', "{'a':1}", {"a": 1}])
def test_arguments_that_are_no_object_are_refused_by_name(encode: Any, arguments: object) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        encode(messages=[USER, {"role": "assistant", "tool_calls": [call("t1", arguments)]}])
    assert caught.value.param == "messages.[1].tool_calls.[0].function.arguments"


def test_ids_that_anthropic_refuses_are_respelt_alike_in_call_and_result(encode: Any) -> None:
    sent = encode(
        messages=[
            USER,
            {"role": "assistant", "tool_calls": [call("call:1"), call("call.1")]},
            {"role": "tool", "tool_call_id": "call.1", "content": "1"},
            {"role": "tool", "tool_call_id": "call:1", "content": "2"},
        ]
    )
    _, calls, results = sent.body["messages"]
    assert [block["id"] for block in calls["content"]] == ["call_1", "call_1_2"]
    assert [block["tool_use_id"] for block in results["content"]] == ["call_1_2", "call_1"]


SIGNED = {"type": "thinking", "thinking": "Hm", "signature": "sig"}
REDACTED = {"type": "redacted_thinking", "data": "xyz"}


@pytest.mark.parametrize(
    ("carried", "expected", "dropped"),
    [
        (
            {"thinking_blocks": [SIGNED, REDACTED], "reasoning_content": "Hm"},
            [SIGNED, REDACTED],
            (),
        ),
        ({"thinking_blocks": [{"index": 0, **SIGNED}]}, [SIGNED], ()),
        (
            {
                "reasoning_details": [
                    {
                        "type": "reasoning.text",
                        "text": "Hm",
                        "signature": "sig",
                        "format": "anthropic-claude-v1",
                    },
                    {"type": "reasoning.encrypted", "data": "xyz"},
                ],
                "reasoning": "Hm",
            },
            [SIGNED, REDACTED],
            (),
        ),
        (
            {"reasoning_details": [{"type": "reasoning.text", "text": "x", "format": "openai"}]},
            [],
            ("messages.[1].reasoning_details",),
        ),
        (
            {"thinking_blocks": [SIGNED, {"type": "thinking", "thinking": "unsigned"}]},
            [SIGNED],
            ("messages.[1].thinking_blocks",),
        ),
        ({"reasoning_content": "unsigned"}, [], ("messages.[1].reasoning_content",)),
        ({"reasoning_content": None, "thinking_blocks": []}, [], ()),
    ],
)
def test_thinking_is_replayed_under_its_signature_alone(
    encode: Any,
    carried: dict[str, Any],
    expected: list[dict[str, Any]],
    dropped: tuple[str, ...],
) -> None:
    message = {"role": "assistant", "content": "Yes", **carried}
    sent = encode(messages=[USER, message, USER])
    assert sent.body["messages"][1]["content"] == [*expected, text("Yes")]
    assert sent.dropped == dropped


def test_replayed_thinking_lets_the_tool_loop_go_on_thinking(encode: Any) -> None:
    result = {"role": "tool", "tool_call_id": "t1", "content": "1"}
    messages = [USER, {**CALLS, "thinking_blocks": [SIGNED]}, result]
    sent = encode(messages=messages, reasoning_effort="low")
    assert sent.body["thinking"] == {"type": "enabled", "budget_tokens": 1_024}
    assert sent.dropped == ()


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"content": "a \n"}, [text("a")]),
        ({"content": [text("a"), text(" ")]}, [text("a")]),
        ({"content": "", "tool_calls": [call("t1")]}, None),
        ({"content": [{"type": "refusal", "refusal": "No"}]}, [text("No")]),
        ({"refusal": "No"}, [text("No")]),
    ],
)
def test_a_prefill_ends_without_white_space(
    encode: Any, message: dict[str, Any], expected: list[dict[str, Any]] | None
) -> None:
    sent = encode(messages=[USER, {"role": "assistant", **message}])
    content = sent.body["messages"][1]["content"]
    assert content == expected or (expected is None and content[0]["type"] == "tool_use")


def test_what_a_message_says_besides_is_reported(encode: Any) -> None:
    sent = encode(
        messages=[
            {"role": "user", "name": "ada", "content": "Hi"},
            {"role": "assistant", "content": "a", "annotations": [], "audio": None, "x": 1},
            USER,
        ]
    )
    assert sent.dropped == ("messages.[0].name", "messages.[1].x")


def test_cache_control_on_a_message_marks_its_last_block(encode: Any) -> None:
    sent = encode(messages=[{**USER, "cache_control": {"type": "ephemeral"}}])
    assert sent.body["messages"][0]["content"] == [
        {**text("Hi"), "cache_control": {"type": "ephemeral"}}
    ]


def test_a_conversation_that_begins_with_an_assistant_is_sent_as_it_is(encode: Any) -> None:
    sent = encode(messages=[{"role": "assistant", "content": "a"}, USER])
    assert [turn["role"] for turn in sent.body["messages"]] == ["assistant", "user"]


def test_long_conversations_take_time_in_proportion(encode: Any) -> None:
    count = 20_000
    calls = [{"role": "tool", "tool_call_id": f"{'.' * 9}{i}", "content": ""} for i in range(count)]
    late = [{"role": "system", "content": "s"} for _ in range(count)]
    names = [{"role": "tool", "tool_call_id": chr(0x4E00 + i), "content": ""} for i in range(count)]
    sent = encode(messages=[USER, *calls, *late, *names])
    assert len(sent.body["messages"][0]["content"]) == 2 * count + 1
    assert len(sent.body["system"]) == count


def test_blocks_of_the_providers_own_are_replayed_as_they_were(encode: Any) -> None:
    block = {"index": 0, "type": "server_tool_use", "id": "s1", "name": "x", "input": {"a": 1.0}}
    message = {"role": "assistant", "content": "a", "provider_blocks": [block]}
    sent = encode(messages=[USER, message, USER])
    replayed = {key: value for key, value in block.items() if key != "index"}
    assert sent.body["messages"][1]["content"] == [replayed, text("a")]
    assert '"input":{"a": 1.0}' in sent.text
