import base64
from typing import Any

import pytest

from router.errors import InvalidRequestError

PNG = base64.b64encode(b"\x89PNG").decode()
PDF = base64.b64encode(b"%PDF-1.4").decode()
TEXT = base64.b64encode("Grüße".encode()).decode()


def image(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def file(**fields: Any) -> dict[str, Any]:
    return {"type": "file", "file": fields}


@pytest.mark.parametrize(
    ("part", "block"),
    [
        ({"type": "text", "text": "a"}, {"type": "text", "text": "a"}),
        (
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        ),
        (
            image(f"data:image/png;base64,{PNG}"),
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": PNG},
            },
        ),
        (
            image(f"data:image/JPG;charset=utf-8;base64,{PNG}", detail="auto"),
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/jpeg", "data": PNG},
            },
        ),
        (
            {"type": "image_url", "image_url": "https://example.org/a.png"},
            {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
        ),
        (
            {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
            {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
        ),
        (
            file(file_data=f"data:application/pdf;base64,{PDF}", filename="a.pdf"),
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
                "title": "a.pdf",
            },
        ),
        (
            file(file_data=PDF),
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
            },
        ),
        (
            file(file_data=f"data:text/plain;base64,{TEXT}"),
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "Grüße"},
            },
        ),
        (
            file(file_data="https://example.org/a.pdf"),
            {"type": "document", "source": {"type": "url", "url": "https://example.org/a.pdf"}},
        ),
        (
            file(file_id="file_1"),
            {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
        ),
    ],
)
def test_parts_become_blocks(encode: Any, part: dict[str, Any], block: dict[str, Any]) -> None:
    sent = encode(messages=[{"role": "user", "content": [part]}])
    assert sent.body["messages"] == [{"role": "user", "content": [block]}]
    assert sent.dropped == ()


def test_an_assistants_thinking_may_stand_among_its_parts(encode: Any) -> None:
    thinking = {"type": "thinking", "thinking": "Hm", "signature": "sig"}
    parts = [thinking, {"type": "text", "text": "a"}]
    sent = encode(messages=[{"role": "assistant", "content": parts}])
    assert sent.body["messages"] == [{"role": "assistant", "content": parts}]


def test_empty_texts_are_left_out_and_never_replaced(encode: Any) -> None:
    parts = [{"type": "text", "text": ""}, image("https://example.org/a.png")]
    sent = encode(messages=[{"role": "user", "content": parts}, {"role": "user", "content": ""}])
    assert [block["type"] for block in sent.body["messages"][0]["content"]] == ["image"]


def test_a_level_of_detail_is_reported(encode: Any) -> None:
    part = image("https://example.org/a.png", detail="low")
    sent = encode(messages=[{"role": "user", "content": [part]}])
    assert sent.dropped == ("messages.[0].content.[0].image_url.detail",)


@pytest.mark.parametrize(
    ("part", "param"),
    [
        ({"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}, ""),
        ({"type": "video_url", "video_url": {"url": "x"}}, ""),
        ({"text": "no type"}, ".type"),
        ({"type": "text"}, ".text"),
        ({"type": "text", "text": 5}, ".text"),
        ({"type": "image_url"}, ".image_url.url"),
        (image("ftp://example.org/a.png"), ".image_url"),
        (image("data:image/png,raw"), ".image_url"),
        (image("data:image/tiff;base64,AAAA"), ".image_url"),
        (image("data:image/png;base64,!!!"), ".image_url"),
        (file(), ".file"),
        (file(file_data="not base64"), ".file.file_data"),
        (file(file_data="data:audio/wav;base64,AAAA"), ".file.file_data"),
        (file(file_data="data:text/plain;base64,/w=="), ".file.file_data"),
    ],
)
def test_a_part_that_cannot_be_carried_is_refused_by_name(
    encode: Any, part: dict[str, Any], param: str
) -> None:
    parts = [{"type": "text", "text": "a"}, part]
    with pytest.raises(InvalidRequestError) as caught:
        encode(messages=[{"role": "user", "content": parts}])
    assert caught.value.param == f"messages.[0].content.[1]{param}"


def test_results_of_tools_may_hold_images(encode: Any) -> None:
    parts = [{"type": "text", "text": "a"}, image("https://example.org/a.png")]
    sent = encode(messages=[{"role": "tool", "tool_call_id": "t", "content": parts}])
    (result,) = sent.body["messages"][0]["content"]
    assert [block["type"] for block in result["content"]] == ["text", "image"]


def test_a_file_may_ask_for_citations_and_give_context(encode: Any) -> None:
    part = {
        "type": "file",
        "file": {"file_data": "data:text/plain;base64,SGFsbG8=", "filename": "greeting"},
        "citations": {"enabled": True},
        "context": "A greeting.",
        "cache_control": {"type": "ephemeral"},
    }

    sent = encode(messages=[{"role": "user", "content": [part]}])

    assert sent.body["messages"][0]["content"] == [
        {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": "Hallo"},
            "title": "greeting",
            "citations": {"enabled": True},
            "context": "A greeting.",
            "cache_control": {"type": "ephemeral"},
        }
    ]


@pytest.mark.parametrize("kind", ["server_tool_use", "web_fetch_tool_result", "tool_addition"])
def test_the_providers_own_blocks_pass_as_parts(encode: Any, kind: str) -> None:
    block = {"type": kind, "anything": [1, 2.50]}

    sent = encode(messages=[{"role": "assistant", "content": [block]}])

    assert sent.body["messages"][0]["content"] == [block]


def test_bare_base64_is_of_the_type_that_the_name_of_its_file_tells(encode: Any) -> None:
    file = {"filename": "notes.txt", "file_data": "aGVsbG8="}

    sent = encode(messages=[{"role": "user", "content": [{"type": "file", "file": file}]}])

    source = {"type": "text", "media_type": "text/plain", "data": "hello"}
    document = {"type": "document", "source": source, "title": "notes.txt"}
    assert sent.body["messages"][0]["content"] == [document]
