"""Anthropic's event stream as OpenAI's chunks: one state machine per content block.

The strategy: each event has a reader in a table, each kind of block has an opener, each kind of delta
has its own effect, and whatever is not in a table says nothing to an OpenAI client. A chunk leaves when
its event has arrived; only what makes sense as a whole waits for its block to end (signed thinking, the
provider's own tool blocks, a call without arguments). Entries of lists in a delta carry an `index`, so
that the OpenAI SDK's accumulator puts them together.

Usage is cumulative: what is stated last counts. The stream is complete when `message_stop` has arrived.
Source: https://platform.claude.com/docs/en/build-with-claude/streaming.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import msgspec

from router.errors import UpstreamError
from router.providers.adapter import Frame
from router.providers.anthropic import answer, errors
from router.providers.anthropic.decode import (
    BLOCK,
    NO_INPUT,
    Block,
    arguments_of,
    caller_of,
    text_of,
    thinking_block,
)
from router.providers.anthropic.order import ENTRY_SIZE, FIELD, Order
from router.providers.names import Names
from router.values import Usage
from router.wire import jsontext
from router.wire.sse import MAX_EVENT_BYTES, EventTooLargeError, ServerSentEvent, SseDecoder


class _Event(msgspec.Struct):
    """An event of any type; what is read leniently is anything."""

    type: Any = None
    index: Any = None
    message: Any = None
    content_block: msgspec.Raw = msgspec.Raw(b"")
    delta: Any = None
    usage: Any = None
    error: Any = None
    context_management: Any = None


_EVENT = msgspec.json.Decoder(_Event)
_ENCODE = msgspec.json.Encoder().encode


@dataclass(slots=True)
class _Open:
    """A content block under way. `index` counts the entries of its own list: calls, thinking, the rest.

    `pieces` collects what has to wait for the block's end; of a call's arguments only whether there
    were any matters, since they leave at once.
    """

    block: Block
    raw: msgspec.Raw
    index: int = 0
    pieces: list[str] = field(default_factory=list)
    signature: list[str] = field(default_factory=list)
    held: int = 0


@dataclass(frozen=True, slots=True)
class StreamContext:
    """What the request determines of the answer. `created` is Unix time in seconds."""

    created: int
    include_usage: bool
    names: Names
    json_tool: str | None


def _key(event: _Event) -> Any:
    return event.index if isinstance(event.index, int) else None


def _json_or_text(text: str) -> Any:
    """Return `text` as the JSON that it is, or as a string where the answer ended in its midst."""
    try:
        jsontext.check(text.encode())
    except jsontext.MalformedJsonError:
        return text
    return msgspec.Raw(text.encode())


class MessagesStreamDecoder:
    """Bytes of one streamed answer in, frames out; see `StreamDecoder`. Lives as long as one response."""

    def __init__(self, context: StreamContext) -> None:
        self.usage: Usage | None = None
        self.failure: UpstreamError | None = None
        self.is_failure_told = False
        self.done = False
        self._context = context
        self._sse = SseDecoder()
        self._frames: list[Frame] = []
        self._envelope: dict[str, Any] = {}
        self._head = b""
        self._stated: dict[str, Any] = {}
        self._stop: dict[str, Any] = {}
        self._extras: dict[str, Any] = {}
        self._open: dict[Any, _Open] = {}
        self._held = 0
        self._counts = {"tool_calls": 0, "thinking_blocks": 0, "provider_blocks": 0, "citations": 0}
        self._order = Order()

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes as they came; return the frames that they complete."""
        if self.failure is None and not self.done:
            try:
                events = self._sse.feed(data)
            except EventTooLargeError as exc:
                self.failure = errors.unreadable("an event larger than the limit", exc)
            else:
                self._read_all(events)
        return self._take_frames()

    def finish(self) -> list[Frame]:
        """Tell that the input has ended; a stream without `message_stop` was cut short."""
        if self.failure is None and not self.done:
            try:
                self._read_all(self._sse.finish())
            except EventTooLargeError:
                self.failure = errors.truncated()
            # An event that broke off in its middle is no broken event, but the end of the stream.
            if not self.done and (self.failure is None or self.failure.upstream_status is None):
                self.failure = errors.truncated()
        return self._take_frames()

    def _take_frames(self) -> list[Frame]:
        frames, self._frames = self._frames, []
        return frames

    def _read_all(self, events: list[ServerSentEvent]) -> None:
        for sent in events:
            try:
                jsontext.check(sent.data)
                event = _EVENT.decode(sent.data)
                reader = self._EVENTS.get(text_of(event.type))
                if reader is not None:
                    reader(self, event)
            except (ValueError, RecursionError) as exc:
                self.failure = errors.unreadable("an event", exc)
            if self.failure is not None or self.done:
                return

    # What goes out.

    def _emit(self, delta: dict[str, Any], *, is_content: bool = True) -> None:
        self._begin({})
        payload = b"".join(
            (
                self._head,
                b'"choices":[{"index":0,"delta":',
                _ENCODE(delta),
                b',"logprobs":null,"finish_reason":null}]}',
            )
        )
        self._frames.append(Frame(payload, is_content))

    def _emit_last(self, choices: list[dict[str, Any]], extras: dict[str, Any]) -> None:
        chunk = {**self._envelope, "choices": choices, **extras}
        self._frames.append(Frame(_ENCODE(chunk), bool(choices)))

    def _next(self, name: str) -> int:
        self._counts[name] += 1
        return self._counts[name] - 1

    # What comes in: the message.

    def _begin(self, message: Mapping[str, Any]) -> None:
        """Open the answer, once: with `message_start`, or without where a provider leaves it out."""
        if self._head:
            return
        envelope = {
            "id": text_of(message.get("id")),
            "object": "chat.completion.chunk",
            "created": self._context.created,
            "model": text_of(message.get("model")),
            "service_tier": answer.service_tier(self._stated),
        }
        self._envelope = {key: value for key, value in envelope.items() if value is not None}
        self._head = _ENCODE(self._envelope)[:-1] + b","
        self._emit({"role": "assistant", "content": ""}, is_content=False)

    def _message_start(self, event: _Event) -> None:
        message = event.message if isinstance(event.message, dict) else {}
        self._state_usage(message.get("usage"))
        self._begin(message)

    def _state_usage(self, usage: Any) -> None:
        if isinstance(usage, dict):
            self._stated |= {key: value for key, value in usage.items() if value is not None}
            self.usage = answer.read_usage(self._stated)

    def _message_delta(self, event: _Event) -> None:
        delta = event.delta if isinstance(event.delta, dict) else {}
        self._stop |= {key: value for key, value in delta.items() if value is not None}
        if event.context_management is not None:
            self._extras["context_management"] = event.context_management
        self._state_usage(event.usage)

    def _message_stop(self, event: _Event) -> None:
        self._begin({})
        for key in list(self._open):
            self._close(key)
        if not self._order.is_usual:
            self._emit({FIELD: self._order.entries})
        refusal = answer.refusal_text(self._stop)
        if refusal:
            self._emit({"refusal": refusal})
        calls_tools = self._counts["tool_calls"] > 0
        reason = answer.finish_reason(self._stop.get("stop_reason"), calls_tools=calls_tools)
        choice = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": reason}
        extras = self._stop | self._extras
        told: dict[str, Any] = {key: extras[key] for key in answer.ENVELOPE_EXTRAS if key in extras}
        self._emit_last([choice | answer.stop_extras(self._stop)], told)
        usage = answer.told_usage(self._stated)
        if self._context.include_usage and usage is not None:
            self._emit_last([], {"usage": usage})
        self.done = True

    def _error(self, event: _Event) -> None:
        self.failure = errors.stated_failure(event.error)

    # What comes in: content blocks.

    def _block_start(self, event: _Event) -> None:
        opened = _Open(BLOCK.decode(event.content_block), event.content_block)
        self._close(_key(event))
        self._open[_key(event)] = opened
        self._held += ENTRY_SIZE  # of the order, which lasts as long as the answer
        self._hold(opened, len(bytes(event.content_block)))
        kind = text_of(opened.block.type)
        self._OPENERS.get(kind, MessagesStreamDecoder._open_provider_block)(self, opened)

    def _block_delta(self, event: _Event) -> None:
        delta = event.delta if isinstance(event.delta, dict) else {}
        effect = self._DELTAS.get(text_of(delta.get("type")))
        if effect is not None:
            effect(self, self._open.get(_key(event)), delta)

    def _block_stop(self, event: _Event) -> None:
        self._close(_key(event))

    def _close(self, key: Any) -> None:
        opened = self._open.pop(key, None)
        if opened is not None:
            self._held -= opened.held
            kind = text_of(opened.block.type)
            self._CLOSERS.get(kind, MessagesStreamDecoder._close_provider_block)(self, opened)

    def _hold(self, opened: _Open, size: int) -> None:
        """Account for what has to wait for the block's end; memory must stay bounded."""
        opened.held += size
        self._held += size
        if self._held > MAX_EVENT_BYTES:
            self.failure = errors.unreadable("a content block larger than the limit")

    def _wait(self, opened: _Open, pieces: list[str], text: str) -> None:
        pieces.append(text)
        self._hold(opened, len(text) + 1)

    def _open_text(self, opened: _Open) -> None:
        self._order.begin_text()
        self._say(text_of(opened.block.text))
        if isinstance(opened.block.citations, list):
            for citation in opened.block.citations:
                self._cite(citation)

    def _open_tool(self, opened: _Open) -> None:
        block = opened.block
        if self._is_json_tool(opened):
            self._order.begin_text()
            return
        self._order.call()
        opened.index = self._next("tool_calls")
        function = {"name": self._context.names.told(text_of(block.name)), "arguments": ""}
        call = {
            "index": opened.index,
            "id": text_of(block.id),
            "type": "function",
            "function": function,
        }
        self._emit({"tool_calls": [call | caller_of(block)]})

    def _open_thinking(self, opened: _Open) -> None:
        self._order.thinking()
        opened.index = self._next("thinking_blocks")
        opened.signature.append(text_of(opened.block.signature))
        self._think(opened, text_of(opened.block.thinking))

    def _open_redacted(self, opened: _Open) -> None:
        self._order.thinking()
        entry = {"index": self._next("thinking_blocks"), "type": "redacted_thinking"}
        self._emit({"thinking_blocks": [entry | {"data": text_of(opened.block.data)}]})

    def _open_provider_block(self, opened: _Open) -> None:
        self._order.provider_block()
        opened.index = self._next("provider_blocks")

    def _say(self, text: str) -> None:
        if text:
            self._order.text(len(text))
            self._emit({"content": text})

    def _cite(self, citation: Any) -> None:
        if isinstance(citation, dict):
            self._order.citation()
            self._emit({"citations": [{"index": self._next("citations")} | citation]})

    def _think(self, opened: _Open | None, thinking: str) -> None:
        if thinking:
            self._emit({"reasoning_content": thinking})
        if opened is not None:
            self._wait(opened, opened.pieces, thinking)

    def _is_json_tool(self, opened: _Open) -> bool:
        block, json_tool = opened.block, self._context.json_tool
        return block.type == "tool_use" and json_tool is not None and block.name == json_tool

    def _arguments(self, opened: _Open, text: str) -> None:
        if self._is_json_tool(opened):
            self._say(text)
        else:
            call = {"index": opened.index, "function": {"arguments": text}}
            self._emit({"tool_calls": [call]})

    def _text_delta(self, opened: _Open | None, delta: Mapping[str, Any]) -> None:
        self._say(text_of(delta.get("text")))

    def _citations_delta(self, opened: _Open | None, delta: Mapping[str, Any]) -> None:
        self._cite(delta.get("citation"))

    def _thinking_delta(self, opened: _Open | None, delta: Mapping[str, Any]) -> None:
        self._think(opened, text_of(delta.get("thinking")))

    def _signature_delta(self, opened: _Open | None, delta: Mapping[str, Any]) -> None:
        if opened is not None:
            self._wait(opened, opened.signature, text_of(delta.get("signature")))

    def _input_delta(self, opened: _Open | None, delta: Mapping[str, Any]) -> None:
        text = text_of(delta.get("partial_json"))
        if opened is None or not text:
            return
        if opened.block.type == "tool_use":
            opened.pieces = [NO_INPUT]
            self._arguments(opened, text)
        else:
            self._wait(opened, opened.pieces, text)

    def _compaction_delta(self, opened: _Open | None, delta: Mapping[str, Any]) -> None:
        if opened is not None:
            self._wait(opened, opened.pieces, text_of(delta.get("content")))

    def _close_tool(self, opened: _Open) -> None:
        """Give a call that had no argument deltas its arguments: those of its start, else none."""
        if not opened.pieces:
            self._arguments(opened, arguments_of(opened.block))

    def _close_thinking(self, opened: _Open) -> None:
        block = thinking_block("".join(opened.pieces), "".join(opened.signature))
        self._emit({"thinking_blocks": [{"index": opened.index} | block]})

    def _close_provider_block(self, opened: _Open) -> None:
        """Give a block of the provider's own as a whole, with the input that came in pieces."""
        entry: dict[str, Any] = msgspec.json.decode(opened.raw, type=dict[str, msgspec.Raw])
        text = "".join(opened.pieces)
        if text and text_of(opened.block.type) == "compaction":
            entry["content"] = text
        elif text:
            entry["input"] = _json_or_text(text)
        self._emit({"provider_blocks": [{"index": opened.index} | entry]})

    def _nothing(self, opened: _Open) -> None:
        """End a block that has left as it came."""

    _EVENTS: ClassVar[Mapping[str, Callable[["MessagesStreamDecoder", _Event], None]]] = {
        "message_start": _message_start,
        "content_block_start": _block_start,
        "content_block_delta": _block_delta,
        "content_block_stop": _block_stop,
        "message_delta": _message_delta,
        "message_stop": _message_stop,
        "error": _error,
    }
    """Others (`ping`) say nothing to an OpenAI client."""

    _OPENERS: ClassVar[Mapping[str, Callable[["MessagesStreamDecoder", _Open], None]]] = {
        "text": _open_text,
        "tool_use": _open_tool,
        "thinking": _open_thinking,
        "redacted_thinking": _open_redacted,
    }
    """By the kind of block; all others are the provider's own business."""

    _CLOSERS: ClassVar[Mapping[str, Callable[["MessagesStreamDecoder", _Open], None]]] = {
        "text": _nothing,
        "tool_use": _close_tool,
        "thinking": _close_thinking,
        "redacted_thinking": _nothing,
    }

    _DELTAS: ClassVar[
        Mapping[str, Callable[["MessagesStreamDecoder", _Open | None, Mapping[str, Any]], None]]
    ] = {
        "text_delta": _text_delta,
        "citations_delta": _citations_delta,
        "thinking_delta": _thinking_delta,
        "signature_delta": _signature_delta,
        "input_json_delta": _input_delta,
        "compaction_delta": _compaction_delta,
    }
