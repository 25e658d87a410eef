"""Every Bedrock Converse exchange of the recorded corpus: answers decoded, requests encoded again.

Each recording is read twice: by the adapter, and here, independently and as plainly as possible. The two
must agree, the openai SDK's own types must accept the adapter's answer strictly, and botocore's model of the
service must accept the adapter's requests.

Not applicable: `invoke` (bodies are each model's own, not Converse's), `count_tokens` and `models` (other
endpoints), the requests of `response-only` recordings (there are none), and byte-exact framing of streams
recorded as events only: those are framed here.
"""

import base64
import json
import random
from dataclasses import dataclass, field
from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from router.errors import (
    RateLimitedError,
    UpstreamAuthError,
    UpstreamModelNotFoundError,
    UpstreamOverloadedError,
    UpstreamRejectedError,
    UpstreamUnavailableError,
)
from router.providers.adapter import Frame
from router.providers.bedrock import bedrock_exchange
from router.providers.bedrock.exchange import ConverseExchange
from router.values import Deployment, Dialect, Endpoint, Provider
from router.wire.chat_request import ChatRequest
from tests.support.aws_events import stream as framed
from tests.support.converse import as_openai, assert_valid, comparable
from tests.support.corpus import CORPUS, WHY_SKIPPED

CREATED = 1_700_000_000
ALL_SPLITS_UP_TO = 4_096
SEEDED_SPLITS = 200

FINISH = {
    "end_turn": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
}

# The contract's error table, for the statuses that Bedrock answers with.
ERRORS = {
    400: (UpstreamRejectedError, 400),
    403: (UpstreamAuthError, None),
    429: (RateLimitedError, None),
    500: (UpstreamUnavailableError, None),
    503: (UpstreamOverloadedError, None),
}


@dataclass
class Reading:
    """What a recorded answer says."""

    text: str = ""
    reasoning: str = ""
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    thinking: list[dict[str, Any]] = field(default_factory=list)
    citations: list[dict[str, Any]] = field(default_factory=list)
    others: list[dict[str, Any]] = field(default_factory=list)
    stop: str = ""
    usage: dict[str, Any] = field(default_factory=dict)

    @property
    def told_usage(self) -> dict[str, int | None]:
        used = self.usage
        cached = used.get("cacheReadInputTokens")
        written = used.get("cacheWriteInputTokens")
        prompt = used.get("inputTokens", 0) + (cached or 0) + (written or 0)
        assert used.get("totalTokens") in (None, prompt + used["outputTokens"])
        return {
            "prompt": prompt,
            "completion": used["outputTokens"],
            "total": prompt + used["outputTokens"],
            "cached": cached,
            "written": written,
        }


def read_blocks(blocks: list[dict[str, Any]], reading: Reading) -> Reading:
    for block in blocks:
        match block:
            case {"text": text}:
                reading.text += text
            case {"reasoningContent": {"reasoningText": told}}:
                reading.reasoning += told["text"]
                signature = {"signature": told["signature"]} if "signature" in told else {}
                entry = {"type": "thinking", "thinking": told["text"], **signature}
                reading.thinking.append(entry)
            case {"citationsContent": cited}:
                reading.text += "".join(c["text"] for c in cited["content"])
                reading.citations += cited["citations"]
            case {"toolUse": use} if use.get("type") != "server_tool_use":
                reading.calls.append((use["toolUseId"], use["name"], use["input"]))
            case _:
                reading.others.append(block)
    return reading


def read_answer(body: dict[str, Any]) -> Reading:
    reading = Reading(stop=body["stopReason"], usage=body.get("usage", {}))
    return read_blocks(body["output"]["message"]["content"], reading)


def read_events(events: list[dict[str, Any]]) -> Reading:
    reading = Reading()
    blocks: dict[int, dict[str, Any]] = {}
    for event in events:
        match event:
            case {"contentBlockStart": start}:
                blocks[start["contentBlockIndex"]] = dict(start["start"])
            case {"contentBlockDelta": delta}:
                add(blocks.setdefault(delta["contentBlockIndex"], {}), delta["delta"])
            case {"messageStop": stop}:
                reading.stop = stop["stopReason"]
            case {"metadata": metadata}:
                reading.usage = metadata["usage"]
    done = [blocks[i] for i in sorted(blocks)]
    for block in done:
        if "toolUse" in block:
            pieces = block["toolUse"].pop("pieces", "")
            block["toolUse"] = {**block["toolUse"], "input": json.loads(pieces or "{}")}
    return read_blocks([block for block in done if block], reading)


def add(block: dict[str, Any], delta: dict[str, Any]) -> None:
    match delta:
        case {"text": text}:
            block["text"] = block.get("text", "") + text
        case {"toolUse": use}:
            opened = block["toolUse"] = dict(block["toolUse"])
            opened["pieces"] = opened.get("pieces", "") + use["input"]
        case {"toolResult": results}:
            opened = block["toolResult"] = dict(block["toolResult"])
            opened["content"] = opened.get("content", []) + results
        case {"reasoningContent": reasoning}:
            told = block.setdefault("reasoningContent", {"reasoningText": {"text": ""}})
            for key, value in reasoning.items():
                told["reasoningText"][key] = told["reasoningText"].get(key, "") + value


@dataclass(frozen=True)
class Recorded:
    """One recording, with its stream as the bytes that came, or could have come."""

    name: str
    path: str
    request: dict[str, Any] | None = field(repr=False)
    status: int
    headers: dict[str, str] = field(repr=False)
    body: dict[str, Any] = field(repr=False)

    @property
    def is_stream(self) -> bool:
        return "decoded_events" in self.body

    @property
    def events(self) -> list[dict[str, Any]]:
        return [
            {e["headers"][":event-type"]: e["payload"]} if "headers" in e else e
            for e in self.body["decoded_events"]
        ]

    @property
    def data(self) -> bytes:
        if "base64" in self.body:
            return base64.b64decode(self.body["base64"])
        return framed(self.events)


def recordings() -> list[Recorded]:
    found = []
    for path in sorted((CORPUS / "bedrock" / "converse").glob("*.json")):
        e = json.loads(path.read_text(encoding="utf-8"))
        answer = e["response"]
        request = e["request"]["body"]
        args = (e["path"], request, answer["status"], answer["headers"], answer["body"])
        found.append(Recorded(path.stem, *args))
    return found


RECORDINGS = recordings()
pytestmark = pytest.mark.skipif(not RECORDINGS, reason=WHY_SKIPPED)


def cases(chosen: list[Recorded]) -> list[Any]:
    return [pytest.param(recorded, id=recorded.name) for recorded in chosen]


STREAMED = [r for r in RECORDINGS if r.status == 200 and r.is_stream]
ANSWERS = cases([r for r in RECORDINGS if r.status == 200 and not r.is_stream])
STREAMS = cases(STREAMED)
SHORT = cases([r for r in STREAMED if len(r.data) <= ALL_SPLITS_UP_TO])
LONG = cases([r for r in STREAMED if len(r.data) > ALL_SPLITS_UP_TO])
FAILURES = cases([r for r in RECORDINGS if r.status != 200])
REQUESTS = cases([r for r in RECORDINGS if r.request is not None])


def exchange(recorded: Recorded, **fields: Any) -> ConverseExchange:
    request = {
        "model": "listed",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        **fields,
    }
    deployment = Deployment(
        model="listed",
        upstream_model="listed-upstream",
        provider=Provider("bedrock", "https://bedrock-runtime.us-east-1.amazonaws.com"),
        dialect=Dialect.BEDROCK,
        endpoint=Endpoint.CHAT,
        path=recorded.path.removesuffix("-stream"),
    )
    return bedrock_exchange(ChatRequest.parse(json.dumps(request).encode(), CREATED), deployment)


def frames_of(made: ConverseExchange, *pieces: bytes) -> list[Frame]:
    decoder = made.stream_decoder()
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
    }


def unindexed(entries: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    return [{k: v for k, v in entry.items() if k != "index"} for entry in entries or []]


def assert_message(message: dict[str, Any], reading: Reading) -> None:
    """The message that a client ends up with says what the recording says."""
    assert (message.get("content") or "") == reading.text
    assert message.get("reasoning_content", "") == reading.reasoning
    calls = message.get("tool_calls") or []
    assert [
        (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in calls
    ] == reading.calls
    assert unindexed(message.get("thinking_blocks")) == reading.thinking
    assert unindexed(message.get("citations")) == reading.citations
    assert unindexed(message.get("provider_blocks")) == reading.others


@pytest.mark.parametrize("recorded", ANSWERS)
def test_a_recorded_answer_says_the_same_in_openai_words(recorded: Recorded) -> None:
    completion = exchange(recorded).decode_response(json.dumps(recorded.body).encode())

    told = json.loads(completion.body)
    ChatCompletion.model_validate(told, strict=True)
    reading = read_answer(recorded.body)
    assert (told["object"], told["created"]) == ("chat.completion", CREATED)
    assert told["model"] == "listed-upstream"
    (choice,) = told["choices"]
    assert_message(choice["message"], reading)
    assert choice["finish_reason"] == FINISH[reading.stop]
    if reading.stop == "guardrail_intervened":
        assert choice["stop_reason"] == reading.stop
        assert told["trace"] == recorded.body["trace"]
    assert told.get("metrics") == recorded.body.get("metrics")
    if not reading.usage:
        assert "usage" not in told
        assert completion.usage is None
        return
    assert stated_usage(told["usage"]) == reading.told_usage
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == reading.told_usage["prompt"]


def blocks_sent_for(recorded: Recorded, message: dict[str, Any]) -> list[dict[str, Any]]:
    """The turn that is sent when a client resends a message as it got it."""
    turns = [{"role": "user", "content": "Hi"}, message, {"role": "user", "content": "?"}]
    again = exchange(recorded, messages=turns)
    assert [name for name in again.dropped if "thinking" not in name] == []
    sent = json.loads(again.http.body)["messages"]
    blocks: list[dict[str, Any]] = sent[1]["content"] if len(sent) == 3 else []
    return blocks


def assert_replayed(recorded: Recorded, message: dict[str, Any], reading: Reading) -> None:
    again = read_blocks(blocks_sent_for(recorded, message), Reading())
    assert again.text == reading.text
    assert again.calls == reading.calls
    assert again.others == reading.others
    is_claude = "claude" in recorded.path
    assert again.thinking == [t for t in reading.thinking if "signature" in t or not is_claude]


@pytest.mark.parametrize("recorded", ANSWERS)
def test_a_recorded_answer_survives_being_sent_back(recorded: Recorded) -> None:
    told = exchange(recorded).decode_response(json.dumps(recorded.body).encode()).body
    message = ChatCompletion.model_validate_json(told).choices[0].message
    sent = message.model_dump(exclude_none=True)
    assert_replayed(recorded, sent, read_answer(recorded.body))


@pytest.mark.parametrize("recorded", STREAMS)
def test_a_recorded_stream_says_the_same_in_openai_words(recorded: Recorded) -> None:
    frames = frames_of(exchange(recorded), recorded.data)

    chunks = [json.loads(frame.payload) for frame in frames]
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk, strict=True)
    reading = read_events(recorded.events)
    assert {(c["object"], c["model"], c["created"]) for c in chunks} == {
        ("chat.completion.chunk", "listed-upstream", CREATED)
    }
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    usage = chunks.pop() if reading.usage else None
    *opening, last = chunks
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in opening)
    assert last["choices"][0]["delta"] == {}
    assert last["choices"][0]["finish_reason"] == FINISH[reading.stop]
    if usage is not None:
        assert usage["choices"] == []
        assert stated_usage(usage["usage"]) == reading.told_usage
    assert [f.is_content for f in frames[: len(chunks)]] == [False, *[True] * (len(chunks) - 1)]
    assert_tool_deltas([chunk["choices"][0]["delta"] for chunk in opening], reading)


def assert_tool_deltas(deltas: list[dict[str, Any]], reading: Reading) -> None:
    """Each call is opened once, in order, with its id and name; what follows carries neither."""
    entries = [entry for delta in deltas for entry in delta.get("tool_calls", [])]
    openings = [entry for entry in entries if "id" in entry]
    assert [entry["index"] for entry in openings] == list(range(len(reading.calls)))
    assert all(entry["type"] == "function" for entry in openings)
    for entry in entries:
        if "id" not in entry:
            assert set(entry) == {"index", "function"}
            assert set(entry["function"]) == {"arguments"}
            assert entry["function"]["arguments"]


@pytest.mark.parametrize("recorded", STREAMS)
def test_the_sdk_puts_a_recorded_stream_together(recorded: Recorded) -> None:
    state = ChatCompletionStreamState()
    for frame in frames_of(exchange(recorded), recorded.data):
        state.handle_chunk(ChatCompletionChunk.model_validate_json(frame.payload))

    message = state.current_completion_snapshot.choices[0].message.model_dump(exclude_none=True)
    reading = read_events(recorded.events)
    assert_message(message, reading)
    assert_replayed(recorded, message, reading)


@pytest.mark.parametrize("recorded", STREAMS)
def test_a_recorded_stream_may_come_one_byte_at_a_time(recorded: Recorded) -> None:
    made, data = exchange(recorded), recorded.data
    assert frames_of(made, *(data[i : i + 1] for i in range(len(data)))) == frames_of(made, data)


@pytest.mark.parametrize("recorded", SHORT)
def test_a_short_recorded_stream_may_be_split_anywhere(recorded: Recorded) -> None:
    made, data = exchange(recorded), recorded.data
    whole = frames_of(made, data)
    assert all(frames_of(made, data[:at], data[at:]) == whole for at in range(1, len(data)))


@pytest.mark.parametrize("recorded", LONG)
def test_a_long_recorded_stream_may_be_split_at_seeded_places(recorded: Recorded) -> None:
    made, data = exchange(recorded), recorded.data
    whole = frames_of(made, data)
    places = random.Random(len(data)).sample(range(1, len(data)), SEEDED_SPLITS)
    assert all(frames_of(made, data[:at], data[at:]) == whole for at in places)


@pytest.mark.full
@pytest.mark.parametrize("recorded", LONG)
def test_a_long_recorded_stream_may_be_split_anywhere(recorded: Recorded) -> None:
    made, data = exchange(recorded), recorded.data
    whole = frames_of(made, data)
    assert all(frames_of(made, data[:at], data[at:]) == whole for at in range(1, len(data)))


@pytest.mark.parametrize("recorded", STREAMS)
def test_a_recorded_stream_that_breaks_off_is_truncated(recorded: Recorded) -> None:
    upto = next(i for i, event in enumerate(recorded.events) if "messageStop" in event)
    decoder = exchange(recorded).stream_decoder()

    frames = [*decoder.feed(framed(recorded.events[:upto])), *decoder.finish()]

    assert decoder.failure is not None
    assert decoder.failure.reason == "UPSTREAM_TRUNCATED"
    assert not decoder.done
    assert all(b'"finish_reason":null' in frame.payload for frame in frames)


@pytest.mark.parametrize("recorded", FAILURES)
def test_a_recorded_error_follows_the_contract_in_the_providers_words(recorded: Recorded) -> None:
    body = json.dumps(recorded.body).encode()
    error = exchange(recorded).decode_error(recorded.status, recorded.headers, body)

    kind, kept = ERRORS[recorded.status]
    verdicts = (UpstreamRejectedError, UpstreamModelNotFoundError)
    assert isinstance(error, verdicts if kind is UpstreamRejectedError else kind)
    assert (error.http_status, error.upstream_status) == (kept, recorded.status)
    assert error.message == recorded.body["message"]
    assert error.retry_after == (1 if recorded.status in (429, 503) else None)


@pytest.mark.parametrize("recorded", REQUESTS)
def test_a_recorded_request_comes_out_again_from_openai_words(recorded: Recorded) -> None:
    assert recorded.request is not None
    again = exchange(recorded, stream=False, stream_options=None, **as_openai(recorded.request))

    sent = json.loads(again.http.body)
    assert comparable(sent) == comparable(recorded.request)
    assert again.dropped == ()
    if "videoin__f5a6fceb51" not in recorded.name:  # its client sent a format unknown to AWS
        assert_valid(sent)
