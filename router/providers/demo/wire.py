"""The built-in provider's answers as OpenAI writes them: one JSON body, or server-sent events.

An answer is a list of tokens; the body and the stream are both put together from it, so they agree.
Source: https://platform.openai.com/docs/api-reference/chat
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

import msgspec

from router.providers.demo.request import DemoError

Part = tuple[float, bytes]
"""Seconds to wait, then what to send."""

JSON_HEADERS: Final[Mapping[str, str]] = MappingProxyType({"content-type": "application/json"})
STREAM_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {"content-type": "text/event-stream; charset=utf-8"}
)
FINGERPRINT: Final = "fp_demo"


@dataclass(frozen=True, slots=True)
class DemoAnswer:
    """What is to be sent. After the last part the connection breaks if `is_cut`."""

    status: int
    headers: Mapping[str, str]
    parts: tuple[Part, ...] = field(repr=False)
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """One step of an answer: some text of a kind. A `call` begins a tool call with its name as text."""

    kind: Literal["reasoning", "content", "call", "arguments"]
    text: str
    call: int = 0


@dataclass(frozen=True, slots=True)
class Script:
    """An answer before it is written. `seed` makes its ids; delays are in seconds."""

    seed: str
    created: int
    model: str
    tokens: Sequence[Token]
    finish_reason: str
    prompt_tokens: int
    choices: int = 1
    first_delay: float = 0.0
    token_delay: float = 0.0
    is_cut: bool = False

    @property
    def usage(self) -> dict[str, Any]:
        """OpenAI's usage object: a token each word."""
        reasoning = sum(token.kind == "reasoning" for token in self.tokens)
        completion = len(self.tokens) * self.choices
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": self.prompt_tokens + completion,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": reasoning * self.choices,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }

    @property
    def heard(self) -> Sequence[Token]:
        """The tokens that are sent before the connection breaks, if it does."""
        return self.tokens[: max(1, len(self.tokens) // 2)] if self.is_cut else self.tokens

    def call_id(self, choice: int, call: int) -> str:
        return f"call_{self.seed[:20]}{choice}{call}"

    def envelope(self, kind: str) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-{self.seed[:24]}",
            "object": kind,
            "created": self.created,
            "model": self.model,
            "service_tier": "default",
            "system_fingerprint": FINGERPRINT,
        }


def failed(error: DemoError, retry_after: int | None = None) -> DemoAnswer:
    """Return the answer that is a failure."""
    headers = dict(JSON_HEADERS)
    if retry_after is not None:
        headers["retry-after"] = str(retry_after)
    return DemoAnswer(error.status, headers, ((0.0, msgspec.json.encode(error.body)),))


def whole(script: Script) -> DemoAnswer:
    """Return the answer as one JSON body."""
    completion = {
        **script.envelope("chat.completion"),
        "choices": [
            {
                "index": index,
                "message": _message(script, index),
                "logprobs": None,
                "finish_reason": script.finish_reason,
            }
            for index in range(script.choices)
        ],
        "usage": script.usage,
    }
    body = msgspec.json.encode(completion)
    delay = script.first_delay + script.token_delay * max(0, len(script.heard) - 1)
    sent = body[: len(body) // 2] if script.is_cut else body
    return DemoAnswer(200, JSON_HEADERS, ((delay, sent),), script.is_cut)


def streamed(script: Script, *, include_usage: bool) -> DemoAnswer:
    """Return the answer as server-sent events."""
    parts = tuple(_events(script, include_usage=include_usage))
    return DemoAnswer(200, STREAM_HEADERS, parts, script.is_cut)


def _message(script: Script, choice: int) -> dict[str, Any]:
    texts: dict[str, str] = {}
    calls: list[dict[str, Any]] = []
    for token in script.tokens:
        if token.kind == "call":
            function = {"name": token.text, "arguments": ""}
            identity = {"id": script.call_id(choice, token.call), "type": "function"}
            calls.append({**identity, "function": function})
        elif token.kind == "arguments":
            calls[token.call]["function"]["arguments"] += token.text
        else:
            texts[token.kind] = texts.get(token.kind, "") + token.text
    message: dict[str, Any] = {
        "role": "assistant",
        "content": texts.get("content", None if calls else ""),
        "refusal": None,
        "annotations": [],
    }
    if "reasoning" in texts:
        message["reasoning_content"] = texts["reasoning"]
    if calls:
        message["tool_calls"] = calls
    return message


def _events(script: Script, *, include_usage: bool) -> Iterator[Part]:
    """Yield the role, the tokens of all choices in turn, the ends, the usage and the end mark."""
    envelope = script.envelope("chat.completion.chunk")
    rest = {"usage": None} if include_usage else {}

    def chunk(index: int, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _event({**envelope, "choices": [choice], **rest})

    every = range(script.choices)
    is_call = any(token.kind == "call" for token in script.tokens)
    first = {"role": "assistant", "content": None if is_call else "", "refusal": None}
    yield script.first_delay, b"".join(chunk(index, first) for index in every)
    for position, token in enumerate(script.heard):
        sent = b"".join(chunk(index, _delta(script, index, token)) for index in every)
        yield script.token_delay if position else 0.0, sent
    if script.is_cut:
        return
    yield 0.0, b"".join(chunk(index, {}, script.finish_reason) for index in every)
    if include_usage:
        yield 0.0, _event({**envelope, "choices": [], "usage": script.usage})
    yield 0.0, b"data: [DONE]\n\n"


def _delta(script: Script, choice: int, token: Token) -> dict[str, Any]:
    match token.kind:
        case "content":
            return {"content": token.text}
        case "reasoning":
            return {"reasoning_content": token.text}
        case "call":
            function = {"name": token.text, "arguments": ""}
            identity = {"id": script.call_id(choice, token.call), "type": "function"}
            return {"tool_calls": [{"index": token.call, **identity, "function": function}]}
        case "arguments":
            return {"tool_calls": [{"index": token.call, "function": {"arguments": token.text}}]}


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"
