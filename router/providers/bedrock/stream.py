"""Converse's event stream as OpenAI's chunks: one state machine per content block.

The strategy: each event has a reader in a table, each kind of delta has its own effect, and whatever is
not in a table says nothing to an OpenAI client. A block is opened by its start, or by its first delta where
it has none (text, reasoning). A chunk leaves when its event has arrived; only what makes sense as a whole
waits for its block to end (signed reasoning, the provider's own tools, a call without arguments). Entries
of lists in a delta carry an `index`, so that the OpenAI SDK's accumulator puts them together.

The stream is complete when `messageStop` has arrived; the finish reason waits for `metadata` behind it, or
for the end of the input, since usage and traces stand there.
Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import msgspec

from router.errors import UpstreamError
from router.providers.adapter import Frame
from router.providers.anthropic.order import FIELD, Order
from router.providers.bedrock import answer, errors
from router.providers.bedrock.decode import (
    NO_INPUT,
    SERVER_TOOL,
    Context,
    ToolUse,
    text_of,
    thinking_block,
    tool_call,
)
from router.values import Usage
from router.wire import jsontext
from router.wire.aws_event_stream import MAX_PAYLOAD_BYTES, AwsEventStreamDecoder, EventMessage


class _Event(msgspec.Struct):
    """An event of any type; what is read leniently is anything."""

    contentBlockIndex: Any = None  # noqa: N815 (AWS's names)
    start: Any = None
    delta: Any = None
    stopReason: Any = None  # noqa: N815
    usage: Any = None
    metrics: Any = None
    trace: Any = None
    performanceConfig: Any = None  # noqa: N815
    serviceTier: Any = None  # noqa: N815
    additionalModelResponseFields: Any = None  # noqa: N815


BLOCK_SIZE: Final = 512
"""About what a block takes in memory, with its place in the order, which lasts as long as the answer."""

_EVENT = msgspec.json.Decoder(_Event)
_ENCODE = msgspec.json.Encoder().encode


@dataclass(slots=True)
class _Open:
    """A content block under way. `index` counts the entries of its own list: calls, thinking, the rest.

    `start` is what the block began with, None for text and reasoning. The rest waits for its end.
    """

    start: dict[str, Any] | None = None
    index: int = -1
    is_said: bool = False
    pieces: list[str] = field(default_factory=list)
    signature: list[str] = field(default_factory=list)
    redacted: list[bytes] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)
    held: int = 0


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


class ConverseStreamDecoder:
    """Bytes of one streamed answer in, frames out; see `StreamDecoder`. Lives as long as one response."""

    def __init__(self, context: Context) -> None:
        self.usage: Usage | None = None
        self.failure: UpstreamError | None = None
        self.is_failure_told = False
        self.done = False
        self._context = context
        self._events = AwsEventStreamDecoder()
        self._frames: list[Frame] = []
        self._envelope: dict[str, Any] = {}
        self._head = b""
        self._stop: _Event | None = None
        self._metadata: _Event | None = None
        self._open: dict[Any, _Open] = {}
        self._held = 0
        self._order = Order()
        self._counts = {"tool_calls": 0, "thinking_blocks": 0, "provider_blocks": 0, "citations": 0}

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes as they came; return the frames that they complete."""
        if self.failure is None and not self.done:
            self._read_all(self._events.feed(data))
            if self._events.failure is not None and self._is_going_on():
                self.failure = errors.unreadable("an event", self._events.failure)
        return self._take_frames()

    def finish(self) -> list[Frame]:
        """Tell that the input has ended; a stream without `messageStop` was cut short."""
        if self._is_going_on():
            if self._stop is None:
                self.failure = errors.truncated()
            else:
                self._end()
        return self._take_frames()

    def _is_going_on(self) -> bool:
        return self.failure is None and not self.done

    def _take_frames(self) -> list[Frame]:
        frames, self._frames = self._frames, []
        return frames

    def _read_all(self, messages: list[EventMessage]) -> None:
        for message in messages:
            try:
                self._read(message)
            except (ValueError, RecursionError) as exc:
                self.failure = errors.unreadable("an event", exc)
            if not self._is_going_on():
                return

    def _read(self, message: EventMessage) -> None:
        kind = message.text(":message-type")
        if kind == "error":
            words = {"message": message.text(":error-message")}
            self._fail(errors.stated_failure(message.text(":error-code"), words))
        elif kind == "exception":
            try:
                value = msgspec.json.decode(message.payload)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                value = {"message": message.payload.decode("utf-8", "replace")}
            self._fail(errors.stated_failure(message.text(":exception-type"), value))
        else:
            reader = self._EVENTS.get(message.text(":event-type"))
            if reader is not None:
                jsontext.check(message.payload)
                reader(self, _EVENT.decode(message.payload))

    def _fail(self, failure: UpstreamError) -> None:
        """Take a failure for the answer, unless the answer was complete before it."""
        if self._stop is None:
            self.failure = failure
        else:
            self._end()

    # What goes out.

    def _emit(self, delta: dict[str, Any], *, is_content: bool = True) -> None:
        self._begin()
        payload = b"".join(
            (
                self._head,
                b'"choices":[{"index":0,"delta":',
                _ENCODE(delta),
                b',"logprobs":null,"finish_reason":null}]}',
            )
        )
        self._frames.append(Frame(payload, is_content))

    def _next(self, name: str) -> int:
        self._counts[name] += 1
        return self._counts[name] - 1

    def _begin(self) -> None:
        """Open the answer, once: with `messageStart`, or without where it is left out."""
        if self._head:
            return
        self._envelope = {
            "id": self._context.answer_id(),
            "object": "chat.completion.chunk",
            "created": self._context.created,
            "model": self._context.model,
        }
        self._head = _ENCODE(self._envelope)[:-1] + b","
        self._emit({"role": "assistant", "content": ""}, is_content=False)

    def _end(self) -> None:
        """Give the finish reason with what was stated last, and the usage where it was asked for."""
        stop, metadata = self._stop or _Event(), self._metadata or _Event()
        reason = answer.finish_reason(stop.stopReason, calls_tools=self._counts["tool_calls"] > 0)
        additional = stop.additionalModelResponseFields
        choice = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": reason}
        choice |= answer.stop_extras(stop.stopReason, additional)
        extras = {
            "service_tier": answer.service_tier(metadata.serviceTier),
            **{key: getattr(metadata, key) for key in answer.ENVELOPE_EXTRAS},
            "additionalModelResponseFields": additional,
        }
        told = {key: value for key, value in extras.items() if value is not None}
        chunk = {**self._envelope, "choices": [choice], **told}
        self._frames.append(Frame(_ENCODE(chunk), is_content=True))
        usage = answer.told_usage(metadata.usage)
        if self._context.include_usage and usage is not None:
            last = {**self._envelope, "choices": [], "usage": usage}
            self._frames.append(Frame(_ENCODE(last), is_content=False))
        self.done = True

    # What comes in: the message.

    def _message_start(self, event: _Event) -> None:
        self._begin()

    def _message_stop(self, event: _Event) -> None:
        self._begin()
        for key in list(self._open):
            self._close(key)
        if not self._order.is_usual:
            self._emit({FIELD: self._order.entries})
        self._stop = event
        if self._metadata is not None:
            self._end()

    def _read_metadata(self, event: _Event) -> None:
        self._metadata = event
        self.usage = answer.read_usage(event.usage) or self.usage
        if self._stop is not None:
            self._end()

    # What comes in: content blocks.

    def _block_start(self, event: _Event) -> None:
        self._close(event.contentBlockIndex)
        opened = self._opened(event)
        opened.start = _object(event.start)
        self._order.begin_text()
        self._hold(opened, len(_ENCODE(opened.start)))
        if "toolUse" not in opened.start:
            return
        use = self._use(opened)
        if use.type == SERVER_TOOL or self._is_json_tool(use):
            return
        opened.index = self._next("tool_calls")
        self._order.call()
        call = tool_call(use, "", self._context)
        self._emit({"tool_calls": [{"index": opened.index} | call]})

    def _opened(self, event: _Event) -> _Open:
        key = event.contentBlockIndex if isinstance(event.contentBlockIndex, int) else None
        if key not in self._open:
            self._open[key] = _Open()
            self._charge(BLOCK_SIZE)
        return self._open[key]

    def _block_delta(self, event: _Event) -> None:
        delta = _object(event.delta)
        opened = self._opened(event)
        for member, effect in self._DELTAS.items():
            if member in delta:
                effect(self, opened, delta[member])

    def _block_stop(self, event: _Event) -> None:
        self._close(event.contentBlockIndex)
        self._order.begin_text()

    def _hold(self, opened: _Open, size: int) -> None:
        """Account for what has to wait for the block's end; memory must stay bounded."""
        opened.held += size
        self._charge(size)

    def _charge(self, size: int) -> None:
        self._held += size
        if self._held > MAX_PAYLOAD_BYTES:
            self.failure = errors.unreadable("a content block larger than the limit")

    def _use(self, opened: _Open) -> ToolUse:
        use = _object((opened.start or {}).get("toolUse"))
        return ToolUse(use.get("toolUseId"), use.get("name"), use.get("type"))

    def _is_json_tool(self, use: ToolUse) -> bool:
        return self._context.json_tool is not None and use.name == self._context.json_tool

    def _say(self, text: str) -> None:
        if text:
            self._order.text(len(text))
            self._emit({"content": text})

    def _text(self, opened: _Open, value: Any) -> None:
        self._say(text_of(value))

    def _input(self, opened: _Open, value: Any) -> None:
        """Pass on a piece of a call's arguments; the provider's own calls wait for their end."""
        text = text_of(_object(value).get("input"))
        if not text:
            return
        use = self._use(opened)
        if use.type == SERVER_TOOL:
            opened.pieces.append(text)
            self._hold(opened, len(text) + 1)
            return
        opened.is_said = True
        if self._is_json_tool(use):
            self._say(text)
        elif opened.index >= 0:
            call = {"index": opened.index, "function": {"arguments": text}}
            self._emit({"tool_calls": [call]})

    def _reasoning(self, opened: _Open, value: Any) -> None:
        delta = _object(value)
        text, signature = text_of(delta.get("text")), text_of(delta.get("signature"))
        if opened.index < 0:
            opened.index = self._next("thinking_blocks")
            self._order.thinking()
        if text:
            self._emit({"reasoning_content": text})
            opened.pieces.append(text)
        if signature:
            opened.signature.append(signature)
        if "redactedContent" in delta:
            opened.redacted.append(
                binascii.a2b_base64(text_of(delta["redactedContent"]), strict_mode=True)
            )
        self._hold(opened, len(text) + len(signature) + sum(map(len, opened.redacted[-1:])) + 1)

    def _citation(self, opened: _Open, value: Any) -> None:
        self._order.citation()
        self._emit({"citations": [{"index": self._next("citations")} | _object(value)]})

    def _results(self, opened: _Open, value: Any) -> None:
        results = value if isinstance(value, list) else [value]
        opened.results += results
        self._hold(opened, len(_ENCODE(results)))

    def _image(self, opened: _Open, value: Any) -> None:
        opened.results.append(_object(value))
        self._hold(opened, len(_ENCODE(value)))

    def _close(self, key: Any) -> None:
        opened = self._open.pop(key if isinstance(key, int) else None, None)
        if opened is None:
            return
        self._held -= opened.held
        if opened.start is None:
            self._close_reasoning(opened)
        elif "toolUse" in opened.start:
            self._close_tool_use(opened)
        else:
            self._close_provider_block(opened)

    def _close_reasoning(self, opened: _Open) -> None:
        """Give reasoning as a whole, to be sent back; of text there is nothing left to say."""
        if opened.redacted:
            data = base64.b64encode(b"".join(opened.redacted)).decode()
            block: dict[str, Any] = {"type": "redacted_thinking", "data": data}
        elif opened.index >= 0:
            block = thinking_block("".join(opened.pieces), "".join(opened.signature))
        else:
            return
        self._emit({"thinking_blocks": [{"index": opened.index} | block]})

    def _close_tool_use(self, opened: _Open) -> None:
        use = self._use(opened)
        if use.type == SERVER_TOOL:
            start = _object((opened.start or {}).get("toolUse"))
            self._tell({"toolUse": start | {"input": _json_or_text("".join(opened.pieces))}})
        elif not opened.is_said:
            self._input(opened, {"input": NO_INPUT})

    def _close_provider_block(self, opened: _Open) -> None:
        """Give a block of the provider's own as a whole, with what came in pieces."""
        kind, start = next(iter((opened.start or {}).items()), ("", {}))
        if kind == "toolResult":
            self._tell({kind: _object(start) | {"content": opened.results}})
        elif kind:
            whole = dict(_object(start))
            for piece in opened.results:
                whole |= piece
            self._tell({kind: whole})

    def _tell(self, block: dict[str, Any]) -> None:
        self._order.provider_block()
        self._emit({"provider_blocks": [{"index": self._next("provider_blocks")} | block]})

    _EVENTS: ClassVar[Mapping[str, Callable[["ConverseStreamDecoder", _Event], None]]] = {
        "messageStart": _message_start,
        "contentBlockStart": _block_start,
        "contentBlockDelta": _block_delta,
        "contentBlockStop": _block_stop,
        "messageStop": _message_stop,
        "metadata": _read_metadata,
    }
    """Others say nothing to an OpenAI client."""

    _DELTAS: ClassVar[Mapping[str, Callable[["ConverseStreamDecoder", _Open, Any], None]]] = {
        "text": _text,
        "toolUse": _input,
        "toolResult": _results,
        "reasoningContent": _reasoning,
        "citation": _citation,
        "image": _image,
    }


def _json_or_text(text: str) -> Any:
    """Return `text` as the JSON that it is, or as a string where the answer ended in its midst."""
    if not text:
        return {}
    try:
        jsontext.check(text.encode())
    except jsontext.MalformedJsonError:
        return text
    return msgspec.Raw(text.encode())
