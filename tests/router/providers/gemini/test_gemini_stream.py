import json
from collections.abc import Callable
from typing import Any

import pytest
from openai.types.chat import ChatCompletionChunk

from router.errors import RateLimitedError, UpstreamTruncatedError, UpstreamUnavailableError

Exchange = Callable[..., Any]


def chunk(*parts: Any, index: int = 0, **more: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": list(parts)}, "index": index}
    reason = more.pop("reason", None)
    candidate |= {"finishReason": reason} if reason else {}
    return {"candidates": [candidate], "responseId": "r", "modelVersion": "m", **more}


def sse(*chunks: Any) -> bytes:
    return "".join(f"data: {json.dumps(each)}\r\n\r\n" for each in chunks).encode()


def told(exchange: Exchange, data: bytes, *, usage: bool = False) -> list[dict[str, Any]]:
    made = exchange(stream=True, stream_options={"include_usage": usage})
    decoder = made.stream_decoder()
    frames = [*decoder.feed(data), *decoder.finish()]
    assert decoder.failure is None
    assert decoder.done
    again = made.stream_decoder()
    pieces = [f for i in range(len(data)) for f in again.feed(data[i : i + 1])]
    assert [*pieces, *again.finish()] == frames
    chunks = [json.loads(frame.payload) for frame in frames]
    for each in chunks:
        ChatCompletionChunk.model_validate(each, strict=True)
    return chunks


def deltas(chunks: list[dict[str, Any]]) -> list[Any]:
    return [c["delta"] for each in chunks for c in each["choices"]]


OPENING = {"role": "assistant", "content": ""}


def test_texts_and_thoughts_leave_as_they_come(exchange: Exchange) -> None:
    chunks = told(
        exchange,
        sse(
            chunk({"text": "hm", "thought": True}),
            chunk({"text": "a"}),
            chunk({"text": "b"}, reason="STOP"),
        ),
    )

    assert deltas(chunks) == [
        OPENING,
        {"reasoning_content": "hm"},
        {"content": "a"},
        {"content": "b"},
        {},
    ]
    assert chunks[0] == {
        "object": "chat.completion.chunk",
        "id": "r",
        "created": 1_700_000_000,
        "model": "m",
        "choices": [{"index": 0, "delta": OPENING, "logprobs": None, "finish_reason": None}],
    }
    assert [c["finish_reason"] for each in chunks for c in each["choices"]] == [None] * 4 + ["stop"]


def test_only_what_the_model_made_commits_the_answer(exchange: Exchange) -> None:
    decoder = exchange(stream=True, stream_options={"include_usage": True}).stream_decoder()
    data = sse(chunk({"text": "a"}, reason="STOP", usageMetadata={"totalTokenCount": 1}))

    frames = [*decoder.feed(data), *decoder.finish()]

    assert [frame.is_content for frame in frames] == [False, True, True, False]


def test_the_last_word_on_usage_counts_and_is_told_if_asked_for(exchange: Exchange) -> None:
    first = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
    last = {"promptTokenCount": 1, "candidatesTokenCount": 2, "totalTokenCount": 3}
    data = sse(
        chunk({"text": "a"}, usageMetadata=first),
        chunk({"text": "b"}, usageMetadata=last, reason="STOP"),
        {"usageMetadata": {"trafficType": "ON_DEMAND"}},
    )

    assert told(exchange, data, usage=True)[-1]["usage"] == {
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "total_tokens": 3,
    }
    assert all(each["choices"] for each in told(exchange, data))


def test_more_may_come_after_a_reason_to_end(exchange: Exchange) -> None:
    chunks = told(
        exchange,
        sse(chunk({"text": "a"}, reason="STOP"), chunk({"text": "b"}, reason="MAX_TOKENS")),
    )

    assert deltas(chunks) == [OPENING, {"content": "a"}, {"content": "b"}, {}]
    assert chunks[-1]["choices"][0]["finish_reason"] == "length"


def test_candidates_are_told_apart(exchange: Exchange) -> None:
    chunks = told(
        exchange,
        sse(
            chunk({"text": "a"}),
            chunk({"text": "b"}, index=1, reason="MAX_TOKENS"),
            chunk({"text": "c"}, reason="STOP"),
        ),
    )

    choices = [
        (c["index"], c["delta"], c["finish_reason"]) for each in chunks for c in each["choices"]
    ]
    assert choices == [
        (0, OPENING, None),
        (0, {"content": "a"}, None),
        (1, OPENING, None),
        (1, {"content": "b"}, None),
        (0, {"content": "c"}, None),
        (0, {}, "stop"),
        (1, {}, "length"),
    ]


def test_calls_in_pieces_are_opened_at_once_and_told_when_they_are_whole(
    exchange: Exchange,
) -> None:
    def piece(**call: Any) -> dict[str, Any]:
        return chunk({"functionCall": call})

    opening = {"functionCall": {"name": "f", "willContinue": True}, "thoughtSignature": "S"}
    chunks = told(
        exchange,
        sse(
            chunk(opening),
            piece(
                partialArgs=[{"jsonPath": "$.a[0].b", "stringValue": "x", "willContinue": True}],
                willContinue=True,
            ),
            piece(partialArgs=[{"jsonPath": "$.a[0].b", "stringValue": "y"}], willContinue=True),
            piece(partialArgs=[{"jsonPath": "$['n m']", "numberValue": 1.0}], willContinue=True),
            piece(willContinue=True),
            piece(partialArgs=[{"jsonPath": "$.z", "nullValue": "NULL_VALUE"}], willContinue=True),
            piece(partialArgs=[{"jsonPath": "$.y", "boolValue": False}]),
            chunk({"functionCall": {"name": "g"}}),
            chunk({"functionCall": {}}, reason="STOP"),
        ),
    )

    assert deltas(chunks)[1:-1] == [
        {
            "tool_calls": [
                {
                    "index": 0,
                    "id": "call_gemini_r_0",
                    "type": "function",
                    "function": {"name": "f", "arguments": ""},
                    "extra_content": {"google": {"thought_signature": "S"}},
                }
            ]
        },
        {
            "tool_calls": [
                {
                    "index": 0,
                    "function": {"arguments": '{"a":[{"b":"xy"}],"n m":1.0,"z":null,"y":false}'},
                }
            ]
        },
        {
            "tool_calls": [
                {
                    "index": 1,
                    "id": "call_gemini_r_1",
                    "type": "function",
                    "function": {"name": "g", "arguments": "{}"},
                }
            ]
        },
    ]
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_a_call_in_pieces_that_never_ends_is_told_at_the_end(exchange: Exchange) -> None:
    opening = {"functionCall": {"name": "f", "args": {"k": 1}, "willContinue": True}}
    chunks = told(exchange, sse(chunk(opening, reason="STOP")))

    assert deltas(chunks)[2] == {"tool_calls": [{"index": 0, "function": {"arguments": '{"k":1}'}}]}


@pytest.mark.parametrize("path", ["a", "$", "$.a[5]", "$[0]", "$.a.b.", "$" + ".a" * 65])
def test_a_piece_without_a_place_is_the_providers_failure(path: str, exchange: Exchange) -> None:
    decoder = exchange(stream=True).stream_decoder()
    call = {
        "name": "f",
        "willContinue": True,
        "partialArgs": [{"jsonPath": path, "stringValue": "x"}],
    }

    decoder.feed(sse(chunk({"functionCall": call})))

    assert isinstance(decoder.failure, UpstreamUnavailableError)


def test_what_is_said_beside_the_content_comes_with_it(exchange: Exchange) -> None:
    data = sse(
        {"candidates": [{"groundingMetadata": {"a": 1}}]},
        {
            "candidates": [
                {
                    "content": {"parts": [{"text": "x"}, {"text": "y"}]},
                    "logprobsResult": {"chosenCandidates": [{"token": "x"}]},
                    "citationMetadata": {"b": 1},
                }
            ]
        },
        {"candidates": [{"finishReason": "STOP", "urlContextMetadata": {"c": 1}}]},
    )
    choices = [each["choices"][0] for each in told(exchange, data)]

    assert (choices[1]["delta"], choices[1]["groundingMetadata"]) == ({}, {"a": 1})
    assert "citationMetadata" not in choices[2]
    assert choices[3]["citationMetadata"] == {"b": 1}
    assert choices[3]["logprobs"]["content"][0]["token"] == "x"
    assert (choices[4]["finish_reason"], choices[4]["urlContextMetadata"]) == ("stop", {"c": 1})


def test_a_blocked_prompt_is_a_complete_stream(exchange: Exchange) -> None:
    feedback = {"blockReason": "SAFETY", "blockReasonMessage": "No."}
    chunks = told(exchange, sse({"promptFeedback": feedback}))

    assert deltas(chunks) == [OPENING, {"refusal": "No."}, {}]
    assert chunks[-1]["choices"][0]["finish_reason"] == "content_filter"
    assert chunks[-1]["promptFeedback"] == feedback


@pytest.mark.parametrize("opening", [b"", b" \r\n"])
def test_an_array_is_read_like_events(opening: bytes, exchange: Exchange) -> None:
    chunks = [chunk({"text": 'a"[\\'}), chunk({"text": "b"}, reason="STOP")]
    array = opening + json.dumps(chunks, indent=1).encode()

    assert told(exchange, array) == told(exchange, sse(*chunks))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        sse(chunk({"text": "a"})),
        sse(chunk({"text": "a"})) + b'data: {"candidates": [{"con',
        sse(chunk({"text": "a"}, reason="STOP"), chunk({"text": "b"}, index=1)),
        b"[" + json.dumps(chunk({"text": "a"})).encode() + b', {"cand',
    ],
)
def test_a_stream_without_a_reason_to_end_was_cut_short(data: bytes, exchange: Exchange) -> None:
    decoder = exchange(stream=True).stream_decoder()

    decoder.feed(data)
    decoder.finish()

    assert isinstance(decoder.failure, UpstreamTruncatedError)
    assert not decoder.done


def test_what_breaks_off_after_the_end_does_no_harm(exchange: Exchange) -> None:
    chunks = told(exchange, sse(chunk({"text": "a"}, reason="STOP")) + b'data: {"usage')

    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    "data",
    [
        sse(chunk({"text": "a"})) + b"data: nonsense\r\n\r\n",
        b"data: 5\r\n\r\n",
        b'[{"a":1}, nonsense',
        sse({"candidates": [{"content": {"parts": [[]]}}]}),
    ],
)
def test_what_cannot_be_read_ends_the_stream(data: bytes, exchange: Exchange) -> None:
    decoder = exchange(stream=True).stream_decoder()

    decoder.feed(data)

    assert isinstance(decoder.failure, UpstreamUnavailableError)
    assert decoder.feed(sse(chunk({"text": "b"}))) == []
    assert decoder.finish() == []


def test_an_error_in_a_stream_is_the_providers(exchange: Exchange) -> None:
    decoder = exchange(stream=True).stream_decoder()
    error = {"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}

    frames = decoder.feed(sse(chunk({"text": "a"}), error))

    assert len(frames) == 2
    assert isinstance(decoder.failure, RateLimitedError)
    assert decoder.failure.message == "slow down"
    assert decoder.finish() == []
    assert not decoder.done


def test_an_event_larger_than_the_limit_ends_the_stream(exchange: Exchange) -> None:
    decoder = exchange(stream=True).stream_decoder()
    decoder.feed(b'{"a":"')

    for _ in range(17):
        decoder.feed(b"x" * 1024 * 1024)

    assert isinstance(decoder.failure, UpstreamUnavailableError)


def test_a_candidate_without_an_index_is_none_that_another_states(exchange: Exchange) -> None:
    second = {"content": {"parts": [{"text": "b"}]}, "finishReason": "STOP", "index": 1}
    first = {"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}

    chunks = told(exchange, sse({"candidates": [second, first], "responseId": "r"}))

    texts = [
        (choice["index"], choice["delta"]["content"])
        for each in chunks
        for choice in each["choices"]
        if choice["delta"].get("content")
    ]
    assert texts == [(1, "b"), (0, "a")]
