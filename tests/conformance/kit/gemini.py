"""The suite of Gemini's generateContent, as Gemini's own API and Vertex AI serve it."""

import json
import re
from typing import Any, Final

from google.genai import types
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter

from router.providers.adapter import Frame
from router.providers.gemini import gemini_exchange
from router.providers.gemini.exchange import GenerateExchange
from router.values import Deployment, Dialect, Endpoint, Provider, Secret
from router.wire.chat_request import ChatRequest
from tests.conformance.kit.gemini_reading import Reading, chunks_of, read, replayable
from tests.conformance.kit.gemini_request import in_openai_words, normal
from tests.conformance.kit.refusals import assert_by_the_table
from tests.conformance.kit.split import Make, outcome
from tests.conformance.kit.suite import Suite, general_reason, is_streamed
from tests.support.corpus import Exchange

CREATED: Final = 1_700_000_000

PLAIN: Final[dict[str, Any]] = {
    "messages": [{"role": "user", "content": "Hi"}],
    "stream": True,
    "stream_options": {"include_usage": True},
}

PATH: Final = "/v1beta/models/gemini-2.5-flash:generateContent"

CONTENTS: TypeAdapter[Any] = TypeAdapter(list[types.Content])


def exchange_for(asked: dict[str, Any], path: str = PATH) -> GenerateExchange:
    """The gateway's own exchange for a request in OpenAI's words."""
    deployment = Deployment(
        model="listed",
        upstream_model="listed",
        provider=Provider("gemini", "https://gemini.test", api_key=Secret("key-of-ours")),
        dialect=Dialect.GEMINI,
        endpoint=Endpoint.CHAT,
        path=path,
    )
    body = json.dumps({**asked, "model": "listed"}).encode()
    return gemini_exchange(ChatRequest.parse(body, CREATED), deployment)


EXCHANGE: Final = exchange_for(PLAIN)
"""For answers: they are read the same whatever was asked."""


def decode(recorded: Exchange) -> None:
    """See `Check.DECODE`. What was told is then sent back, and must make the turn that it was."""
    if recorded.status != 200:
        _decode_error(recorded)
    elif is_streamed(recorded):
        _decode_stream(recorded)
    else:
        _decode_whole(recorded)


def _decode_whole(recorded: Exchange) -> None:
    completion = EXCHANGE.decode_response(recorded.body)

    told = json.loads(completion.body)
    typed = ChatCompletion.model_validate(told, strict=True)
    reading = read(chunks_of(recorded.body))
    assert (told["object"], told["created"]) == ("chat.completion", CREATED)
    assert (told["id"], told["model"]) == (reading.id, reading.model)
    assert len(told["choices"]) == 1
    choice = told["choices"][0]
    assert_message(choice["message"], reading)
    assert_end(choice, reading)
    assert [(key, choice[key]) for key, _ in reading.beside] == reading.beside
    assert logprobs_in([choice]) == reading.logprobs
    assert_usage(told.get("usage"), reading)
    assert_replayed(typed.choices[0].message.model_dump(exclude_none=True), reading)


def _decode_stream(recorded: Exchange) -> None:
    frames, done, usage, failure, _ = outcome(EXCHANGE.stream_decoder, [recorded.body])
    assert failure is None
    assert done
    reading = read(chunks_of(recorded.body))
    assert_frames(frames, reading)
    if reading.told_usage is not None:
        assert usage is not None
        assert usage.prompt_tokens == reading.told_usage["prompt"]
        assert usage.completion_tokens == reading.told_usage["completion"]


def assert_frames(frames: list[Frame], reading: Reading) -> None:
    """The chunks are as a client wants them, and the SDK puts them together to what was said."""
    state = ChatCompletionStreamState()
    chunks = [json.loads(frame.payload) for frame in frames]
    for chunk in chunks:
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk, strict=True))
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert {(c["id"], c["model"], c["created"]) for c in chunks} == {
        (reading.id, reading.model, CREATED)
    }
    choices = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]
    assert choices[0]["delta"] == {"role": "assistant", "content": ""}
    assert all(choice["finish_reason"] is None for choice in choices[:-1])
    assert choices[-1]["delta"] == {}
    assert_end(choices[-1], reading)
    beside = [(key, choice[key]) for choice in choices for key in choice if key[0].islower()]
    expected = [(key, value) for key, value in reading.beside if value]
    assert [pair for pair in expected if pair not in beside] == []
    assert logprobs_in(choices) == reading.logprobs
    assert_usage(chunks[-1].get("usage"), reading)
    assert_tool_deltas([choice["delta"] for choice in choices], reading)
    message = state.current_completion_snapshot.choices[0].message.model_dump(exclude_none=True)
    assert_message(message, reading)
    assert_replayed(message, reading)


def assert_message(message: dict[str, Any], reading: Reading) -> None:
    """The message that a client ends up with says what the recording says."""
    assert (message.get("content") or "") == reading.text
    assert message.get("reasoning_content", "") == reading.reasoning
    calls = message.get("tool_calls") or []
    assert len({call["id"] for call in calls}) == len(calls) == len(reading.calls)
    for call, own in zip(calls, reading.calls, strict=True):
        assert call["function"]["name"] == own["name"]
        assert json.loads(call["function"]["arguments"]) == own["args"]
        assert call["id"] == own.get("id", call["id"])
        assert call["id"].startswith("call_gemini_") == ("id" not in own)
        assert len(call["id"]) <= 40
    shown = [image["image_url"]["url"].partition(",")[2] for image in message.get("images", [])]
    assert shown == reading.images
    assert (message.get("audio") or {}).get("data", "") == "".join(reading.audio)
    blocks = message.get("provider_blocks") or []
    left_out = ("index", "at")
    assert [
        {key: value for key, value in block.items() if key not in left_out} for block in blocks
    ] == reading.others


def assert_end(choice: dict[str, Any], reading: Reading) -> None:
    assert choice["finish_reason"] == reading.finish_reason
    is_said = reading.reason in ("STOP", "MAX_TOKENS", 1)
    assert choice.get("native_finish_reason") == (None if is_said else reading.reason)


def assert_usage(usage: dict[str, Any] | None, reading: Reading) -> None:
    expected = reading.told_usage
    assert (usage is None) == (expected is None)
    if usage is not None:
        prompt = usage.get("prompt_tokens_details", {})
        completion = usage.get("completion_tokens_details", {})
        assert expected == {
            "prompt": usage["prompt_tokens"],
            "completion": usage["completion_tokens"],
            "total": usage["total_tokens"],
            "cached": prompt.get("cached_tokens"),
            "reasoning": completion.get("reasoning_tokens"),
        }


def logprobs_in(choices: list[dict[str, Any]]) -> list[tuple[str, float, list[str]]]:
    tokens = [t for c in choices if c["logprobs"] for t in c["logprobs"]["content"]]
    return [(t["token"], t["logprob"], [top["token"] for top in t["top_logprobs"]]) for t in tokens]


def assert_tool_deltas(deltas: list[dict[str, Any]], reading: Reading) -> None:
    """Each call is opened once, in order, with its id and name; what follows carries neither."""
    entries = [entry for delta in deltas for entry in delta.get("tool_calls", [])]
    openings = [entry for entry in entries if "id" in entry]
    assert [entry["index"] for entry in openings] == list(range(len(reading.calls)))
    assert all(entry["type"] == "function" for entry in openings)
    assert all(set(entry) <= {"index", "function"} for entry in entries if "id" not in entry)


def assert_replayed(message: dict[str, Any], reading: Reading) -> None:
    """A client that sends a message back as it got it makes the provider's own turn of it."""
    hello, question = ({"role": "user", "content": text} for text in ("Hi", "?"))
    again = exchange_for({**PLAIN, "messages": [hello, message, question]})
    assert again.dropped == ()
    contents = json.loads(again.http.body)["contents"]
    turn = contents[1]["parts"] if len(contents) == 3 else []
    assert replayable(turn) == replayable(reading.parts)


ACCOUNT: Final = "API key not valid"
"""Google words a bad key as a 400; it is our account that is at fault, and the contract has a row for it."""


def _decode_error(recorded: Exchange) -> None:
    error = EXCHANGE.decode_error(recorded.status, recorded.headers, recorded.body)
    found = json.loads(recorded.body)
    stated = (found[0] if isinstance(found, list) else found)["error"]
    if stated["message"].startswith(ACCOUNT):
        assert error.reason == "UPSTREAM_AUTH"
        assert error.upstream_status == recorded.status
    else:
        assert_by_the_table(error, recorded.status, recorded.headers)
    assert error.message == stated["message"]
    is_too_long = "exceeds the maximum number of tokens" in stated["message"]
    assert (error.code == "context_length_exceeded") == is_too_long
    for detail in stated.get("details", []):
        if detail["@type"].endswith("RetryInfo"):
            assert error.retry_after == float(detail["retryDelay"].removesuffix("s"))


def round_trip(recorded: Exchange) -> None:
    """See `Check.ROUND_TRIP`. The `google-genai` package's own types must take the request, too."""
    asked = in_openai_words(recorded.asked)
    is_stream = ":streamGenerateContent" in recorded.path
    path = recorded.path.replace(":streamGenerateContent", ":generateContent")
    exchange = exchange_for({**asked, "stream": is_stream}, path)
    sent = json.loads(exchange.http.body)
    assert_typed(sent)
    assert normal(sent) == normal(recorded.asked)
    assert exchange.dropped == ()
    bare = recorded.path.partition("?")[0]
    assert re.match(re.escape(f"https://gemini.test{bare}"), exchange.http.url)
    assert ("alt=sse" in exchange.http.url) == is_stream
    assert exchange.http.headers["x-goog-api-key"] == "key-of-ours"
    assert "key-of-ours" not in exchange.http.url


def assert_typed(sent: dict[str, Any]) -> None:
    """The package's types, which forbid what they do not know, take every part of a request."""
    CONTENTS.validate_python(sent["contents"])
    if "systemInstruction" in sent:
        types.Content.model_validate(sent["systemInstruction"])
    for tool in sent.get("tools", []):
        types.Tool.model_validate(tool)
    types.ToolConfig.model_validate(sent.get("toolConfig", {}))
    config = {
        key: value
        for key, value in sent.get("generationConfig", {}).items()
        if key != "imageConfig"  # one of the request's own, and newer than the type
    }
    types.GenerationConfig.model_validate(config)
    for setting in sent.get("safetySettings", []):
        types.SafetySetting.model_validate(setting)


def decoder_of(recorded: Exchange) -> Make:
    """See `Suite.decoder_of`."""
    return EXCHANGE.stream_decoder


GEMINI: Final = Suite("Gemini generateContent", decode, round_trip, decoder_of, general_reason)
