"""The suite of Anthropic's Messages, as Anthropic and Vertex AI serve it."""

import json
from typing import Any, Final

from anthropic.types.beta.message_create_params import MessageCreateParams
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter

from router.providers.adapter import Frame
from router.providers.anthropic import anthropic_exchange
from router.providers.anthropic.exchange import MessagesExchange
from router.values import Deployment, Dialect, Endpoint, Provider, Secret
from router.wire.chat_request import ChatRequest
from tests.conformance.kit.anthropic_reading import (
    Reading,
    assert_message,
    assert_stop,
    assert_tool_deltas,
    read_blocks,
    read_message,
    read_stream,
    stated_usage,
)
from tests.conformance.kit.anthropic_request import in_openai_words, normal
from tests.conformance.kit.refusals import assert_by_the_table
from tests.conformance.kit.split import Make, outcome
from tests.conformance.kit.suite import Suite, general_reason, is_streamed
from tests.support.corpus import Exchange

CREATED: Final = 1_700_000_000

ANTHROPIC_TYPE: TypeAdapter[Any] = TypeAdapter(MessageCreateParams)

PLAIN: Final[dict[str, Any]] = {
    "messages": [{"role": "user", "content": "Hi"}],
    "stream": True,
    "stream_options": {"include_usage": True},
}


def exchange_for(asked: dict[str, Any], model: str = "claude-sonnet-4-5") -> MessagesExchange:
    """The gateway's own exchange for a request in OpenAI's words."""
    deployment = Deployment(
        model="listed",
        upstream_model=model,
        provider=Provider("anthropic", "https://api.anthropic.com", api_key=Secret("sk-ant")),
        dialect=Dialect.ANTHROPIC,
        endpoint=Endpoint.CHAT,
        path="/v1/messages",
    )
    body = json.dumps({**asked, "model": "listed"}).encode()
    return anthropic_exchange(ChatRequest.parse(body, CREATED), deployment)


EXCHANGE: Final = exchange_for(PLAIN)
"""For answers: they are read the same whatever was asked, but for a format given by a tool."""


def decode(recorded: Exchange) -> None:
    """See `Check.DECODE`. What was told is then sent back, and must make the turn that it was."""
    if recorded.status != 200:
        _decode_error(recorded)
    elif is_streamed(recorded):
        _decode_stream(recorded)
    else:
        _decode_message(recorded)


def _decode_message(recorded: Exchange) -> None:
    completion = EXCHANGE.decode_response(recorded.body)

    told = json.loads(completion.body)
    typed = ChatCompletion.model_validate(told, strict=True)
    reading = read_message(json.loads(recorded.body))
    assert (told["object"], told["created"]) == ("chat.completion", CREATED)
    assert (told["id"], told["model"]) == (reading.id, reading.model)
    assert len(told["choices"]) == 1
    assert_message(told["choices"][0]["message"], reading)
    assert_stop(told["choices"][0], reading)
    assert stated_usage(told["usage"]) == reading.told_usage
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == reading.told_usage["prompt"]
    assert completion.usage.completion_tokens == reading.told_usage["completion"]
    assert_replayed(typed.choices[0].message.model_dump(exclude_none=True), reading)


def _decode_stream(recorded: Exchange) -> None:
    if b"event: error" in recorded.body:
        _decode_broken(recorded)
        return
    frames, done, usage, failure, _ = outcome(EXCHANGE.stream_decoder, [recorded.body])
    assert failure is None
    assert done
    reading = read_stream(recorded.body.decode())
    assert_frames(frames, reading)
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
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    *opening, last, usage = chunks
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in opening)
    assert last["choices"][0]["delta"] == {}
    assert_stop(last["choices"][0], reading)
    assert usage["choices"] == []
    assert stated_usage(usage["usage"]) == reading.told_usage
    assert [f.is_content for f in frames] == [False, *[True] * (len(frames) - 2), False]
    assert_tool_deltas([chunk["choices"][0]["delta"] for chunk in chunks[:-1]], reading)
    message = state.current_completion_snapshot.choices[0].message.model_dump(exclude_none=True)
    assert_message(message, reading)
    assert_replayed(message, reading)


def assert_replayed(message: dict[str, Any], reading: Reading) -> None:
    """A client that sends a message back as it got it makes the provider's own turn of it."""
    hello, question = ({"role": "user", "content": text} for text in ("Hi", "?"))
    again = exchange_for({**PLAIN, "messages": [hello, message, question]})
    assert again.dropped == ()
    turns = json.loads(again.http.body)["messages"]
    found = read_blocks(turns[1]["content"] if len(turns) == 3 else [], Reading())
    assert found.text == reading.text + (message.get("refusal") or "")
    assert found.thinking == reading.thinking
    assert found.citations == reading.citations
    assert found.others == reading.others
    assert found.calls == [(i, n, json.dumps(json.loads(a))) for i, n, a in reading.calls]
    assert message.get("refusal") or found.kinds == reading.kinds


def _decode_broken(recorded: Exchange) -> None:
    """An error event before any content is the answer; after it, the end."""
    events = [line[5:] for line in recorded.body.decode().splitlines() if line[:5] == "data:"]
    stated = next(e for e in map(json.loads, events) if e["type"] == "error")["error"]
    _, done, _, failure, _ = outcome(EXCHANGE.stream_decoder, [recorded.body])
    assert failure is not None
    assert failure[1] == stated["message"]
    assert not done


def _decode_error(recorded: Exchange) -> None:
    error = EXCHANGE.decode_error(recorded.status, recorded.headers, recorded.body)
    message = json.loads(recorded.body)["error"]["message"]
    assert_by_the_table(error, recorded.status, recorded.headers)
    assert error.message == message
    assert (error.code == "context_length_exceeded") == message.startswith("prompt is too")


def round_trip(recorded: Exchange) -> None:
    """See `Check.ROUND_TRIP`. The `anthropic` package's own types must take the request, too."""
    body = recorded.asked
    model = body.get("model") or recorded.model
    asked = in_openai_words(body) | {"stream": body.get("stream") is True}
    exchange = exchange_for(asked, model)
    sent = json.loads(exchange.http.body)
    ANTHROPIC_TYPE.validate_python(sent)
    assert normal(sent) == normal(body)
    assert sent["model"] == model
    assert exchange.dropped == ()


def decoder_of(recorded: Exchange) -> Make:
    """See `Suite.decoder_of`."""
    return EXCHANGE.stream_decoder


ANTHROPIC: Final = Suite("Anthropic Messages", decode, round_trip, decoder_of, general_reason)
