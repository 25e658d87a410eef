"""Streams in the OpenAI dialect: frames pass as they are; what completes or fails the stream is noticed.

Source: https://platform.openai.com/docs/api-reference/chat-streaming
"""

import json

import msgspec

from router.errors import UpstreamError, UpstreamTruncatedError, UpstreamUnavailableError
from router.providers.adapter import Frame
from router.providers.openai import errors, peek
from router.values import Usage
from router.wire.jsontext import MalformedJsonError
from router.wire.sse import EventTooLargeError, ServerSentEvent, SseDecoder

_BROKE_OFF = "The provider's answer broke off before its end."
_END_MARK = b"[DONE]"
_SHORT = 64
"""Bytes; an end mark with white space around it is no longer."""

_ENVELOPE = frozenset({
    "id", "object", "created", "model", "choices", "usage",
    "system_fingerprint", "service_tier", "obfuscation",
})  # fmt: skip
"""What every chunk has; a chunk with empty `choices` and nothing else than these and usage is the one
that `include_usage` asks for."""


class OpenAIStreamDecoder:
    """See `StreamDecoder`. `hides_usage`: the usage-only chunk was asked for by us alone."""

    def __init__(self, *, hides_usage: bool) -> None:
        self.usage: Usage | None = None
        self.failure: UpstreamError | None = None
        self.is_failure_told = False
        self.done = False
        self._hides_usage = hides_usage
        self._sse = SseDecoder()
        self._open: set[int] = set()
        self._closed: set[int] = set()
        self._has_choices = False
        self._has_content = False
        self._error: UpstreamError | None = None

    def feed(self, data: bytes) -> list[Frame]:
        """See `StreamDecoder.feed`."""
        try:
            events = self._sse.feed(data)
        except EventTooLargeError as exc:
            self._fail("The provider sent an event that is too large.", exc)
            return []
        return self._frames(events)

    def finish(self) -> list[Frame]:
        """See `StreamDecoder.finish`."""
        if self.failure:
            return []
        frames = self._frames(self._sse.finish())
        if self.done:
            return frames
        # What stood at the end without its blank line and cannot be read was not a frame, but half of one.
        self.failure = None
        if self._error:
            self.failure, self.is_failure_told = self._error, True
        elif self._open or not self._has_choices:
            self.failure = UpstreamTruncatedError(_BROKE_OFF)
        return frames

    def _frames(self, events: list[ServerSentEvent]) -> list[Frame]:
        frames: list[Frame] = []
        for event in events:
            if self.done or self.failure:
                break
            if len(event.data) < _SHORT and event.data.strip() == _END_MARK:
                self.done = True
                self.failure, self.is_failure_told = self._error, self._error is not None
            elif event.data:
                try:
                    frame = self._frame(event.data)
                except MalformedJsonError as exc:
                    self._fail(f"The provider sent a frame that is not valid JSON: {exc}.", exc)
                    break
                if frame:
                    frames.append(frame)
        return frames

    def _frame(self, payload: bytes) -> Frame | None:
        chunk = peek.chunk(payload, with_delta=not self._has_content)
        if chunk.error:
            return self._error_frame(payload)
        if chunk.usage:
            self.usage = chunk.usage.value()
            if not chunk.choices and self._hides_usage and _is_usage_only(payload):
                return None
        is_content = False
        for choice in chunk.choices or ():
            self._has_choices = True
            index = choice.index or 0
            if choice.finish_reason:
                self._open.discard(index)
                self._closed.add(index)
                is_content = True
            elif index not in self._closed:
                self._open.add(index)
            if isinstance(choice, peek.ChoicePeek) and _generates(choice.delta):
                is_content = True
        self._has_content = self._has_content or is_content
        return Frame(payload, is_content)

    def _error_frame(self, payload: bytes) -> Frame | None:
        self._error = errors.decode_in_stream(payload)
        if not self._has_content:
            # Nothing has been generated: the whole call fails, and may still be answered elsewhere.
            self.failure = self._error
            return None
        return Frame(payload, is_content=False)

    def _fail(self, message: str, cause: Exception) -> None:
        self.failure = UpstreamUnavailableError(message)
        self.failure.__cause__ = cause


def _generates(delta: dict[str, object] | None) -> bool:
    """Whether a delta holds something generated: anything but the role."""
    return bool(delta) and any(value for key, value in (delta or {}).items() if key != "role")


def _is_usage_only(payload: bytes) -> bool:
    try:
        fields = msgspec.json.decode(payload)
    except (msgspec.DecodeError, RecursionError):
        try:
            fields = json.loads(payload, parse_int=float)
        except (ValueError, RecursionError):
            return False
    return all(not value for key, value in fields.items() if key not in _ENVELOPE)
