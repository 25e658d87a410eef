"""Every Cohere v2 chat exchange of the recorded corpus, decoded for OpenAI clients and encoded again.

Each recording is read twice: by the adapter, and here, independently and as plainly as possible. The
two must agree, and the openai SDK's own types must accept the adapter's answer strictly.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from router.errors import (
    UpstreamAuthError,
    UpstreamModelNotFoundError,
    UpstreamRejectedError,
    UpstreamUnavailableError,
)
from router.providers.adapter import Frame
from router.providers.cohere import cohere_exchange
from router.providers.cohere.exchange import ChatExchange
from router.values import Deployment, Dialect, Endpoint, Provider, Secret
from router.wire.chat_request import ChatRequest
from tests.support.corpus import WHY_SKIPPED, Exchange, exchanges

CREATED = 1_700_000_000
ALL_SPLITS_UP_TO = 4_096
SEEDED_SPLITS = 200
BYTES_AT_A_TIME = 2_000_000_000

FINISH = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
}

# `/v1/chat` is another API; errors of its are in the same words.
RECORDED = [e for e in exchanges("cohere", "chat_native") if e.path.startswith("/v2/chat")]
ANSWERED = [e for e in RECORDED if e.status == 200]
MESSAGES = [e for e in ANSWERED if e.body.startswith(b"{")]
EVENT_STREAMS = [e for e in ANSWERED if not e.body.startswith(b"{")]
BROKEN = [e for e in EVENT_STREAMS if b'"finish_reason":"ERROR"' in e.body]
STREAMS = [e for e in EVENT_STREAMS if e not in BROKEN]
SHORT = [e for e in EVENT_STREAMS if len(e.body) <= ALL_SPLITS_UP_TO]
LONG = [e for e in EVENT_STREAMS if len(e.body) > ALL_SPLITS_UP_TO]
FAILURES = [e for e in exchanges("cohere", "chat_native") if e.status != 200]
ASKED = [e for e in RECORDED if e.asked and e.status in (200, 400)]

pytestmark = pytest.mark.skipif(not RECORDED, reason=WHY_SKIPPED)


@dataclass
class Reading:
    """What a recorded answer says."""

    id: str = ""
    text: str = ""
    thinking: str = ""
    plan: str = ""
    calls: list[dict[str, str]] = field(default_factory=list)
    citations: list[dict[str, Any]] = field(default_factory=list)
    reason: str = ""
    usage: dict[str, Any] = field(default_factory=dict)

    @property
    def told_usage(self) -> dict[str, int | None]:
        tokens = self.usage["tokens"]
        prompt = tokens["input_tokens"] + tokens.get("image_tokens", 0)
        return {
            "prompt": prompt,
            "completion": tokens["output_tokens"],
            "total": prompt + tokens["output_tokens"],
            "cached": self.usage.get("cached_tokens"),
            "reasoning": tokens.get("reasoning_tokens"),
            "images": tokens.get("image_tokens"),
        }


def read_message(body: dict[str, Any]) -> Reading:
    message = body["message"]
    content = message.get("content") or []
    return Reading(
        id=body["id"],
        text="".join(part["text"] for part in content if part["type"] == "text"),
        thinking="".join(part["thinking"] for part in content if part["type"] == "thinking"),
        plan=message.get("tool_plan") or "",
        calls=[
            {"id": call["id"], "name": call["function"]["name"], "arguments": arguments}
            for call in message.get("tool_calls") or []
            for said in [call["function"]["arguments"]]
            for arguments in ["{}" if said == "null" else said]
        ],
        citations=message.get("citations") or [],
        reason=body["finish_reason"],
        usage=body["usage"],
    )


def read_stream(text: str) -> Reading:
    lines = [line[5:].strip() for line in text.splitlines() if line.startswith("data:")]
    reading = Reading()
    for event in [json.loads(line) for line in lines if line != "[DONE]"]:
        message = event.get("delta", {}).get("message", {})
        match event["type"]:
            case "message-start":
                reading.id = event["id"]
            case "content-start" | "content-delta":
                reading.text += message["content"].get("text", "")
                reading.thinking += message["content"].get("thinking", "")
            case "tool-plan-delta":
                reading.plan += message["tool_plan"]
            case "tool-call-start":
                call = message["tool_calls"]
                reading.calls.append({"id": call["id"], **call["function"]})
            case "tool-call-delta":
                function = message["tool_calls"]["function"]
                reading.calls[-1]["arguments"] += function["arguments"]
            case "citation-start":
                reading.citations.append(message["citations"])
            case "message-end":
                reading.reason = event["delta"]["finish_reason"]
                reading.usage = event["delta"]["usage"]
    for call in reading.calls:
        call["arguments"] = call["arguments"] or "{}"
    return reading


def exchange(model: str = "command-a-03-2025", **fields: Any) -> ChatExchange:
    request = {
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        **fields,
        "model": "listed",
    }
    deployment = Deployment(
        model="listed",
        upstream_model=model,
        provider=Provider("cohere", "https://api.cohere.com", api_key=Secret("co-key")),
        dialect=Dialect.COHERE,
        endpoint=Endpoint.CHAT,
        path="/v2/chat",
    )
    return cohere_exchange(ChatRequest.parse(json.dumps(request).encode(), CREATED), deployment)


EXCHANGE = exchange()


def frames_of(*pieces: bytes) -> list[Frame]:
    decoder = EXCHANGE.stream_decoder()
    frames = [frame for piece in pieces for frame in decoder.feed(piece)]
    frames += decoder.finish()
    assert decoder.done is (decoder.failure is None)
    return frames


def stated_usage(usage: dict[str, Any]) -> dict[str, int | None]:
    prompt = usage.get("prompt_tokens_details", {})
    return {
        "prompt": usage["prompt_tokens"],
        "completion": usage["completion_tokens"],
        "total": usage["total_tokens"],
        "cached": prompt.get("cached_tokens"),
        "reasoning": usage.get("completion_tokens_details", {}).get("reasoning_tokens"),
        "images": prompt.get("image_tokens"),
    }


def assert_message(message: dict[str, Any], reading: Reading) -> None:
    """The message that a client ends up with says what the recording says."""
    assert (message.get("content") or "") == reading.text
    assert message.get("reasoning_content", "") == reading.thinking + reading.plan
    assert message.get("tool_plan", "") == reading.plan
    calls = message.get("tool_calls") or []
    assert [{"id": c["id"], **pick(c["function"])} for c in calls] == reading.calls
    assert all(isinstance(json.loads(c["function"]["arguments"]), dict) for c in calls)
    assert unindexed(message.get("citations")) == reading.citations


def pick(function: dict[str, Any]) -> dict[str, str]:
    return {key: function[key] for key in ("name", "arguments")}


def assert_end(choice: dict[str, Any], reading: Reading) -> None:
    assert choice["finish_reason"] == FINISH[reading.reason]
    is_said = reading.reason in ("COMPLETE", "MAX_TOKENS", "TOOL_CALL")
    assert choice.get("native_finish_reason") == (None if is_said else reading.reason)


def unindexed(entries: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    return [{k: v for k, v in entry.items() if k != "index"} for entry in entries or []]


def assert_replayed(message: dict[str, Any], reading: Reading) -> None:
    """A client that resends a message as it got it sends all that the model is to know of it."""
    again = exchange(messages=[{"role": "user", "content": "Hi"}, message])
    sent = json.loads(again.http.body)["messages"][1]
    content = sent.get("content") or []
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    thinking = "".join(part.get("thinking", "") for part in parts)
    plan = sent.get("tool_plan", "")

    assert again.dropped == ()
    assert "".join(part.get("text", "") for part in parts) == reading.text
    assert (thinking, plan) == expected_reasoning(reading)
    assert [
        {"id": call["id"], **call["function"]} for call in sent.get("tool_calls", [])
    ] == reading.calls


def expected_reasoning(reading: Reading) -> tuple[str, str]:
    # This model does not think: what a client calls reasoning is its plan, once it calls tools.
    if reading.calls and not reading.plan:
        return "", reading.thinking
    return reading.thinking, reading.plan


@pytest.mark.parametrize("recorded", MESSAGES, ids=str)
def test_a_recorded_answer_says_the_same_in_openai_words(recorded: Exchange) -> None:
    completion = EXCHANGE.decode_response(recorded.body)

    told = json.loads(completion.body)
    ChatCompletion.model_validate(told, strict=True)
    reading = read_message(json.loads(recorded.body))
    assert (told["object"], told["created"]) == ("chat.completion", CREATED)
    assert (told["id"], told["model"]) == (reading.id, "command-a-03-2025")
    assert len(told["choices"]) == 1
    assert_message(told["choices"][0]["message"], reading)
    assert_end(told["choices"][0], reading)
    assert stated_usage(told["usage"]) == reading.told_usage
    assert told["usage"]["billed_units"] == reading.usage["billed_units"]
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == reading.told_usage["prompt"]
    assert completion.usage.completion_tokens == reading.told_usage["completion"]


@pytest.mark.parametrize("recorded", MESSAGES, ids=str)
def test_a_recorded_answer_survives_being_sent_back(recorded: Exchange) -> None:
    told = EXCHANGE.decode_response(recorded.body).body
    message = ChatCompletion.model_validate_json(told).choices[0].message

    assert_replayed(message.model_dump(exclude_none=True), read_message(json.loads(recorded.body)))


@pytest.mark.parametrize("recorded", STREAMS, ids=str)
def test_a_recorded_stream_says_the_same_in_openai_words(recorded: Exchange) -> None:
    frames = frames_of(recorded.body)

    chunks = [json.loads(frame.payload) for frame in frames]
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk, strict=True)
    reading = read_stream(recorded.body.decode())
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert {(c["id"], c["model"], c["created"]) for c in chunks} == {
        (reading.id, "command-a-03-2025", CREATED)
    }
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    *opening, last, usage = chunks
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in opening)
    assert last["choices"][0]["delta"] == {}
    assert_end(last["choices"][0], reading)
    assert usage["choices"] == []
    assert stated_usage(usage["usage"]) == reading.told_usage
    assert [f.is_content for f in frames] == [False, *[True] * (len(frames) - 2), False]
    deltas = [chunk["choices"][0]["delta"] for chunk in opening]
    assert "".join(delta.get("content", "") for delta in deltas) == reading.text
    told = "".join(delta.get("reasoning_content", "") for delta in deltas)
    assert told == reading.thinking + reading.plan
    openings = [e for d in deltas for e in d.get("tool_calls", []) if "id" in e]
    assert [entry["index"] for entry in openings] == list(range(len(reading.calls)))


@pytest.mark.parametrize("recorded", STREAMS, ids=str)
def test_the_sdk_puts_a_recorded_stream_together(recorded: Exchange) -> None:
    state = ChatCompletionStreamState()
    for frame in frames_of(recorded.body):
        state.handle_chunk(ChatCompletionChunk.model_validate_json(frame.payload))

    message = state.current_completion_snapshot.choices[0].message.model_dump(exclude_none=True)
    reading = read_stream(recorded.body.decode())
    assert_message(message, reading)
    assert_replayed(message, reading)


@pytest.mark.parametrize("recorded", EVENT_STREAMS, ids=str)
def test_a_recorded_stream_may_come_one_byte_at_a_time(recorded: Exchange) -> None:
    data = recorded.body
    assert frames_of(*(data[i : i + 1] for i in range(len(data)))) == frames_of(data)


@pytest.mark.parametrize("recorded", SHORT, ids=str)
def test_a_short_recorded_stream_may_be_split_anywhere(recorded: Exchange) -> None:
    data = recorded.body
    whole = frames_of(data)
    assert all(frames_of(data[:at], data[at:]) == whole for at in range(1, len(data)))


@pytest.mark.parametrize("recorded", LONG, ids=str)
def test_a_long_recorded_stream_may_be_split_at_seeded_places(recorded: Exchange) -> None:
    data = recorded.body
    whole = frames_of(data)
    places = random.Random(len(data)).sample(range(1, len(data)), SEEDED_SPLITS)
    assert all(frames_of(data[:at], data[at:]) == whole for at in places)


def slices() -> Iterator[Any]:
    """Every split of the long streams, in portions that take well under a minute each."""
    for recorded in LONG:
        size = len(recorded.body)
        step = max(1, BYTES_AT_A_TIME // size)
        for first in range(1, size, step):
            places = range(first, min(first + step, size))
            yield pytest.param(recorded, places, id=f"{recorded}-{first}")


@pytest.mark.full
@pytest.mark.parametrize(("recorded", "places"), list(slices()))
def test_a_long_recorded_stream_may_be_split_anywhere(recorded: Exchange, places: range) -> None:
    data = recorded.body
    whole = frames_of(data)
    assert all(frames_of(data[:at], data[at:]) == whole for at in places)


@pytest.mark.parametrize("recorded", EVENT_STREAMS, ids=str)
def test_a_recorded_stream_that_breaks_off_is_truncated(recorded: Exchange) -> None:
    end = recorded.body.rindex(b'{"type":"message-end"')
    decoder = EXCHANGE.stream_decoder()

    frames = [*decoder.feed(recorded.body[:end]), *decoder.finish()]

    assert decoder.failure is not None
    assert decoder.failure.reason == "UPSTREAM_TRUNCATED"
    assert not decoder.done
    assert all(b'"finish_reason":null' in frame.payload for frame in frames)


@pytest.mark.parametrize("recorded", BROKEN, ids=str)
def test_an_error_at_the_end_of_a_recorded_stream_is_told_in_the_providers_words(
    recorded: Exchange,
) -> None:
    decoder = EXCHANGE.stream_decoder()

    frames = [*decoder.feed(recorded.body), *decoder.finish()]

    assert (
        "".join(
            json.loads(frame.payload)["choices"][0]["delta"].get("reasoning_content", "")
            for frame in frames
        )
        == read_stream(recorded.body.decode()).plan
    )
    assert isinstance(decoder.failure, UpstreamUnavailableError)
    assert decoder.failure.message.startswith("your request resulted in an invalid tool generation")
    assert not decoder.done


@pytest.mark.parametrize("recorded", FAILURES, ids=str)
def test_a_recorded_error_follows_the_contract_in_the_providers_words(recorded: Exchange) -> None:
    error = EXCHANGE.decode_error(recorded.status, recorded.headers, recorded.body)

    is_ours = recorded.status == 401
    verdicts = (UpstreamRejectedError, UpstreamModelNotFoundError)
    assert isinstance(error, UpstreamAuthError if is_ours else verdicts)
    assert error.http_status == (None if is_ours else recorded.status)
    assert error.upstream_status == recorded.status
    assert error.message == json.loads(recorded.body)["message"]
    is_too_long = error.message.startswith("too many tokens")
    assert (error.code == "context_length_exceeded") == is_too_long
    assert (error.code == "model_not_found") == (recorded.status == 404)


CHOICES = {"REQUIRED": "required", "NONE": "none"}


def openai_request(asked: dict[str, Any]) -> dict[str, Any]:
    """A recorded request of Cohere's as a caller of OpenAI's API would put it."""
    request = {**asked, "messages": [openai_message(message) for message in asked["messages"]]}
    del request["model"]
    if "tool_choice" in request:
        request["tool_choice"] = CHOICES[request["tool_choice"]]
    if "stop_sequences" in request:
        request["stop"] = request.pop("stop_sequences")
    answer = request.get("response_format", {})
    if "json_schema" in answer:
        described = {"name": "answer", "schema": answer["json_schema"]}
        request["response_format"] = {"type": "json_schema", "json_schema": described}
    return request


def openai_message(message: dict[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    if message["role"] != "assistant" or not isinstance(content, list):
        return message
    thinking = [part["thinking"] for part in content if part["type"] == "thinking"]
    rest = [part for part in content if part["type"] != "thinking"]
    told = {**message, "content": rest}
    return told | ({"reasoning_content": "".join(thinking)} if thinking else {})


def stated(asked: dict[str, Any]) -> dict[str, Any]:
    """What a recorded request says: a null content says nothing, and no stream is asked for unless it is."""
    messages = [{k: v for k, v in m.items() if v is not None} for m in asked["messages"]]
    return {"stream": False, **asked, "messages": messages}


@pytest.mark.parametrize("recorded", ASKED, ids=str)
def test_a_recorded_request_is_what_openais_form_of_it_becomes(recorded: Exchange) -> None:
    made = exchange(recorded.asked["model"], **{"stream": False, **openai_request(recorded.asked)})

    assert made.dropped == ()
    assert json.loads(made.http.body) == stated(recorded.asked)


def test_the_corpus_is_as_large_as_the_index_says() -> None:
    assert len(MESSAGES) >= 47
    assert len(EVENT_STREAMS) >= 16
    assert len(ASKED) >= 59
