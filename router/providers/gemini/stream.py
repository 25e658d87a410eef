"""Gemini's stream as OpenAI's chunks.

Each event is a whole `GenerateContentResponse` with what is new. The answer is complete when each
candidate seen has its `finishReason`; the ends are told when the input ends, for more may come with or
after it. Without `alt=sse` the same arrives as one JSON array; its first byte tells.
Source: https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent.
"""

from typing import Any, Final

import msgspec

from router.errors import UpstreamError
from router.providers.adapter import Frame
from router.providers.gemini import answer, chunk, errors
from router.providers.gemini.choices import Choices, Context, Piece
from router.values import Usage
from router.wire.json_values import JsonValuesDecoder
from router.wire.sse import EventTooLargeError, SseDecoder

_ENCODE = msgspec.json.Encoder().encode
_SPACE: Final = b" \t\r\n"


class _Framing:
    """Bytes in, the JSON of chunks out: of events, of an array's elements, or of a lone object."""

    def __init__(self) -> None:
        self._decoder: SseDecoder | JsonValuesDecoder | None = None

    def feed(self, data: bytes) -> list[bytes]:
        if self._decoder is None:
            data = data.lstrip(_SPACE)
            if not data:
                return []
            self._decoder = JsonValuesDecoder() if data[:1] in b"[{" else SseDecoder()
        return self._payloads(self._decoder.feed(data))

    def finish(self) -> list[bytes]:
        return self._payloads(self._decoder.finish()) if self._decoder else []

    @staticmethod
    def _payloads(found: Any) -> list[bytes]:
        return [each if isinstance(each, bytes) else each.data for each in found]


class GenerateStreamDecoder:
    """Bytes of one streamed answer in, frames out; see `StreamDecoder`. Lives as long as one response."""

    def __init__(self, context: Context) -> None:
        self.usage: Usage | None = None
        self.failure: UpstreamError | None = None
        self.is_failure_told = False
        self.done = False
        self._context = context
        self._framing = _Framing()
        self._choices = Choices(context)
        self._begun: set[int] = set()
        self._frames: list[Frame] = []
        self._envelope: dict[str, Any] = {}

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes as they came; return the frames that they complete."""
        if self.failure is None and not self.done:
            try:
                payloads = self._framing.feed(data)
            except EventTooLargeError as exc:
                self.failure = errors.unreadable("an event larger than the limit", exc)
            except ValueError as exc:
                self.failure = errors.unreadable("a stream", exc)
            else:
                self._read_all(payloads)
        return self._take_frames()

    def finish(self) -> list[Frame]:
        """Tell that the input has ended; an answer without its `finishReason` was cut short."""
        if self.failure is None and not self.done:
            try:
                self._read_all(self._framing.finish())
            except EventTooLargeError:
                self.failure = errors.truncated()
            self._end()
        return self._take_frames()

    def _end(self) -> None:
        # An event that broke off in its middle is no broken event, but the end of the stream.
        if self.failure is not None and self.failure.upstream_status is not None:
            return
        if not self._choices.is_complete:
            self.failure = errors.truncated()
            return
        self.failure = None
        for piece in self._choices.finish():
            self._emit(piece)
        usage = answer.told_usage(self._choices.usage)
        if self._context.include_usage and usage is not None:
            told = {**self._envelope, "choices": [], "usage": usage}
            self._frames.append(Frame(_ENCODE(told), is_content=False))
        self.done = True

    def _take_frames(self) -> list[Frame]:
        frames, self._frames = self._frames, []
        return frames

    def _read_all(self, payloads: list[bytes]) -> None:
        for payload in payloads:
            try:
                told = chunk.decode(payload)
                if told.error is not None:
                    self.failure = errors.stated_failure(told.error)
                    return
                for piece in self._choices.add(told):
                    self._emit(piece)
            except (ValueError, RecursionError, OverflowError) as exc:
                self.failure = errors.unreadable("an event", exc)
                return
            self.usage = answer.read_usage(self._choices.usage)

    def _emit(self, piece: Piece) -> None:
        if not self._envelope:
            self._envelope = {"object": "chat.completion.chunk", **self._choices.envelope}
            tier = answer.service_tier(self._choices.usage)
            self._envelope |= {"service_tier": tier} if tier else {}
        if piece.index not in self._begun:
            self._begun.add(piece.index)
            opening = Piece(piece.index, {"role": "assistant", "content": ""})
            self._write(opening, is_content=False)
        is_content = bool(piece.delta) or piece.finish_reason is not None
        self._write(piece, is_content=is_content)

    def _write(self, piece: Piece, *, is_content: bool) -> None:
        choice = {
            "index": piece.index,
            "delta": piece.delta,
            "logprobs": None,
            "finish_reason": piece.finish_reason,
            **piece.extras,
        }
        told: dict[str, Any] = {**self._envelope, "choices": [choice]}
        if piece.finish_reason is not None and self._choices.feedback is not None:
            told["promptFeedback"] = self._choices.feedback
        self._frames.append(Frame(_ENCODE(told), is_content))
