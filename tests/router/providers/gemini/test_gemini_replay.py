import json
from collections.abc import Callable
from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from router.errors import InvalidRequestError

Encode = Callable[..., Any]
Exchange = Callable[..., Any]

FUNCTION = {"name": "look", "arguments": "{}"}
CALL = {"id": "c1", "type": "function", "function": FUNCTION}
LITELLMS = {"provider_specific_fields": {"thought_signature": "S"}}
SENT_CALL = {"functionCall": {"id": "c1", "name": "look", "args": {}}}
SIGNED_CALL = {**SENT_CALL, "thoughtSignature": "S"}


def parts_of(
    encode: Encode, message: dict[str, Any]
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    made = encode(messages=[{"role": "assistant", **message}])
    parts: list[dict[str, Any]] = made.parts
    return parts, made.dropped


@pytest.mark.parametrize(
    "parts",
    [
        [{"text": "a", "thoughtSignature": "S"}],
        [{"text": "a"}, {"text": "", "thoughtSignature": "S"}],
        [{"text": "a"}, {"text": "b", "thoughtSignature": "S"}, {"text": "c"}],
        [{"text": "", "thoughtSignature": "S"}, {"text": "c"}],
        [{"text": "hm", "thought": True}, {"text": "a", "thoughtSignature": "S"}],
        [{"text": "hm", "thought": True, "thoughtSignature": "T"}, {"text": "a"}],
        [{"thought": True, "thoughtSignature": "T"}, {"text": "a"}],
        [
            {"text": "a"},
            {"executableCode": {"language": "PYTHON", "code": "1"}},
            {"codeExecutionResult": {"outcome": "OUTCOME_OK"}},
            {"text": "b"},
        ],
        [
            {"toolCall": {"id": "1"}, "thoughtSignature": "A"},
            {"toolResponse": {"id": "1"}, "thoughtSignature": "B"},
            {"text": "a", "thoughtSignature": "C"},
        ],
        [
            {"text": "see"},
            {"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "thoughtSignature": "S"},
            {"text": "that"},
        ],
        [
            {"text": "hm", "thought": True},
            {"functionCall": {"id": "1", "name": "f", "args": {}}, "thoughtSignature": "S"},
            {"functionCall": {"id": "2", "name": "f", "args": {}}},
        ],
        [{"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "S"}],
        [{"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}}],
        [{"inlineData": {"mimeType": "audio/L16;rate=24000", "data": "AAAA"}}],
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_turn_that_is_sent_back_is_the_turn_that_it_was(
    parts: list[dict[str, Any]], stream: bool, exchange: Exchange
) -> None:
    answer = {
        "candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}],
        "responseId": "r",
    }
    made = exchange(stream=stream)
    if stream:
        message = streamed(made, [{"candidates": [{"content": {"parts": [p]}}]} for p in parts])
    else:
        message = json.loads(made.decode_response(json.dumps(answer).encode()).body)["choices"][0][
            "message"
        ]

    again = exchange(messages=[message])

    assert json.loads(again.http.body)["contents"] == [{"role": "model", "parts": parts}]
    assert again.dropped == ()


def streamed(made: Any, chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """The message that the openai SDK puts together of a stream."""
    decoder, state = made.stream_decoder(), ChatCompletionStreamState()
    chunks = [*chunks, {"candidates": [{"finishReason": "STOP"}]}]
    data = "".join(f"data: {json.dumps(chunk)}\r\n\r\n" for chunk in chunks)
    for frame in [*decoder.feed(data.encode()), *decoder.finish()]:
        state.handle_chunk(ChatCompletionChunk.model_validate_json(frame.payload))
    message = state.current_completion_snapshot.choices[0].message
    return message.model_dump(exclude_none=True)


@pytest.mark.parametrize(
    "call",
    [
        {**CALL, "extra_content": {"google": {"thought_signature": "S"}}},
        {**CALL, **LITELLMS},
        {**CALL, "function": {**FUNCTION, **LITELLMS}},
        {**CALL, "id": "c1__thought__S"},
    ],
)
def test_a_calls_signature_is_understood_in_every_spelling(
    call: dict[str, Any], encode: Encode
) -> None:
    assert parts_of(encode, {"tool_calls": [call]}) == ([SIGNED_CALL], ())


def test_a_calls_signature_is_understood_in_openrouters_spelling(encode: Encode) -> None:
    detail = {"type": "reasoning.encrypted", "format": "google-gemini-v1", "id": "c1", "data": "S"}

    parts, _ = parts_of(encode, {"tool_calls": [CALL], "reasoning_details": [detail]})

    assert parts == [SIGNED_CALL]


def test_a_result_finds_its_call_by_an_id_with_a_signature(encode: Encode) -> None:
    call = {**CALL, "id": "c1__thought__S"}
    made = encode(
        messages=[
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1__thought__S", "content": "x"},
        ]
    )

    response = {"id": "c1", "name": "look", "response": {"output": "x"}}
    assert made.parts == [{"functionResponse": response}]


@pytest.mark.parametrize(
    "carrier",
    [
        {"extra_content": {"google": {"thought_signature": "S"}}},
        {"provider_specific_fields": {"thought_signatures": ["S"]}},
    ],
)
def test_a_texts_signature_is_understood_in_others_spellings(
    carrier: dict[str, Any], encode: Encode
) -> None:
    parts, dropped = parts_of(encode, {"content": "a", **carrier})

    assert parts == [{"text": "a", "thoughtSignature": "S"}]
    assert dropped == ()


def test_thinking_of_other_vendors_is_carried_and_its_signature_reported(encode: Encode) -> None:
    block = {"type": "thinking", "thinking": "hm", "signature": "claude's"}

    parts, dropped = parts_of(encode, {"content": "a", "thinking_blocks": [block]})

    assert parts == [{"text": "hm", "thought": True}, {"text": "a"}]
    assert dropped == ("messages.[0].thinking_blocks",)


def test_blocks_of_other_vendors_are_reported(encode: Encode) -> None:
    parts, dropped = parts_of(
        encode, {"content": "a", "provider_blocks": [{"type": "server_tool_use", "id": "x"}]}
    )

    assert parts == [{"text": "a"}]
    assert dropped == ("messages.[0].provider_blocks",)


def test_a_signature_beyond_an_edited_text_stands_at_its_end(encode: Encode) -> None:
    signed = {"part": "text", "at": 10, "length": 5, "thought_signature": "S"}

    parts, _ = parts_of(encode, {"content": "cut", "thought_signatures": [signed]})

    assert parts == [{"text": "cut", "thoughtSignature": "S"}]


def test_a_refusal_and_parts_of_an_assistant_are_said(encode: Encode) -> None:
    content = [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "b"}]

    parts, dropped = parts_of(encode, {"content": content, "refusal": "c"})

    assert parts == [{"text": "a"}, {"text": "b"}, {"text": "c"}]
    assert dropped == ()


@pytest.mark.parametrize(
    ("message", "param"),
    [
        (
            {"thought_signatures": [{"at": 1}]},
            "messages.[0].thought_signatures.[0].thought_signature",
        ),
        ({"thought_signatures": {}}, "messages.[0].thought_signatures"),
        ({"provider_blocks": "x"}, "messages.[0].provider_blocks"),
        ({"images": [{}]}, "messages.[0].images.[0].url"),
    ],
)
def test_a_carrier_that_is_malformed_is_refused_by_its_place(
    message: dict[str, Any], param: str, encode: Encode
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        encode(messages=[{"role": "assistant", **message}])

    assert caught.value.param == param
