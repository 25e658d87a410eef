"""Answers, streams and errors that the recordings do not show; and whatever bytes may come."""

import base64
import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from router.errors import (
    AccessDeniedError,
    RateLimitedError,
    UpstreamAuthError,
    UpstreamError,
    UpstreamModelNotFoundError,
    UpstreamOverloadedError,
    UpstreamRejectedError,
    UpstreamTimeoutError,
    UpstreamTruncatedError,
    UpstreamUnavailableError,
)
from router.providers.bedrock import errors
from router.providers.bedrock.exchange import ConverseExchange
from router.providers.bedrock.stream import ConverseStreamDecoder
from tests.support.aws_events import event, message, stream

NOVA = "us.amazon.nova-pro-v1:0"
USAGE = {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}
METADATA = {"metadata": {"usage": USAGE, "metrics": {"latencyMs": 7}}}
STOP = {"messageStop": {"stopReason": "end_turn"}}


def start(index: int, **opened: Any) -> dict[str, Any]:
    return {"contentBlockStart": {"contentBlockIndex": index, "start": opened}}


def delta(index: int, **said: Any) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": index, "delta": said}}


def end(index: int) -> dict[str, Any]:
    return {"contentBlockStop": {"contentBlockIndex": index}}


def answered(exchange: Any, blocks: list[dict[str, Any]], **body: Any) -> dict[str, Any]:
    whole = {"output": {"message": {"role": "assistant", "content": blocks}}, **body}
    told = json.loads(exchange.decode_response(json.dumps(whole).encode()).body)
    ChatCompletion.model_validate(told, strict=True)
    choice: dict[str, Any] = told["choices"][0]
    return choice


@pytest.mark.parametrize(
    ("reason", "finish", "is_told"),
    [
        ("end_turn", "stop", False),
        ("stop_sequence", "stop", True),
        ("max_tokens", "length", False),
        ("tool_use", "stop", False),
        ("guardrail_intervened", "content_filter", True),
        ("content_filtered", "content_filter", True),
        ("malformed_model_output", "stop", True),
        ("malformed_tool_use", "stop", True),
        ("model_context_window_exceeded", "length", True),
        ("something_new", "stop", True),
        (None, "stop", False),
    ],
)
def test_a_stop_reason_has_its_finish_reason(
    exchange: Any, reason: str | None, finish: str, is_told: bool
) -> None:
    choice = answered(exchange(), [{"text": "a"}], stopReason=reason)
    assert choice["finish_reason"] == finish
    assert choice.get("stop_reason") == (reason if is_told else None)


def test_a_stop_sequence_is_told_where_it_was_asked_for(exchange: Any) -> None:
    paths: dict[str, Any] = {"additionalModelResponseFields": {"stop_sequence": "END"}}
    choice = answered(exchange(), [{"text": "a"}], stopReason="stop_sequence", **paths)
    assert choice["stop_sequence"] == "END"


def test_redacted_reasoning_is_carried_and_comes_back(exchange: Any) -> None:
    data = base64.b64encode(b"secret thoughts").decode()
    block = {"reasoningContent": {"redactedContent": data}}
    choice = answered(exchange(), [block, {"text": "a"}], stopReason="end_turn")
    assert choice["message"]["thinking_blocks"] == [{"type": "redacted_thinking", "data": data}]
    turns = [{"role": "user", "content": "?"}, choice["message"], {"role": "user", "content": "!"}]
    sent = json.loads(exchange(messages=turns).http.body)
    assert sent["messages"][1]["content"] == [block, {"text": "a"}]


def test_blocks_keep_their_order_for_the_way_back(exchange: Any) -> None:
    content: list[dict[str, Any]] = [
        {"text": "one"},
        {"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": 1}}},
        {"text": "two"},
        {"image": {"format": "png", "source": {"bytes": "AAAA"}}},
    ]
    choice = answered(exchange(), content, stopReason="tool_use")
    turns = [{"role": "user", "content": "?"}, choice["message"]]
    sent = json.loads(exchange(model=NOVA, messages=turns).http.body)
    assert sent["messages"][1]["content"] == content


def test_the_answers_tool_is_turned_back_into_content(exchange: Any) -> None:
    described = {"name": "n", "schema": {"type": "object", "additionalProperties": False}}
    asked = {"type": "json_schema", "json_schema": described}
    made = exchange(model=NOVA, response_format=asked)
    use = {"toolUse": {"toolUseId": "t", "name": "json_answer", "input": {"a": 1.50}}}
    choice = answered(made, [use], stopReason="tool_use")
    assert json.loads(choice["message"]["content"]) == {"a": 1.5}
    assert choice["finish_reason"] == "stop"
    assert "tool_calls" not in choice["message"]
    told = told_of(made, [
        start(0, toolUse={"toolUseId": "t", "name": "json_answer"}),
        delta(0, toolUse={"input": '{"a"'}), delta(0, toolUse={"input": ":1}"}), end(0),
        {"messageStop": {"stopReason": "tool_use"}}, METADATA,
    ])  # fmt: skip
    assert "".join(text_of(chunk) for chunk in told) == '{"a":1}'
    assert told[-1]["choices"][0]["finish_reason"] == "stop"


def test_names_and_ids_come_back_as_the_caller_gave_them(exchange: Any) -> None:
    made = exchange(
        tools=[{"type": "function", "function": {"name": "my tool"}}],
        messages=[
            {"role": "user", "content": "?"},
            {
                "role": "assistant",
                "tool_calls": [
                    {
                        "id": "a b",
                        "type": "function",
                        "function": {"name": "my tool", "arguments": ""},
                    }
                ],
            },
        ],
    )
    use = {"toolUse": {"toolUseId": "t", "name": "my_tool", "input": None}}
    call = answered(made, [use], stopReason="tool_use")["message"]["tool_calls"][0]
    assert call["function"] == {"name": "my tool", "arguments": "{}"}


def test_equal_answers_have_one_id_and_others_have_another(exchange: Any) -> None:
    def told(text: str) -> str:
        whole = {"output": {"message": {"content": [{"text": text}]}}}
        body = exchange().decode_response(json.dumps(whole).encode()).body
        return str(json.loads(body)["id"])

    assert told("a") == told("a") != told("b")
    assert told("a").startswith("chatcmpl-")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", UpstreamUnavailableError),
        (b"[]", UpstreamUnavailableError),
        (b"{}", UpstreamUnavailableError),
        (b'{"output":{"message":{"content":[1]}}}', UpstreamUnavailableError),
        (b'{"output":{"message":{"content":[{"toolUse":1}]}}}', UpstreamUnavailableError),
        (b'{"output":{"message":{"content":[{"text":"\xff"}]}}}', UpstreamUnavailableError),
        (
            b'{"output":{"message":{}},"__type":"ThrottlingException","message":"slow"}',
            RateLimitedError,
        ),
        (b'{"Output":{"__type":"com.amazon#UnknownOperationException"}}', UpstreamUnavailableError),
        (b"<html>", UpstreamUnavailableError),
    ],
)
def test_an_answer_that_cannot_be_read_is_the_providers_fault(
    exchange: Any, body: bytes, kind: type[UpstreamError]
) -> None:
    with pytest.raises(UpstreamError) as caught:
        exchange().decode_response(body)
    assert type(caught.value) is kind


# Streams.


def told_of(made: ConverseExchange, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The chunks for a stream, the same however it is cut."""
    data = stream(events)
    frames = []
    for pieces in ([data], [data[i : i + 1] for i in range(len(data))]):
        decoder = made.stream_decoder()
        frames.append([f for piece in pieces for f in decoder.feed(piece)] + decoder.finish())
        assert decoder.failure is None
        assert decoder.done
    assert frames[0] == frames[1]
    told = [json.loads(frame.payload) for frame in frames[0]]
    for chunk in told:
        ChatCompletionChunk.model_validate(chunk, strict=True)
    return told


def text_of(chunk: dict[str, Any]) -> str:
    return str(chunk["choices"][0]["delta"].get("content") or "") if chunk["choices"] else ""


def failed(decoder: ConverseStreamDecoder, data: bytes) -> UpstreamError:
    decoder.feed(data)
    decoder.finish()
    assert decoder.failure is not None
    assert not decoder.done
    return decoder.failure


def test_usage_comes_last_and_only_where_it_was_asked_for(exchange: Any) -> None:
    events = [{"messageStart": {"role": "assistant"}}, delta(0, text="a"), end(0), STOP, METADATA]
    asked = told_of(exchange(stream=True, stream_options={"include_usage": True}), events)
    assert asked[-1]["choices"] == []
    assert asked[-1]["usage"]["total_tokens"] == 3
    quiet = told_of(exchange(stream=True), events)
    assert all(chunk["choices"] for chunk in quiet)
    assert quiet[-1]["metrics"] == {"latencyMs": 7}


def test_a_stream_without_metadata_is_complete_at_its_end(exchange: Any) -> None:
    made = exchange(stream=True, stream_options={"include_usage": True})
    told = told_of(made, [delta(0, text="a"), STOP])
    assert [text_of(chunk) for chunk in told] == ["", "a", ""]
    assert told[-1]["choices"][0]["finish_reason"] == "stop"


def test_metadata_may_come_before_the_stop(exchange: Any) -> None:
    made = exchange(stream=True, stream_options={"include_usage": True})
    told = told_of(made, [delta(0, text="a"), METADATA, STOP])
    assert told[-1]["usage"]["total_tokens"] == 3


def test_whatever_follows_the_stop_does_not_spoil_the_answer(exchange: Any) -> None:
    decoder = exchange(stream=True).stream_decoder()
    broken = event("internalServerException", {"message": "late"}, "exception")
    frames = decoder.feed(stream([delta(0, text="a"), STOP]) + broken)
    assert decoder.done
    assert decoder.failure is None
    assert b'"finish_reason":"stop"' in frames[-1].payload
    assert decoder.feed(b"more") == decoder.finish() == []


def test_a_call_without_arguments_has_an_empty_object(exchange: Any) -> None:
    told = told_of(exchange(stream=True), [
        start(1, toolUse={"toolUseId": "t", "name": "f"}), delta(1, toolUse={"input": ""}), end(1),
        {"messageStop": {"stopReason": "tool_use"}}, METADATA,
    ])  # fmt: skip
    calls = [c for chunk in told for c in chunk["choices"][0]["delta"].get("tool_calls", [])]
    assert [call["function"]["arguments"] for call in calls] == ["", "{}"]
    assert calls[0]["index"] == calls[1]["index"] == 0
    assert told[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_streamed_reasoning_comes_with_its_signature_and_what_is_redacted(exchange: Any) -> None:
    halves = [base64.b64encode(part).decode() for part in (b"ab", b"c")]
    told = told_of(exchange(stream=True), [
        delta(0, reasoningContent={"text": "h"}), delta(0, reasoningContent={"text": "m"}),
        delta(0, reasoningContent={"signature": "s1"}), delta(0, reasoningContent={"signature": "s2"}),
        end(0),
        *(delta(1, reasoningContent={"redactedContent": half}) for half in halves), end(1),
        delta(2, text="x"), STOP, METADATA,
    ])  # fmt: skip
    blocks = [b for chunk in told for b in chunk["choices"][0]["delta"].get("thinking_blocks", [])]
    whole = base64.b64encode(b"abc").decode()
    assert blocks == [
        {"index": 0, "type": "thinking", "thinking": "hm", "signature": "s1s2"},
        {"index": 1, "type": "redacted_thinking", "data": whole},
    ]


def test_streamed_citations_and_images_are_carried(exchange: Any) -> None:
    cited = {"title": "t", "location": {"web": {"url": "u"}}}
    told = told_of(exchange(stream=True), [
        delta(0, text="a"), delta(0, citation=cited), end(0),
        start(1, image={"format": "png"}), delta(1, image={"source": {"bytes": "AAAA"}}), end(1),
        STOP, METADATA,
    ])  # fmt: skip
    deltas = [chunk["choices"][0]["delta"] for chunk in told]
    assert [d["citations"] for d in deltas if "citations" in d] == [[{"index": 0, **cited}]]
    (image,) = [d["provider_blocks"] for d in deltas if "provider_blocks" in d]
    assert image == [{"index": 0, "image": {"format": "png", "source": {"bytes": "AAAA"}}}]
    assert [d["block_order"] for d in deltas if "block_order" in d] != []


@pytest.mark.parametrize(
    ("name", "payload", "kind", "status"),
    [
        ("throttlingException", {"message": "slow"}, RateLimitedError, None),
        ("validationException", {"message": "bad"}, UpstreamRejectedError, 400),
        ("internalServerException", {"message": "oops"}, UpstreamUnavailableError, None),
        ("serviceUnavailableException", {"message": "full"}, UpstreamOverloadedError, None),
        ("modelStreamErrorException", {"message": "m"}, UpstreamUnavailableError, None),
        (
            "modelStreamErrorException",
            {"message": "m", "originalStatusCode": 400, "originalMessage": "too odd"},
            UpstreamRejectedError,
            400,
        ),
        ("modelTimeoutException", {"message": "late"}, UpstreamTimeoutError, None),
        ("accessDeniedException", {"message": "no"}, AccessDeniedError, None),
        ("resourceNotFoundException", {"message": "gone"}, UpstreamModelNotFoundError, 404),
        ("newException", {"message": "new"}, UpstreamUnavailableError, None),
        ("throttlingException", b"not json", RateLimitedError, None),
        ("throttlingException", {}, RateLimitedError, None),
    ],
)
def test_an_exception_in_a_stream_is_the_answer(
    exchange: Any, name: str, payload: Any, kind: type[UpstreamError], status: int | None
) -> None:
    decoder = exchange(stream=True).stream_decoder()
    data = stream([delta(0, text="a")]) + event(name, payload, "exception")
    failure = failed(decoder, data)
    assert type(failure) is kind
    assert failure.http_status == status
    if isinstance(payload, dict) and payload:
        assert failure.message.startswith(payload["message"])
        assert payload.get("originalMessage", "") in failure.message
    elif payload:
        assert failure.message == "not json"


def test_an_error_message_of_the_framing_is_the_answer(exchange: Any) -> None:
    data = message(
        b"",
        (":message-type", 7, "error"),
        (":error-code", 7, "ThrottlingException"),
        (":error-message", 7, "slow down"),
    )
    failure = failed(exchange(stream=True).stream_decoder(), data)
    assert isinstance(failure, RateLimitedError)
    assert failure.message == "slow down"


@pytest.mark.parametrize(
    "data",
    [
        event("contentBlockDelta", b"{"),
        event("contentBlockDelta", b"[]"),
        event("messageStop", b'"\xff"'),
        event("contentBlockDelta", delta(0, reasoningContent={"redactedContent": "?"})["contentBlockDelta"]),
        b"\x00" * 64,
        b"<html>not an event stream at all</html>",
    ],
)  # fmt: skip
def test_a_broken_event_ends_the_stream_after_what_came_before(exchange: Any, data: bytes) -> None:
    good = stream([{"messageStart": {"role": "assistant"}}, delta(0, text="a")])
    for pieces in ([good + data], [good, data]):
        decoder = exchange(stream=True).stream_decoder()
        frames = [f for piece in pieces for f in decoder.feed(piece)]
        assert len(frames) == 2
        assert type(decoder.failure) is UpstreamUnavailableError
        assert decoder.feed(stream([STOP])) == decoder.finish() == []


@pytest.mark.parametrize("events", [[], [delta(0, text="a")], [METADATA]])
def test_an_end_without_a_stop_is_too_early(exchange: Any, events: list[dict[str, Any]]) -> None:
    failure = failed(exchange(stream=True).stream_decoder(), stream(events))
    assert isinstance(failure, UpstreamTruncatedError)


def test_an_end_in_the_midst_of_a_message_is_too_early(exchange: Any) -> None:
    data = stream([delta(0, text="a")])
    failure = failed(exchange(stream=True).stream_decoder(), data + data[:-3])
    assert isinstance(failure, UpstreamTruncatedError)


def test_what_has_to_wait_is_bounded(exchange: Any) -> None:
    decoder = exchange(stream=True).stream_decoder()
    decoder.feed(
        stream([start(0, toolUse={"toolUseId": "t", "name": "n", "type": "server_tool_use"})])
    )
    piece = stream([delta(0, toolUse={"input": "x" * 1_000_000})])
    for _ in range(30):
        decoder.feed(piece)
    assert isinstance(decoder.failure, UpstreamUnavailableError)


def test_blocks_without_end_are_bounded(exchange: Any) -> None:
    decoder = exchange(stream=True).stream_decoder()
    for first in range(0, 60_000, 1_000):
        decoder.feed(stream([delta(first + i, text="") for i in range(1_000)]))
        if decoder.failure:
            break
    assert isinstance(decoder.failure, UpstreamUnavailableError)


# Errors.


MODEL_ERROR = {"__type": "ModelErrorException", "message": "m", "originalMessage": "o"}


@pytest.mark.parametrize(
    ("status", "body", "code", "words"),
    [
        (400, {"message": "bad"}, None, "bad"),
        (400, {"message": "Input is too long for"}, "context_length_exceeded", "Input is too long"),
        (400, {"message": "The provided model identifier is invalid."}, "model_not_found", "The"),
        (
            404,
            {"__type": "ResourceNotFoundException", "Message": "gone"},
            "model_not_found",
            "gone",
        ),
        (429, {"__type": "a.b#ThrottlingException", "message": "s"}, "ThrottlingException", "s"),
        (400, "plain words", None, "plain words"),
        (413, "", None, "The provider answered with status 413"),
        (424, MODEL_ERROR, "ModelErrorException", "m o"),
    ],
)
def test_an_error_keeps_its_words(
    exchange: Any, status: int, body: Any, code: str | None, words: str
) -> None:
    data = json.dumps(body).encode() if isinstance(body, dict) else body.encode()
    error = exchange().decode_error(status, {}, data)
    assert error.upstream_status == status
    assert error.code == code
    assert error.message.startswith(words)


def test_the_name_of_an_error_stands_in_a_header(exchange: Any) -> None:
    headers = {"x-amzn-errortype": "ValidationException:http://internal.amazon.com/"}
    error = exchange().decode_error(400, headers, b'{"message":"bad"}')
    assert error.code == "ValidationException"


def test_a_signature_that_aws_refuses_does_not_give_our_token_away(exchange: Any) -> None:
    words = (
        "The request signature we calculated does not match the signature you provided.\n\n"
        "The Canonical String for this request should have been\n'POST\nx-amz-security-token:TOKEN'"
    )
    error = exchange().decode_error(403, {}, json.dumps({"message": words}).encode())
    assert isinstance(error, UpstreamAuthError)
    assert error.message.endswith("you provided.")
    assert "TOKEN" not in exchange().decode_error(403, {}, words.encode()).message


@pytest.mark.parametrize("name", errors.STATUS_OF)
def test_every_exception_has_a_status_that_the_table_knows(name: str) -> None:
    assert errors.stated_failure(name, {"message": "x"}).upstream_status == errors.STATUS_OF[name]
