"""Cohere's event stream as OpenAI's chunks.

The strategy: each event has a reader in a table, and whatever is not in it says nothing to an OpenAI
client. A chunk leaves when its event has arrived. Only the plan for tools is told twice: piece by piece as
reasoning, and as a whole in `tool_plan` once it is complete, so that a client that sends the message back
sends the plan as well. Entries of lists in a delta carry an `index`, so that the OpenAI SDK's accumulator
puts them together.

The stream is complete when `message-end` has arrived. Source: https://docs.cohere.com/docs/streaming.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import msgspec

from router.errors import UpstreamError
from router.providers.adapter import Frame
from router.providers.cohere import answer, errors
from router.providers.cohere.decode import NULL, arguments_of, text_of
from router.values import Usage
from router.wire import jsontext
from router.wire.sse import MAX_EVENT_BYTES, EventTooLargeError, ServerSentEvent, SseDecoder

_END_MARK = b"[DONE]"

MAX_OPEN_CALLS: Final = 10_000
"""Calls of tools under way at a time; memory must stay bounded."""


class _Event(msgspec.Struct):
    """An event of any type; what is read leniently is anything."""

    type: Any = None
    id: Any = None
    index: Any = None
    delta: Any = None
    logprobs: Any = None
    message: Any = None
    error_type: Any = None


_EVENT = msgspec.json.Decoder(_Event)
_ENCODE = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class StreamContext:
    """What the request determines of the answer. `created` is Unix time in seconds."""

    created: int
    model: str
    include_usage: bool


@dataclass(slots=True)
class _OpenCall:
    """A tool call under way: its place among the calls, and its arguments.

    Their beginning is `held` for as long as they may turn out to be `null`, which stands for none.
    """

    index: int
    held: str = ""
    has_arguments: bool = False


class CohereStreamDecoder:
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
        self._plan: list[str] = []
        self._plan_size = 0
        self._calls: dict[Any, _OpenCall] = {}
        self._call_count = 0
        self._citation_count = 0

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
        """Tell that the input has ended; a stream without `message-end` was cut short."""
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
            if sent.data.strip() == _END_MARK:
                self.failure = errors.truncated()
                return
            try:
                jsontext.check(sent.data)
                event = _EVENT.decode(sent.data)
                self._read(event)
            except (ValueError, RecursionError) as exc:
                self.failure = errors.unreadable("an event", exc)
            if self.failure is not None or self.done:
                return

    def _read(self, event: _Event) -> None:
        reader = self._EVENTS.get(text_of(event.type))
        if reader is not None:
            reader(self, event)
        elif event.type is None and isinstance(event.message, str):
            # An error in the shape of an HTTP answer's.
            said = {"message": event.message, "error_type": event.error_type}
            self.failure = errors.stated_failure(said)

    # What goes out.

    def _emit(
        self, delta: dict[str, Any], logprobs: Any = None, *, is_content: bool = True
    ) -> None:
        self._begin("")
        payload = b"".join(
            (
                self._head,
                b'"choices":[{"index":0,"delta":',
                _ENCODE(delta),
                b',"logprobs":',
                _ENCODE(answer.logprobs([logprobs])),
                b',"finish_reason":null}]}',
            )
        )
        self._frames.append(Frame(payload, is_content))

    def _emit_last(self, choices: list[dict[str, Any]], extras: dict[str, Any]) -> None:
        chunk = {**self._envelope, "choices": choices, **extras}
        self._frames.append(Frame(_ENCODE(chunk), bool(choices)))

    # What comes in.

    def _begin(self, id_: str) -> None:
        """Open the answer, once: with `message-start`, or without where a provider leaves it out."""
        if self._head:
            return
        self._envelope = {
            "id": id_,
            "object": "chat.completion.chunk",
            "created": self._context.created,
            "model": self._context.model,
        }
        self._head = _ENCODE(self._envelope)[:-1] + b","
        self._emit({"role": "assistant", "content": ""}, is_content=False)

    def _message_start(self, event: _Event) -> None:
        self._begin(text_of(event.id))

    def _content(self, event: _Event) -> None:
        content = _inner(event, "content")
        if thinking := text_of(content.get("thinking")):
            self._emit({"reasoning_content": thinking}, event.logprobs)
        text = text_of(content.get("text"))
        if text:
            self._emit({"content": text}, event.logprobs)
        elif not thinking and isinstance(event.logprobs, dict):
            # A token that says nothing, the end of the turn for instance, has its probability too.
            self._emit({}, event.logprobs, is_content=False)

    def _plan_delta(self, event: _Event) -> None:
        if text := text_of(_message(event).get("tool_plan")):
            self._plan.append(text)
            self._plan_size += len(text) + 1
            if self._plan_size > MAX_EVENT_BYTES:
                self.failure = errors.unreadable("a plan larger than the limit")
            self._emit({"reasoning_content": text}, event.logprobs)

    def _end_plan(self) -> None:
        if self._plan:
            self._emit({"tool_plan": "".join(self._plan)})
            self._plan = []

    def _call_start(self, event: _Event) -> None:
        self._call_end(event)
        self._end_plan()
        call = _inner(event, "tool_calls")
        function = _object(call, "function")
        opened = _OpenCall(self._call_count)
        self._calls[_key(event)] = opened
        self._call_count += 1
        if len(self._calls) > MAX_OPEN_CALLS:
            self.failure = errors.unreadable("more tool calls at a time than the limit")
        entry = {
            "index": opened.index,
            "id": text_of(call.get("id")),
            "type": "function",
            "function": {"name": text_of(function.get("name")), "arguments": ""},
        }
        self._emit({"tool_calls": [entry]}, event.logprobs)
        self._add_arguments(opened, text_of(function.get("arguments")), None)

    def _call_delta(self, event: _Event) -> None:
        opened = self._calls.get(_key(event))
        arguments = text_of(_object(_inner(event, "tool_calls"), "function").get("arguments"))
        if opened is not None:
            self._add_arguments(opened, arguments, event.logprobs)

    def _call_end(self, event: _Event) -> None:
        self._close(_key(event))

    def _add_arguments(self, opened: _OpenCall, text: str, logprobs: Any) -> None:
        opened.held += text
        if opened.has_arguments or not NULL.startswith(opened.held):
            opened.has_arguments = True
            self._tell_arguments(opened, opened.held, logprobs)
            opened.held = ""

    def _close(self, key: Any) -> None:
        """End a call; one that had no arguments gets none, which is an empty object."""
        opened = self._calls.pop(key, None)
        if opened is not None and not opened.has_arguments:
            self._tell_arguments(opened, arguments_of(opened.held))

    def _tell_arguments(self, opened: _OpenCall, text: str, logprobs: Any = None) -> None:
        if text:
            entry = {"index": opened.index, "function": {"arguments": text}}
            self._emit({"tool_calls": [entry]}, logprobs)

    def _citation_start(self, event: _Event) -> None:
        found = _message(event).get("citations")
        for citation in found if isinstance(found, list) else [found]:
            if isinstance(citation, dict):
                self._emit({"citations": [{"index": self._citation_count} | citation]})
                self._citation_count += 1

    def _message_end(self, event: _Event) -> None:
        delta = event.delta if isinstance(event.delta, dict) else {}
        self.usage = answer.read_usage(delta.get("usage")) or self.usage
        reason = delta.get("finish_reason")
        if reason in answer.FAILED:
            self.failure = errors.stated_failure(delta)
            return
        self._begin("")
        for key in list(self._calls):
            self._close(key)
        self._end_plan()
        ended = answer.finish(reason, calls_tools=self._call_count > 0)
        self._emit_last([{"index": 0, "delta": {}, "logprobs": None, **ended}], {})
        usage = answer.told_usage(delta.get("usage"))
        if self._context.include_usage and usage is not None:
            self._emit_last([], {"usage": usage})
        self.done = True

    _EVENTS: ClassVar[Mapping[str, Callable[["CohereStreamDecoder", _Event], None]]] = {
        "message-start": _message_start,
        "content-start": _content,
        "content-delta": _content,
        "tool-plan-delta": _plan_delta,
        "tool-call-start": _call_start,
        "tool-call-delta": _call_delta,
        "tool-call-end": _call_end,
        "citation-start": _citation_start,
        "message-end": _message_end,
    }
    """Others (`content-end`, `citation-end`, `debug`) say nothing to an OpenAI client."""


def _key(event: _Event) -> Any:
    return event.index if isinstance(event.index, int) else None


def _message(event: _Event) -> Mapping[str, Any]:
    return _object(event.delta, "message")


def _inner(event: _Event, name: str) -> Mapping[str, Any]:
    """Return what is new of the message's content or calls; a list of one says the same."""
    found = _message(event).get(name)
    if isinstance(found, list) and found:
        found = found[0]
    return found if isinstance(found, dict) else {}


def _object(found: Any, key: str) -> Mapping[str, Any]:
    value = found.get(key) if isinstance(found, dict) else None
    return value if isinstance(value, dict) else {}
