import json
from collections.abc import Callable
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from router.errors import UpstreamOverloadedError, UpstreamUnavailableError

Exchange = Callable[..., Any]


def candidate(*parts: Any, **more: Any) -> dict[str, Any]:
    return {"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP", **more}


def decoded(exchange: Exchange, answer: Any) -> dict[str, Any]:
    completion = exchange().decode_response(json.dumps(answer).encode())
    told: dict[str, Any] = json.loads(completion.body)
    ChatCompletion.model_validate(told, strict=True)
    return told


def choice(exchange: Exchange, *candidates: Any) -> dict[str, Any]:
    told: dict[str, Any] = decoded(exchange, {"candidates": list(candidates)})["choices"][0]
    return told


def test_an_answers_envelope_is_the_providers(exchange: Exchange) -> None:
    told = decoded(
        exchange,
        {"candidates": [candidate({"text": "Hi"})], "responseId": "r", "modelVersion": "gemini-x"},
    )

    assert told == {
        "id": "r",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "gemini-x",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hi", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
    }


def test_the_model_is_the_handles_where_the_answer_names_none(exchange: Exchange) -> None:
    assert (
        decoded(exchange, {"candidates": [candidate({"text": "Hi"})]})["model"]
        == "gemini-2.5-flash"
    )


def test_calls_without_ids_get_one_that_is_unique_in_the_conversation(exchange: Exchange) -> None:
    parts = [{"functionCall": {"name": "f", "args": {"n": 1}}}, {"functionCall": {"name": "f"}}]
    given = {"functionCall": {"id": "own", "name": "g", "args": None}}
    told = decoded(exchange, {"candidates": [candidate(*parts, given)], "responseId": "r"})[
        "choices"
    ][0]

    assert told["finish_reason"] == "tool_calls"
    assert told["message"]["content"] is None
    calls = told["message"]["tool_calls"]
    assert [call["id"] for call in calls] == ["call_gemini_r_0", "call_gemini_r_1", "own"]
    assert [call["function"]["arguments"] for call in calls] == ['{"n": 1}', "{}", "{}"]


def test_arguments_keep_their_spelling(exchange: Exchange) -> None:
    body = (
        b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"n":1.0e2}}}]}}]}'
    )
    told = json.loads(exchange().decode_response(body).body)

    assert told["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == '{"n":1.0e2}'


def test_the_lines_that_an_answer_is_set_out_in_are_no_part_of_what_passes_through(
    exchange: Exchange,
) -> None:
    call = {"functionCall": {"name": "f", "args": {"n": [1, 2], "s": "a\nb"}}}
    own = {"executableCode": {"code": "1"}}
    answer = json.dumps({"candidates": [candidate(call, own)]}, indent=2).encode()

    completion = exchange().decode_response(answer)

    assert b"\n" not in completion.body
    message = json.loads(completion.body)["choices"][0]["message"]
    assert message["tool_calls"][0]["function"]["arguments"] == '{"n":[1,2],"s":"a\\nb"}'
    assert message["provider_blocks"] == [{"at": 0, **own}]


def test_several_candidates_are_several_choices(exchange: Exchange) -> None:
    told = decoded(
        exchange,
        {
            "candidates": [
                candidate({"text": "b"}, index=1, finishReason="MAX_TOKENS"),
                candidate({"text": "a"}, index=0),
            ]
        },
    )

    assert [(c["index"], c["message"]["content"], c["finish_reason"]) for c in told["choices"]] == [
        (0, "a", "stop"),
        (1, "b", "length"),
    ]


@pytest.mark.parametrize(
    ("reason", "told", "native"),
    [
        ("STOP", "stop", None),
        ("MAX_TOKENS", "length", None),
        ("SAFETY", "content_filter", "SAFETY"),
        ("RECITATION", "content_filter", "RECITATION"),
        ("LANGUAGE", "content_filter", "LANGUAGE"),
        ("BLOCKLIST", "content_filter", "BLOCKLIST"),
        ("PROHIBITED_CONTENT", "content_filter", "PROHIBITED_CONTENT"),
        ("SPII", "content_filter", "SPII"),
        ("IMAGE_SAFETY", "content_filter", "IMAGE_SAFETY"),
        ("MODEL_ARMOR", "content_filter", "MODEL_ARMOR"),
        ("MALFORMED_FUNCTION_CALL", "stop", "MALFORMED_FUNCTION_CALL"),
        ("MISSING_THOUGHT_SIGNATURE", "stop", "MISSING_THOUGHT_SIGNATURE"),
        ("OTHER", "stop", "OTHER"),
        ("FINISH_REASON_UNSPECIFIED", "stop", "FINISH_REASON_UNSPECIFIED"),
        ("NEWER_THAN_THIS", "stop", "NEWER_THAN_THIS"),
        (1, "stop", None),
        (2, "length", None),
        (7, "content_filter", "PROHIBITED_CONTENT"),
        (99, "stop", "OTHER"),
        (None, "stop", None),
    ],
)
def test_every_reason_to_end_is_told(
    reason: Any, told: str, native: str | None, exchange: Exchange
) -> None:
    found = choice(exchange, candidate({"text": "Hi"}, finishReason=reason))

    assert found["finish_reason"] == told
    assert found.get("native_finish_reason") == native


def test_a_filtered_answer_has_no_content_and_says_why(exchange: Exchange) -> None:
    ratings = [{"category": "HARM_CATEGORY_HATE_SPEECH", "probability": "LOW", "blocked": True}]
    found = choice(
        exchange,
        {"finishReason": "SAFETY", "finishMessage": "Not that.", "safetyRatings": ratings},
    )

    assert found["message"] == {"role": "assistant", "content": None, "refusal": "Not that."}
    assert found["safetyRatings"] == ratings
    assert found["finishMessage"] == "Not that."


def test_a_blocked_prompt_is_a_choice_that_the_filter_ended(exchange: Exchange) -> None:
    feedback = {"blockReason": "PROHIBITED_CONTENT", "blockReasonMessage": "No."}
    told = decoded(
        exchange,
        {
            "promptFeedback": feedback,
            "usageMetadata": {"promptTokenCount": 5, "totalTokenCount": 5},
        },
    )

    assert told["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": None, "refusal": "No."},
            "logprobs": None,
            "finish_reason": "content_filter",
            "native_finish_reason": "PROHIBITED_CONTENT",
        }
    ]
    assert told["promptFeedback"] == feedback
    assert told["usage"] == {"prompt_tokens": 5, "completion_tokens": 0, "total_tokens": 5}


def test_an_answer_that_was_all_thought_has_an_empty_text(exchange: Exchange) -> None:
    found = choice(exchange, {"content": {"role": "model"}, "finishReason": "MAX_TOKENS"})

    assert found["message"]["content"] == ""


def test_images_and_audio_stand_in_fields_of_their_own(exchange: Exchange) -> None:
    message = choice(
        exchange,
        candidate(
            {"text": "see"},
            {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
            {"inlineData": {"mimeType": "audio/L16;rate=24000", "data": "AAA="}},
            {"inlineData": {"mimeType": "audio/L16;rate=24000", "data": "AQ=="}},
        ),
    )["message"]

    assert message["images"] == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}, "at": 3}
    ]
    assert message["audio"] == {
        "id": "audio_1700000000",
        "mime_type": "audio/L16;rate=24000",
        "data": "AAAB",
        "expires_at": 1_700_000_000,
        "transcript": "",
    }


def test_usage_counts_thoughts_as_completion_and_tools_as_prompt(exchange: Exchange) -> None:
    usage = {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 60,
        "candidatesTokenCount": 7,
        "thoughtsTokenCount": 5,
        "toolUsePromptTokenCount": 20,
        "totalTokenCount": 132,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 90},
            {"modality": "AUDIO", "tokenCount": 10},
        ],
        "trafficType": "ON_DEMAND",
        "serviceTier": "standard",
    }
    answer = {"candidates": [candidate({"text": "Hi"})], "usageMetadata": usage}
    completion = exchange().decode_response(json.dumps(answer).encode())

    told = json.loads(completion.body)
    assert told["usage"] == {
        "prompt_tokens": 120,
        "completion_tokens": 12,
        "total_tokens": 132,
        "prompt_tokens_details": {
            "cached_tokens": 60,
            "tool_use_tokens": 20,
            "text_tokens": 90,
            "audio_tokens": 10,
        },
        "completion_tokens_details": {"reasoning_tokens": 5},
        "trafficType": "ON_DEMAND",
    }
    assert told["service_tier"] == "default"
    used = completion.usage
    assert (used.prompt_tokens, used.completion_tokens) == (120, 12)
    assert (used.cached_tokens, used.reasoning_tokens) == (60, 5)


def test_logprobs_are_told_in_openais_form(exchange: Exchange) -> None:
    result = {
        "chosenCandidates": [{"token": "a", "logProbability": -0.5}, {"token": "b"}],
        "topCandidates": [{"candidates": [{"token": "a", "logProbability": -0.5}]}],
    }
    found = choice(exchange, candidate({"text": "ab"}, logprobsResult=result, avgLogprobs=-0.25))

    assert found["logprobs"] == {
        "content": [
            {
                "token": "a",
                "logprob": -0.5,
                "bytes": None,
                "top_logprobs": [{"token": "a", "logprob": -0.5, "bytes": None}],
            },
            {"token": "b", "logprob": 0.0, "bytes": None, "top_logprobs": []},
        ],
        "refusal": None,
    }
    assert found["avgLogprobs"] == -0.25


def test_grounding_is_told_in_geminis_own_words(exchange: Exchange) -> None:
    grounding = {"webSearchQueries": ["x"]}
    found = choice(
        exchange, candidate({"text": "a"}, groundingMetadata=grounding, urlContextMetadata={})
    )

    assert found["groundingMetadata"] == grounding
    assert "urlContextMetadata" not in found


@pytest.mark.parametrize(
    "body",
    [
        b"", b"nonsense", b"[]", b"{}", b'{"candidates":[]}', b'{"candidates":{}}',
        b'{"candidates":[{"content":{"parts":[5]}}]}', b'{"candidates":[{"content":5}]}',
        b'{"candidates":[{"content":{"parts":[{"text":"\\ud800"}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"functionCall":5}]}}]}',
        b'{"promptFeedback":{}}',
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_the_providers_failure(body: bytes, exchange: Exchange) -> None:
    with pytest.raises(UpstreamUnavailableError):
        exchange().decode_response(body)


def test_an_error_in_the_body_of_a_200_is_the_answer(exchange: Exchange) -> None:
    with pytest.raises(UpstreamOverloadedError, match="busy"):
        exchange().decode_response(
            b'{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}'
        )


def test_numbers_beyond_reason_are_no_counts(exchange: Exchange) -> None:
    usage = f'{{"promptTokenCount":{10**30},"totalTokenCount":3}}'
    body = f'{{"candidates":[{{"index":{10**30},"finishReason":"STOP"}}],"usageMetadata":{usage}}}'

    told = json.loads(exchange().decode_response(body.encode()).body)

    assert told["choices"][0]["index"] == 0
    assert told["usage"]["prompt_tokens"] == 0
