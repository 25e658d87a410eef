from collections.abc import Callable
from typing import Any

import pytest

from router.errors import InvalidRequestError

Encode = Callable[..., Any]

PNG = "iVBORw0KGgo="
PDF = "JVBERi0="
VERTEX = "/v1/projects/p/locations/global/publishers/google/models/{}:generateContent"


def user(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        ({"type": "text", "text": "Hi"}, {"text": "Hi"}),
        (
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
            {"inlineData": {"mimeType": "image/png", "data": PNG}},
        ),
        (
            {"type": "image_url", "image_url": f"data:image/jpg;base64,{PNG}"},
            {"inlineData": {"mimeType": "image/jpeg", "data": PNG}},
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://a.test/cat.webp?v=1"}},
            {"fileData": {"mimeType": "image/webp", "fileUri": "https://a.test/cat.webp?v=1"}},
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://a.test/cat"}},
            {"fileData": {"fileUri": "https://a.test/cat"}},
        ),
        (
            {"type": "image_url", "image_url": {"url": "gs://b/cat", "format": "image/png"}},
            {"fileData": {"mimeType": "image/png", "fileUri": "gs://b/cat"}},
        ),
        (
            {"type": "video_url", "video_url": {"url": "https://youtu.be/abc"}},
            {"fileData": {"mimeType": "video/mp4", "fileUri": "https://youtu.be/abc"}},
        ),
        (
            {"type": "input_audio", "input_audio": {"data": PNG, "format": "wav"}},
            {"inlineData": {"mimeType": "audio/wav", "data": PNG}},
        ),
        (
            {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PDF}"}},
            {"inlineData": {"mimeType": "application/pdf", "data": PDF}},
        ),
        (
            {"type": "file", "file": {"file_data": PDF}},
            {"inlineData": {"mimeType": "application/pdf", "data": PDF}},
        ),
        (
            {"type": "file", "file": {"file_data": "data:audio/L16;rate=24000;base64,AAAA"}},
            {"inlineData": {"mimeType": "audio/L16;rate=24000", "data": "AAAA"}},
        ),
        (
            {"type": "file", "file": {"file_id": "https://g.test/v1beta/files/x", "format": "pdf"}},
            {
                "fileData": {
                    "mimeType": "application/pdf",
                    "fileUri": "https://g.test/v1beta/files/x",
                }
            },
        ),
        (
            {
                "type": "video_url",
                "video_url": {"url": "gs://b/v.mp4"},
                "videoMetadata": {"startOffset": "1s"},
            },
            {
                "fileData": {"mimeType": "video/mp4", "fileUri": "gs://b/v.mp4"},
                "videoMetadata": {"startOffset": "1s"},
            },
        ),
    ],
)
def test_a_part_is_carried(part: dict[str, Any], sent: dict[str, Any], encode: Encode) -> None:
    made = encode(messages=user(part))

    assert made.parts == [sent]
    assert made.dropped == ()


@pytest.mark.parametrize(
    ("part", "param"),
    [
        ({"type": "hologram"}, "messages.[0].content.[0]"),
        ({"text": "no type"}, "messages.[0].content.[0].type"),
        ({"type": "text"}, "messages.[0].content.[0].text"),
        ({"type": "image_url", "image_url": {}}, "messages.[0].content.[0].image_url.url"),
        ({"type": "image_url", "image_url": "ftp://x"}, "messages.[0].content.[0].image_url"),
        (
            {"type": "image_url", "image_url": "data:image/png;base64,?"},
            "messages.[0].content.[0].image_url",
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AAAA"}},
            "messages.[0].content.[0].input_audio.format",
        ),
        ({"type": "file", "file": {}}, "messages.[0].content.[0].file"),
        (
            {"type": "file", "file": {"file_id": "file-abc"}},
            "messages.[0].content.[0].file.file_id",
        ),
    ],
)
def test_a_part_that_cannot_be_carried_is_refused_by_its_place(
    part: dict[str, Any], param: str, encode: Encode
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        encode(messages=user(part))

    assert caught.value.param == param


def test_an_address_that_is_none_has_no_type(encode: Encode) -> None:
    made = encode(messages=user({"type": "image_url", "image_url": "https://[x.png"}))

    assert made.parts == [{"fileData": {"fileUri": "https://[x.png"}}]


def test_a_files_name_is_told_on_vertex_and_reported_elsewhere(encode: Encode) -> None:
    file = {"file_data": f"data:application/pdf;base64,{PDF}", "filename": "a.pdf"}
    messages = user({"type": "file", "file": file})

    assert encode(messages=messages).dropped == ("messages.[0].content.[0].file.filename",)
    on_vertex = encode(messages=messages, path=VERTEX)
    assert on_vertex.dropped == ()
    assert on_vertex.parts[0]["inlineData"]["displayName"] == "a.pdf"


def test_what_a_part_asks_beside_its_content_is_reported(encode: Encode) -> None:
    image = {"url": f"data:image/png;base64,{PNG}", "detail": "high"}
    made = encode(
        messages=user(
            {"type": "image_url", "image_url": image},
            {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}},
        )
    )

    assert made.dropped == (
        "messages.[0].content.[0].image_url.detail",
        "messages.[0].content.[1].cache_control",
    )


def test_empty_texts_are_left_out(encode: Encode) -> None:
    made = encode(
        messages=[*user({"type": "text", "text": ""}), *user({"type": "text", "text": "x"})]
    )

    assert made.body["contents"] == [{"role": "user", "parts": [{"text": "x"}]}]
