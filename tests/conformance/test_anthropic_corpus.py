"""Every Anthropic Messages exchange of the recorded corpus, decoded for OpenAI clients.

Each recording is read twice: by the adapter, and here, independently and as plainly as possible. The
two must agree, and the openai SDK's own types must accept the adapter's answer strictly.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from router.errors import (
    RateLimitedError,
    UpstreamAuthError,
    UpstreamOverloadedError,
    UpstreamRejectedError,
    UpstreamUnavailableError,
)
from router.providers.adapter import Frame
from router.providers.anthropic import anthropic_exchange
from router.providers.anthropic.exchange import MessagesExchange
from router.values import Deployment, Dialect, Endpoint, Provider, Secret
from router.wire.chat_request import ChatRequest

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "anthropic" / "messages"

CREATED = 1_700_000_000
ALL_SPLITS_UP_TO = 4_096
SEEDED_SPLITS = 200
BYTES_AT_A_TIME = 2_000_000_000

FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}

# The contract's error table, for the statuses that Anthropic answers with.
ERRORS = {
    400: (UpstreamRejectedError, 400),
    401: (UpstreamAuthError, None),
    403: (UpstreamAuthError, None),
    404: (UpstreamRejectedError, 404),
    413: (UpstreamRejectedError, 413),
    429: (RateLimitedError, None),
    500: (UpstreamUnavailableError, None),
    529: (UpstreamOverloadedError, None),
}


@dataclass
class Reading:
    """What a recorded answer says."""

    id: str = ""
    model: str = ""
    text: str = ""
    reasoning: str = ""
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    thinking: list[dict[str, Any]] = field(default_factory=list)
    citations: list[dict[str, Any]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    stop: dict[str, Any] = field(default_factory=dict)
    usage: dict[str, Any] = field(default_factory=dict)

    @property
    def told_usage(self) -> dict[str, int | None]:
        used = self.usage
        cached = used.get("cache_read_input_tokens")
        written = used.get("cache_creation_input_tokens")
        prompt = used["input_tokens"] + (cached or 0) + (written or 0)
        return {
            "prompt": prompt,
            "completion": used["output_tokens"],
            "total": prompt + used["output_tokens"],
            "cached": cached,
            "written": written,
            "reasoning": (used.get("output_tokens_details") or {}).get("thinking_tokens"),
        }


def read_blocks(blocks: list[dict[str, Any]], reading: Reading) -> Reading:
    for block in blocks:
        kind = block["type"]
        if kind == "text":
            reading.text += block["text"]
            reading.citations += block.get("citations") or []
        elif kind == "thinking":
            reading.reasoning += block["thinking"]
            reading.thinking.append({k: block[k] for k in ("type", "thinking", "signature")})
        elif kind == "redacted_thinking":
            reading.thinking.append(block)
        elif kind == "tool_use":
            arguments = block.get("partial") or json.dumps(block["input"])
            reading.calls.append((block["id"], block["name"], arguments))
        else:
            reading.others.append(kind)
    return reading


def read_message(body: dict[str, Any]) -> Reading:
    reading = Reading(body["id"], body["model"], usage=body["usage"])
    reading.stop = {k: body.get(k) for k in ("stop_reason", "stop_sequence", "stop_details")}
    return read_blocks(body["content"], reading)


def read_stream(text: str) -> Reading:
    events = [json.loads(line[5:]) for line in text.splitlines() if line.startswith("data:")]
    reading = Reading()
    blocks: dict[int, dict[str, Any]] = {}
    for event in events:
        if event["type"] == "message_start":
            reading.id, reading.model = event["message"]["id"], event["message"]["model"]
            reading.usage = dict(event["message"]["usage"])
        elif event["type"] == "content_block_start":
            blocks[event["index"]] = dict(event["content_block"])
        elif event["type"] == "content_block_delta":
            apply_delta(blocks[event["index"]], event["delta"])
        elif event["type"] == "message_delta":
            reading.stop = event["delta"]
            reading.usage |= event["usage"]
        elif event["type"] == "message_stop":
            break  # two recordings hold several answers one after the other; a client gets the first
    return read_blocks([blocks[i] for i in sorted(blocks)], reading)


def apply_delta(block: dict[str, Any], delta: dict[str, Any]) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] += delta["signature"]
        case "input_json_delta":
            block["partial"] = block.get("partial", "") + delta["partial_json"]
        case "citations_delta":
            block["citations"] = [*(block.get("citations") or []), delta["citation"]]


def recordings() -> Iterator[tuple[str, int, dict[str, str], Any]]:
    for path in sorted(CORPUS.glob("*.json")):
        response = json.loads(path.read_text(encoding="utf-8"))["response"]
        yield path.stem, response["status"], response["headers"], response["body"]


RECORDINGS = list(recordings())
MESSAGES = [pytest.param(b, id=n) for n, s, _, b in RECORDINGS if s == 200 and isinstance(b, dict)]
FAILURES = [pytest.param(s, h, b, id=n) for n, s, h, b in RECORDINGS if s != 200]
EVENT_STREAMS = [(n, b) for n, s, _, b in RECORDINGS if s == 200 and isinstance(b, str)]
BROKEN = [pytest.param(b, id=n) for n, b in EVENT_STREAMS if "event: error" in b]
COMPLETE = [(n, b) for n, b in EVENT_STREAMS if "event: error" not in b]
STREAMS = [pytest.param(b, id=n) for n, b in COMPLETE]
SHORT = [pytest.param(b, id=n) for n, b in COMPLETE if len(b.encode()) <= ALL_SPLITS_UP_TO]
LONG = [pytest.param(b, id=n) for n, b in COMPLETE if len(b.encode()) > ALL_SPLITS_UP_TO]

pytestmark = pytest.mark.skipif(not RECORDINGS, reason=f"the corpus is not at {CORPUS}")


def exchange(messages: list[dict[str, Any]] | None = None) -> MessagesExchange:
    request = {
        "model": "listed",
        "messages": messages or [{"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    provider = Provider("anthropic", "https://api.anthropic.com", api_key=Secret("sk-ant"))
    deployment = Deployment(
        model="listed",
        upstream_model="claude-sonnet-4-5",
        provider=provider,
        dialect=Dialect.ANTHROPIC,
        endpoint=Endpoint.CHAT,
        path="/v1/messages",
    )
    return anthropic_exchange(ChatRequest.parse(json.dumps(request).encode(), CREATED), deployment)


EXCHANGE = exchange()


def frames_of(*pieces: bytes) -> list[Frame]:
    decoder = EXCHANGE.stream_decoder()
    frames = [frame for piece in pieces for frame in decoder.feed(piece)]
    frames += decoder.finish()
    assert decoder.failure is None
    assert decoder.done
    return frames


def stated_usage(usage: dict[str, Any]) -> dict[str, int | None]:
    prompt = usage.get("prompt_tokens_details", {})
    return {
        "prompt": usage["prompt_tokens"],
        "completion": usage["completion_tokens"],
        "total": usage["total_tokens"],
        "cached": prompt.get("cached_tokens"),
        "written": prompt.get("cache_write_tokens"),
        "reasoning": usage.get("completion_tokens_details", {}).get("reasoning_tokens"),
    }


def assert_message(message: dict[str, Any], reading: Reading) -> None:
    """The message that a client ends up with says what the recording says."""
    assert (message.get("content") or "") == reading.text
    assert message.get("reasoning_content", "") == reading.reasoning
    calls = message.get("tool_calls") or []
    assert [call["id"] for call in calls] == [id_ for id_, _, _ in reading.calls]
    assert [call["function"]["name"] for call in calls] == [name for _, name, _ in reading.calls]
    assert [call["function"]["arguments"] for call in calls] == [a for _, _, a in reading.calls]
    assert all(isinstance(json.loads(call["function"]["arguments"]), dict) for call in calls)
    assert unindexed(message.get("thinking_blocks")) == reading.thinking
    assert unindexed(message.get("citations")) == reading.citations
    assert [block["type"] for block in message.get("provider_blocks") or []] == reading.others


def assert_stop(choice: dict[str, Any], reading: Reading) -> None:
    reason = reading.stop["stop_reason"]
    assert choice["finish_reason"] == FINISH[reason]
    assert choice.get("stop_sequence") == reading.stop.get("stop_sequence")
    if reason in ("pause_turn", "refusal", "stop_sequence"):
        assert choice["stop_reason"] == reason


def unindexed(entries: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    return [{k: v for k, v in entry.items() if k != "index"} for entry in entries or []]


def replayed(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The turn that is sent when a client resends a message as it got it."""
    again = exchange([{"role": "user", "content": "Hi"}, message, {"role": "user", "content": "?"}])
    assert again.dropped == ()
    turns = json.loads(again.http.body)["messages"]
    blocks: list[dict[str, Any]] = turns[1]["content"] if len(turns) == 3 else []
    return blocks


@pytest.mark.parametrize("body", MESSAGES)
def test_a_recorded_answer_says_the_same_in_openai_words(body: dict[str, Any]) -> None:
    completion = EXCHANGE.decode_response(json.dumps(body).encode())

    told = json.loads(completion.body)
    ChatCompletion.model_validate(told, strict=True)
    reading = read_message(body)
    assert (told["object"], told["created"]) == ("chat.completion", CREATED)
    assert (told["id"], told["model"]) == (reading.id, reading.model)
    assert len(told["choices"]) == 1
    assert_message(told["choices"][0]["message"], reading)
    assert_stop(told["choices"][0], reading)
    assert stated_usage(told["usage"]) == reading.told_usage
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == reading.told_usage["prompt"]
    assert completion.usage.completion_tokens == reading.told_usage["completion"]


@pytest.mark.parametrize("body", MESSAGES)
def test_a_recorded_answer_survives_being_sent_back(body: dict[str, Any]) -> None:
    told = EXCHANGE.decode_response(json.dumps(body).encode()).body
    message = ChatCompletion.model_validate_json(told).choices[0].message

    again = read_blocks(replayed(message.model_dump(exclude_none=True)), Reading())

    reading = read_message(body)
    refusal = message.refusal or ""
    assert again.text == reading.text + refusal
    assert again.thinking == reading.thinking
    assert again.others == reading.others
    assert [(i, n, json.loads(a)) for i, n, a in again.calls] == [
        (i, n, json.loads(a)) for i, n, a in reading.calls
    ]


@pytest.mark.parametrize("stream", STREAMS)
def test_a_recorded_stream_says_the_same_in_openai_words(stream: str) -> None:
    frames = frames_of(stream.encode())

    chunks = [json.loads(frame.payload) for frame in frames]
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk, strict=True)
    reading = read_stream(stream)
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert {(c["id"], c["model"], c["created"]) for c in chunks} == {
        (reading.id, reading.model, CREATED)
    }
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    *opening, last, usage = chunks
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in opening)
    assert last["choices"][0]["delta"] == {}
    assert_stop(last["choices"][0], reading)
    assert usage["choices"] == []
    assert stated_usage(usage["usage"]) == reading.told_usage
    assert [f.is_content for f in frames] == [False, *[True] * (len(frames) - 2), False]
    assert_tool_deltas([chunk["choices"][0]["delta"] for chunk in chunks[:-1]], reading)


def assert_tool_deltas(deltas: list[dict[str, Any]], reading: Reading) -> None:
    """Each call is opened once, in order, with its id and name; what follows carries neither."""
    entries = [entry for delta in deltas for entry in delta.get("tool_calls", [])]
    openings = [entry for entry in entries if "id" in entry]
    assert [entry["index"] for entry in openings] == list(range(len(reading.calls)))
    assert all(entry["type"] == "function" for entry in openings)
    assert all(entry["function"]["name"] for entry in openings)
    for entry in entries:
        if "id" not in entry:
            assert set(entry) == {"index", "function"}
            assert set(entry["function"]) == {"arguments"}
            assert entry["function"]["arguments"]


@pytest.mark.parametrize("stream", STREAMS)
def test_the_sdk_puts_a_recorded_stream_together(stream: str) -> None:
    state = ChatCompletionStreamState()
    for frame in frames_of(stream.encode()):
        state.handle_chunk(ChatCompletionChunk.model_validate_json(frame.payload))

    message = state.current_completion_snapshot.choices[0].message
    reading = read_stream(stream)
    assert_message(message.model_dump(exclude_none=True), reading)
    again = read_blocks(replayed(message.model_dump(exclude_none=True)), Reading())
    assert again.thinking == reading.thinking
    assert again.others == reading.others


@pytest.mark.parametrize("stream", STREAMS)
def test_a_recorded_stream_may_come_one_byte_at_a_time(stream: str) -> None:
    data = stream.encode()
    assert frames_of(*(data[i : i + 1] for i in range(len(data)))) == frames_of(data)


@pytest.mark.parametrize("stream", SHORT)
def test_a_short_recorded_stream_may_be_split_anywhere(stream: str) -> None:
    data = stream.encode()
    whole = frames_of(data)
    assert all(frames_of(data[:at], data[at:]) == whole for at in range(1, len(data)))


@pytest.mark.parametrize("stream", LONG)
def test_a_long_recorded_stream_may_be_split_at_seeded_places(stream: str) -> None:
    data = stream.encode()
    whole = frames_of(data)
    places = random.Random(len(data)).sample(range(1, len(data)), SEEDED_SPLITS)
    assert all(frames_of(data[:at], data[at:]) == whole for at in places)


def slices() -> Iterator[Any]:
    """Every split of the long streams, in portions that take well under a minute each."""
    for name, stream in COMPLETE:
        size = len(stream.encode())
        if size > ALL_SPLITS_UP_TO:
            step = max(1, BYTES_AT_A_TIME // size)
            for first in range(1, size, step):
                places = range(first, min(first + step, size))
                yield pytest.param(stream, places, id=f"{name}-{first}")


@pytest.mark.full
@pytest.mark.parametrize(("stream", "places"), list(slices()))
def test_a_long_recorded_stream_may_be_split_anywhere(stream: str, places: range) -> None:
    data = stream.encode()
    whole = frames_of(data)
    assert all(frames_of(data[:at], data[at:]) == whole for at in places)


@pytest.mark.parametrize("stream", STREAMS)
def test_a_recorded_stream_that_breaks_off_is_truncated(stream: str) -> None:
    data = stream.encode()
    end = data.index(b"event: message_stop")
    decoder = EXCHANGE.stream_decoder()

    frames = [*decoder.feed(data[:end]), *decoder.finish()]

    assert decoder.failure is not None
    assert decoder.failure.reason == "UPSTREAM_TRUNCATED"
    assert not decoder.done
    assert all(b'"finish_reason":null' in frame.payload for frame in frames)


@pytest.mark.parametrize("stream", BROKEN)
def test_an_error_in_a_recorded_stream_is_the_answer(stream: str) -> None:
    decoder = EXCHANGE.stream_decoder()

    frames = [*decoder.feed(stream.encode()), *decoder.finish()]

    assert frames == []
    assert isinstance(decoder.failure, UpstreamOverloadedError)
    assert decoder.failure.message == "Overloaded"
    assert not decoder.done


@pytest.mark.parametrize(("status", "headers", "body"), FAILURES)
def test_a_recorded_error_follows_the_contract_in_the_providers_words(
    status: int, headers: dict[str, str], body: dict[str, Any]
) -> None:
    error = EXCHANGE.decode_error(status, headers, json.dumps(body).encode())

    kind, kept = ERRORS[status]
    assert type(error) is kind
    assert error.http_status == kept
    assert error.upstream_status == status
    assert error.message == body["error"]["message"]
    assert error.retry_after == (
        float(headers.get("retry-after", 1)) if status in (429, 529) else None
    )
    assert (error.code == "context_length_exceeded") == error.message.startswith("prompt is too")
