"""OpenAI's embedding request: checked as the contract demands, edited in place, never rewritten.

Source of the fields: https://platform.openai.com/docs/api-reference/embeddings/create
"""

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import msgspec

from router.errors import InvalidRequestError
from router.wire import jsontext, request_body

Input = str | list[str] | list[int] | list[list[int]]
"""One text or several, or one text or several as token ids."""


class _Peek(msgspec.Struct):
    """What must be known of every request; the rest is scanned and skipped."""

    model: str
    input: Any
    encoding_format: Any = None
    dimensions: Any = None
    user: Any = None


_PEEK = msgspec.json.Decoder(_Peek)


class _Kind(msgspec.Struct):
    """What tells a request for embeddings from one for a chat."""

    input: Any = None
    messages: msgspec.Raw = msgspec.Raw()


_KIND = msgspec.json.Decoder(_Kind)


def is_for_embeddings(body: bytes) -> bool:
    """Whether a body asks for embeddings: it has an `input` and no `messages`. Never raises."""
    try:
        kind = _KIND.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False
    return kind.input is not None and not bytes(kind.messages)


_FORMATS = ("float", "base64")


def _is_input(value: object) -> bool:
    if isinstance(value, str):
        return True
    if not isinstance(value, list):
        return False
    return _are(str, value) or _are(int, value) or all(_is_tokens(item) for item in value)


def _is_tokens(value: object) -> bool:
    return isinstance(value, list) and _are(int, value)


def _are(kind: type, values: list[Any]) -> bool:
    return all(type(value) is kind for value in values)


_SHAPE = (
    ("model", lambda value: isinstance(value, str), "a string"),
    ("input", _is_input, "a string, a list of strings, or token ids"),
    ("encoding_format", lambda v: v is None or v in _FORMATS, "'float' or 'base64'"),
    ("dimensions", lambda value: value is None or type(value) is int, "an integer"),
    ("user", lambda value: value is None or isinstance(value, str), "a string"),
)  # fmt: skip


@dataclass(frozen=True)
class EmbeddingRequest:
    """A checked request. `body` is the caller's, byte for byte."""

    body: bytes = field(repr=False)
    model: str
    input: Input = field(repr=False)
    is_base64: bool = False
    dimensions: int | None = None

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Check `body` by the contract.

        Raises:
            InvalidRequestError: with `param` where a field is at fault.

        """
        if not body.isascii():
            request_body.decoded(body)
        try:
            peek = _PEEK.decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            peek = _peek_slowly(body)
        request_body.refuse_duplicates(body, ("model", "input"))
        for key, is_right, expected in _SHAPE:
            if not is_right(getattr(peek, key)):
                msg = f"Invalid value for '{key}': expected {expected}."
                raise InvalidRequestError(msg, param=key)
        is_base64 = peek.encoding_format == "base64"
        return cls(body, peek.model, peek.input, is_base64, peek.dimensions)

    @cached_property
    def texts(self) -> list[str]:
        """The input as texts, for targets that take no token ids.

        Raises:
            InvalidRequestError: if it is token ids.

        """
        listed = [self.input] if isinstance(self.input, str) else self.input
        texts = [item for item in listed if isinstance(item, str)]
        if len(texts) < len(listed) or not texts:
            expected = "texts, not token ids" if listed else "at least one text"
            raise InvalidRequestError(f"This model's 'input' must be {expected}.", param="input")
        return texts

    def edited(self, *, model: str) -> bytes:
        """Return the body with `model`; all else untouched."""
        if model == self.model:
            return self.body
        text = self.body.decode()
        found = [member for member in jsontext.members(text) if member.key == "model"]
        return request_body.edited(text, [(m.start, m.end, json.dumps(model)) for m in found])


def _peek_slowly(body: bytes) -> _Peek:
    """Read a body that the fast scanner refused: say what is wrong, or accept what is only unusual."""
    try:
        jsontext.check_slowly(body)
    except jsontext.MalformedJsonError as exc:
        raise request_body.malformed(exc) from exc
    value = json.loads(body, parse_int=_number)
    if not isinstance(value, dict):
        raise InvalidRequestError("The request body must be a JSON object.")
    for key in ("model", "input"):
        if key not in value:
            raise InvalidRequestError(f"Missing required parameter: '{key}'.", param=key)
    return _Peek(value["model"], value["input"], *(value.get(key) for key, _, _ in _SHAPE[2:]))


def _number(text: str) -> int | float:
    """Read an integer; Python refuses to read very long ones, which are no token ids either."""
    return int(text) if len(text) < 19 else float(text)
