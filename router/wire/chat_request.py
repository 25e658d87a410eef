"""OpenAI's chat completion request: checked as the contract demands, edited in place, never rewritten.

Source of the fields: https://platform.openai.com/docs/api-reference/chat/create
"""

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import msgspec

from router.errors import InvalidRequestError
from router.wire import jsontext, request_body
from router.wire.request_body import Edit


class _Object(msgspec.Struct):
    """Any object, nothing of it kept."""


class _StreamOptions(msgspec.Struct):
    include_usage: Any = None


class _Peek(msgspec.Struct):
    """What must be known of every request; the rest is scanned and skipped."""

    model: str
    messages: msgspec.Raw
    stream: bool | None = None
    stream_options: Any = None


_PEEK = msgspec.json.Decoder(_Peek)
_MESSAGES = msgspec.json.Decoder(list[_Object])


@dataclass(frozen=True)
class ChatRequest:
    """A checked request. `body` is the caller's, byte for byte; `created` is Unix time in seconds."""

    body: bytes = field(repr=False)
    model: str
    stream: bool
    include_usage: bool
    created: int
    outline: request_body.Outline = field(repr=False)
    """`body` without its messages."""

    @classmethod
    def parse(cls, body: bytes, created: int) -> Self:
        """Check `body` by the contract.

        Raises:
            InvalidRequestError: with `param` where a field is at fault.

        """
        if not body.isascii():
            request_body.decoded(body)
        try:
            peek = _PEEK.decode(body)
            _MESSAGES.decode(peek.messages)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            peek = _peek_slowly(body)
        outline = request_body.outline(body, b"messages", peek.messages)
        request_body.refuse_duplicates(body, ("model", "stream"), outline)
        options = peek.stream_options
        return cls(
            body=body,
            model=peek.model,
            stream=bool(peek.stream),
            include_usage=isinstance(options, dict) and options.get("include_usage") is True,
            created=created,
            outline=outline,
        )

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The whole request as Python values, for dialects that translate.

        Raises:
            InvalidRequestError: for well-formed JSON that cannot be held as values (a lone surrogate).

        """
        try:
            value: dict[str, Any] = msgspec.json.decode(self.body)
        except (msgspec.DecodeError, RecursionError) as exc:
            msg = f"The request cannot be translated for this model: {exc}"
            raise InvalidRequestError(msg) from exc
        return value

    def edited(self, *, model: str, ask_usage: bool) -> bytes:
        """Return the body with `model`, and with usage asked for if `ask_usage`; all else untouched."""
        ask_usage = ask_usage and not self.include_usage
        if model == self.model and not ask_usage:
            return self.body
        if not ask_usage or not self._may_have_options():
            # No such member under any spelling: nothing has to be looked for in what may be megabytes.
            span = (0, 0) if model == self.model else self.outline.text_member(b"model")
            if span:
                return self._edited_at(span, model, ask_usage=ask_usage)
        try:
            return self._edited_slowly(model, ask_usage=ask_usage)
        except jsontext.MalformedJsonError as exc:
            raise request_body.malformed(exc) from exc
        except RecursionError as exc:
            raise request_body.malformed(jsontext.MalformedJsonError("nested too deeply")) from exc

    def _may_have_options(self) -> bool:
        own = self.outline
        return own.occurrences(b"stream_options") > 0 or own.has_escaped_letters

    def _edited_at(self, span: tuple[int, int], model: str, *, ask_usage: bool) -> bytes:
        """Return the body with `model` where `span` is, unless that is empty."""
        body, start, end = self.body, *span
        opening = body.index(b"{") + 1 if ask_usage else 0
        asked = _ASK.encode() if ask_usage else b""
        if start == end:
            return body[:opening] + asked + body[opening:]
        named = json.dumps(model).encode()
        return b"".join((body[:opening], asked, body[opening:start], named, body[end:]))

    def _edited_slowly(self, model: str, *, ask_usage: bool) -> bytes:
        text = self.body.decode()
        edits: list[Edit] = []
        options_seen = False
        for member in jsontext.members(text):
            if member.key == "model" and model != self.model:
                edits.append((member.start, member.end, json.dumps(model)))
            elif member.key == "stream_options" and ask_usage:
                options_seen = True
                edits.extend(_ask_usage(text[member.start : member.end], member.start))
        if ask_usage and not options_seen:
            start = text.index("{") + 1
            edits.append((start, start, _ASK))
        return request_body.edited(text, edits)


_ASK = '"stream_options":{"include_usage":true},'


def _ask_usage(options: str, offset: int) -> list[Edit]:
    """Return the edits that make `options`, a JSON value, ask for usage.

    A value that is neither an object nor null is left for the provider to refuse.
    """
    if options == "null":
        return [(offset, offset + len(options), '{"include_usage":true}')]
    if not options.startswith("{"):
        return []
    inner = list(jsontext.members(options))
    asked = [m for m in inner if m.key == "include_usage"]
    if asked:
        return [(offset + m.start, offset + m.end, "true") for m in asked]
    return [(offset + 1, offset + 1, '"include_usage":true' + ("," if inner else ""))]


def _peek_slowly(body: bytes) -> _Peek:
    """Read a body that the fast scanner refused: say what is wrong, or accept what is only unusual."""
    try:
        jsontext.check_slowly(body)
    except jsontext.MalformedJsonError as exc:
        raise request_body.malformed(exc) from exc
    try:
        value = json.loads(body, parse_int=float)
    except RecursionError as exc:
        raise request_body.malformed(jsontext.MalformedJsonError("nested too deeply")) from exc
    if not isinstance(value, dict):
        msg = "The request body must be a JSON object."
        raise InvalidRequestError(msg)
    for key, is_right, expected in _SHAPE:
        if not is_right(value.get(key)):
            missing = f"Missing required parameter: '{key}'."
            wrong = f"Invalid type for '{key}': expected {expected}."
            raise InvalidRequestError(wrong if key in value else missing, param=key)
    return _Peek(value["model"], msgspec.Raw(b""), value.get("stream"), value.get("stream_options"))


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


_SHAPE = (
    ("model", lambda value: isinstance(value, str), "a string"),
    ("messages", _is_list_of_objects, "a list of objects"),
    ("stream", lambda value: value is None or isinstance(value, bool), "a boolean or null"),
)
