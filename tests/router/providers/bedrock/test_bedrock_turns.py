"""Messages: turns, parts, tool results, replayed reasoning."""

import base64
from typing import Any

import pytest

from router.errors import InvalidRequestError
from router.providers.bedrock.draft import Titles

CLAUDE_45 = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
OPUS_48 = "us.anthropic.claude-opus-4-8-v1"
NOVA = "us.amazon.nova-pro-v1:0"
KIMI = "moonshot.kimi-k2-thinking"
DATA = base64.b64encode(b"data").decode()
CACHED = {"cache_control": {"type": "ephemeral"}}
POINT = {"cachePoint": {"type": "default"}}
USER = {"role": "user", "content": "Hi"}


def call(id_: str, arguments: object = "{}", name: str = "f") -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def user(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


def blocks(encode: Any, *parts: dict[str, Any], **fields: Any) -> Any:
    sent = encode(messages=user(*parts), **fields)
    assert sent.dropped == ()
    return sent.body["messages"][0]["content"]


def test_the_leading_run_of_system_messages_is_hoisted(encode: Any) -> None:
    sent = encode(
        messages=[
            {"role": "system", "content": "a"},
            {"role": "developer", "content": [{"type": "text", "text": "b", **CACHED}]},
            USER,
        ]
    )
    assert sent.body["system"] == [{"text": "a"}, {"text": "b"}, POINT]
    assert sent.body["messages"] == [{"role": "user", "content": [{"text": "Hi"}]}]


def test_a_later_system_message_stays_where_the_family_takes_it(encode: Any) -> None:
    messages = [USER, {"role": "system", "content": "now"}]
    sent = encode(model=OPUS_48, messages=messages)
    assert [turn["role"] for turn in sent.body["messages"]] == ["user", "system"]
    sent = encode(model=CLAUDE_45, messages=messages)
    assert sent.body["system"] == [{"text": "now"}]
    assert sent.dropped == ("messages.[1].role",)


def test_turns_of_one_role_are_one_and_results_stand_first(encode: Any) -> None:
    sent = encode(
        messages=[
            {"role": "assistant", "content": None, "tool_calls": [call("a"), call("b", '{"x":1}')]},
            {"role": "user", "content": "wait"},
            {"role": "tool", "tool_call_id": "a", "content": "1"},
            {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "2"}]},
        ]
    )
    first, second = sent.body["messages"]
    assert first["content"] == [
        {"toolUse": {"toolUseId": "a", "name": "f", "input": {}}},
        {"toolUse": {"toolUseId": "b", "name": "f", "input": {"x": 1}}},
    ]
    assert second["content"] == [
        {"toolResult": {"toolUseId": "a", "content": [{"text": "1"}]}},
        {"toolResult": {"toolUseId": "b", "content": [{"text": "2"}]}},
        {"text": "wait"},
    ]


@pytest.mark.parametrize(("is_error", "status"), [(True, "error"), (False, "success")])
def test_whether_a_result_is_an_error_is_the_callers_word(
    encode: Any, is_error: bool, status: str
) -> None:
    result = {"role": "tool", "tool_call_id": "a", "content": "", "is_error": is_error}
    sent = encode(messages=[result])
    assert sent.body["messages"][0]["content"] == [
        {"toolResult": {"toolUseId": "a", "content": [], "status": status}}
    ]


def test_a_cache_mark_in_a_result_stands_behind_it(encode: Any) -> None:
    parts = [{"type": "text", "text": "1", **CACHED}]
    sent = encode(messages=[{"role": "tool", "tool_call_id": "a", "content": parts}])
    (result, point) = sent.body["messages"][0]["content"]
    assert result["toolResult"]["content"] == [{"text": "1"}]
    assert point == POINT


def test_a_result_holds_images_documents_videos_and_json(encode: Any) -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DATA}"}},
        {"type": "json", "json": {"a": [1]}},
        {"type": "file", "file": {"filename": "a.csv", "file_data": f"data:text/csv;base64,{DATA}"}},
        {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{DATA}"}},
        {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "x"}]},
    ]  # fmt: skip
    sent = encode(messages=[{"role": "tool", "tool_call_id": "a", "content": parts}])
    content = sent.body["messages"][0]["content"][0]["toolResult"]["content"]
    assert [next(iter(block)) for block in content] == [
        "image", "json", "document", "video", "searchResult",
    ]  # fmt: skip


def test_a_result_cannot_hold_sound(exchange: Any) -> None:
    parts = [{"type": "input_audio", "input_audio": {"data": DATA, "format": "wav"}}]
    with pytest.raises(InvalidRequestError) as caught:
        exchange(messages=[{"role": "tool", "tool_call_id": "a", "content": parts}])
    assert caught.value.param == "messages.[0].content"


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            {"type": "image_url", "image_url": {"url": f"data:image/jpg;base64,{DATA}"}},
            {"image": {"format": "jpeg", "source": {"bytes": DATA}}},
        ),
        (
            {"type": "image_url", "image_url": "s3://bucket/a.png"},
            {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://bucket/a.png"}}}},
        ),
        (
            {"type": "video_url", "video_url": {"url": "s3://bucket/a.mov"}},
            {"video": {"format": "mov", "source": {"s3Location": {"uri": "s3://bucket/a.mov"}}}},
        ),
        (
            {"type": "input_audio", "input_audio": {"data": DATA, "format": "mp3"}},
            {"audio": {"format": "mp3", "source": {"bytes": DATA}}},
        ),
        (
            {"type": "file", "file": {"filename": "My  report_v2.pdf", "file_data": DATA}},
            {"document": {"format": "pdf", "name": "My report-v2", "source": {"bytes": DATA}}},
        ),
        (
            {"type": "file", "file": {"file_data": f"data:text/markdown;base64,{DATA}"}},
            {"document": {"format": "md", "name": "document", "source": {"bytes": DATA}}},
        ),
        (
            {
                "type": "file",
                "citations": {"enabled": True},
                "file": {"filename": "x", "file_data": f"data:text/plain;base64,{DATA}"},
            },
            {
                "document": {
                    "format": "txt",
                    "name": "x",
                    "citations": {"enabled": True},
                    "source": {"bytes": DATA},
                }
            },
        ),
        (
            {"type": "file", "file": {"file_id": "s3://bucket/a.docx"}},
            {
                "document": {
                    "format": "docx",
                    "name": "document",
                    "source": {"s3Location": {"uri": "s3://bucket/a.docx"}},
                }
            },
        ),
        (
            {"type": "file", "file": {"filename": "a.png", "file_data": f"data:image/png;base64,{DATA}"}},
            {"image": {"format": "png", "source": {"bytes": DATA}}},
        ),
        (
            {
                "type": "file",
                "file": {"filename": "a.mkv", "file_data": f"data:application/octet-stream;base64,{DATA}"},
            },
            {"video": {"format": "mkv", "source": {"bytes": DATA}}},
        ),
        (
            {"type": "guarded_text", "text": "t", "qualifiers": ["query"]},
            {"guardContent": {"text": {"text": "t", "qualifiers": ["query"]}}},
        ),
        (
            {"type": "document", "document": {"format": "txt", "name": "n", "source": {"text": "t"}}},
            {"document": {"format": "txt", "name": "n", "source": {"text": "t"}}},
        ),
        ({"type": "refusal", "refusal": "no"}, {"text": "no"}),
    ],
)  # fmt: skip
def test_a_part_has_its_block(encode: Any, part: dict[str, Any], block: dict[str, Any]) -> None:
    assert blocks(encode, part) == [block]
    assert blocks(encode, {**part, **CACHED}) == [block, POINT]


def test_a_cache_mark_keeps_its_time(encode: Any) -> None:
    part = {"type": "text", "text": "t", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    assert blocks(encode, part)[1] == {"cachePoint": {"type": "default", "ttl": "1h"}}


def test_empty_texts_are_left_out(encode: Any) -> None:
    assert blocks(encode, {"type": "text", "text": ""}, {"type": "text", "text": "x"}) == [
        {"text": "x"}
    ]


def test_a_detail_that_cannot_be_told_is_reported(encode: Any) -> None:
    image = {"url": f"data:image/png;base64,{DATA}", "detail": "low"}
    sent = encode(messages=user({"type": "image_url", "image_url": image}))
    assert sent.dropped == ("messages.[0].content.[0].image_url.detail",)


@pytest.mark.parametrize(
    ("part", "param"),
    [
        ({"type": "image_url", "image_url": {"url": "https://x/a.png"}}, ".image_url"),
        (
            {"type": "image_url", "image_url": {"url": f"data:image/tiff;base64,{DATA}"}},
            ".image_url",
        ),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,?"}}, ".image_url"),
        ({"type": "image_url", "image_url": {"url": "s3://b/a"}}, ".image_url"),
        ({"type": "file", "file": {"file_id": "file-1"}}, ".file.file_id"),
        ({"type": "file", "file": {}}, ".file"),
        ({"type": "file", "file": {"file_data": f"data:application/zip;base64,{DATA}"}}, ".file"),
        ({"type": "hologram"}, ""),
        ({"type": "image"}, ""),
        ({"type": "text"}, ".text"),
    ],
)
def test_content_that_cannot_be_carried_is_named(
    exchange: Any, part: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        exchange(messages=user(part))
    assert caught.value.param == f"messages.[0].content.[0]{param}"


@pytest.mark.parametrize("key", ["audio", "function_call"])
def test_an_assistants_content_does_not_vanish(exchange: Any, key: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        exchange(messages=[{"role": "assistant", "content": "x", key: {"id": "1"}}])
    assert caught.value.param == f"messages.[0].{key}"


def test_no_two_documents_have_one_name() -> None:
    titles = Titles()
    names = [
        titles.for_file(name) for name in ("a", "a", "a 2", "", "", "é_é", "x" * 300, "x" * 300)
    ]
    assert names[:5] == ["a", "a 2", "a 2 2", "document", "document 2"]
    assert len(set(names)) == len(names)
    assert all(len(name) <= 200 for name in names)


THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "sig"}
SAID = {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "sig"}}}


def assistant_blocks(encode: Any, model: str, dropped: tuple[str, ...] = (), **message: Any) -> Any:
    turn = {"role": "assistant", "content": "a", **message}
    sent = encode(model=model, messages=[USER, turn, USER])
    assert sent.dropped == dropped
    return sent.body["messages"][1]["content"]


@pytest.mark.parametrize("model", [CLAUDE_45, NOVA])
def test_signed_reasoning_is_replayed(encode: Any, model: str) -> None:
    redacted = {"type": "redacted_thinking", "data": DATA}
    assert assistant_blocks(encode, model, thinking_blocks=[THOUGHT, redacted]) == [
        SAID,
        {"reasoningContent": {"redactedContent": DATA}},
        {"text": "a"},
    ]


def test_reasoning_in_openrouters_spelling_is_replayed(encode: Any) -> None:
    detail = {"type": "reasoning.text", "text": "hm", "signature": "sig"}
    encrypted = {"type": "reasoning.encrypted", "data": DATA}
    made = assistant_blocks(encode, CLAUDE_45, reasoning_details=[detail, encrypted])
    assert made[:2] == [SAID, {"reasoningContent": {"redactedContent": DATA}}]


def test_unsigned_reasoning_is_replayed_to_models_that_sign_none(encode: Any) -> None:
    text = {"reasoningContent": {"reasoningText": {"text": "hm"}}}
    assert assistant_blocks(encode, KIMI, reasoning_content="hm")[0] == text
    unsigned = {"type": "thinking", "thinking": "hm"}
    assert assistant_blocks(encode, KIMI, thinking_blocks=[unsigned])[0] == text


def test_unsigned_reasoning_for_claude_is_reported(encode: Any) -> None:
    where = "messages.[1]."
    unsigned = {"type": "thinking", "thinking": "hm"}
    made = assistant_blocks(
        encode, CLAUDE_45, (where + "thinking_blocks",), thinking_blocks=[unsigned]
    )
    assert made == [{"text": "a"}]
    assistant_blocks(encode, CLAUDE_45, (where + "reasoning_content",), reasoning_content="hm")


def test_a_turn_whose_order_is_known_comes_out_as_it_was(encode: Any) -> None:
    cited = {"title": "t", "location": {"web": {"url": "u"}}}
    made = assistant_blocks(
        encode,
        CLAUDE_45,
        content="onetwo",
        tool_calls=[call("t1")],
        citations=[{"index": 0, **cited}],
        block_order=[
            {"type": "text", "length": 3, "citations": 1},
            {"type": "tool_call"},
            {"type": "text", "length": 3},
        ],
    )
    assert made == [
        {"citationsContent": {"content": [{"text": "one"}], "citations": [cited]}},
        {"toolUse": {"toolUseId": "t1", "name": "f", "input": {}}},
        {"text": "two"},
    ]


def test_blocks_of_bedrocks_own_are_replayed_as_they_are(encode: Any) -> None:
    use = {"toolUseId": "s1", "name": "nova_grounding", "input": {}, "type": "server_tool_use"}
    made = assistant_blocks(encode, NOVA, provider_blocks=[{"index": 0, "toolUse": use}])
    assert made == [{"toolUse": use}, {"text": "a"}]


def test_a_prefill_for_claude_has_no_white_space_at_its_end(encode: Any) -> None:
    messages = [USER, {"role": "assistant", "content": "So: \n"}]
    assert encode(model=CLAUDE_45, messages=messages).body["messages"][1]["content"] == [
        {"text": "So:"}
    ]
    assert encode(model=NOVA, messages=messages).body["messages"][1]["content"] == [
        {"text": "So: \n"}
    ]
    messages = [USER, {"role": "assistant", "content": " \n"}]
    assert len(encode(model=CLAUDE_45, messages=messages).body["messages"]) == 1


def test_names_and_ids_are_made_to_fit(encode: Any) -> None:
    long = "n" * 70
    sent = encode(
        messages=[
            {"role": "assistant", "tool_calls": [call("functions.f:0"), call("id with space", name=long)]},
            {"role": "tool", "tool_call_id": "id with space", "content": "x"},
        ],
        tools=[{"type": "function", "function": {"name": long}}],
    )  # fmt: skip
    first, second = (b["toolUse"] for b in sent.body["messages"][0]["content"])
    assert first["toolUseId"] == "functions.f:0"
    assert second["toolUseId"] == "id_with_space"
    result = sent.body["messages"][1]["content"][0]["toolResult"]
    assert result["toolUseId"] == "id_with_space"
    assert sent.body["toolConfig"]["tools"][0]["toolSpec"]["name"] == second["name"] == "n" * 64


@pytest.mark.parametrize("arguments", ["[1]", "{", "nul", '"x"'])
def test_arguments_that_are_no_object_are_named(exchange: Any, arguments: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        exchange(messages=[{"role": "assistant", "tool_calls": [call("a", arguments)]}])
    assert caught.value.param == "messages.[0].tool_calls.[0].function.arguments"


def test_arguments_keep_their_text(encode: Any) -> None:
    calls = [call("a", '{"b": 1.50, "a": 10000000000000000000000}')]
    sent = encode(messages=[{"role": "assistant", "tool_calls": calls}])
    assert '{"b": 1.50, "a": 10000000000000000000000}' in sent.text


def test_members_that_are_not_known_are_reported(encode: Any) -> None:
    sent = encode(messages=[{**USER, "name": "Bo"}])
    assert sent.dropped == ("messages.[0].name",)


def test_an_unknown_role_is_named(exchange: Any) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        exchange(messages=[{"role": "function", "content": "x"}])
    assert caught.value.param == "messages.[0].role"
