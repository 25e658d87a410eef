"""Plain values: how each kind is read from JSON and written as JSON."""

import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from router.wire import jsontext


class MisfitError(ValueError):
    """A JSON value that the typed field cannot hold."""


class FieldError(ValueError):
    """A field of a message that cannot be written as JSON; `path` leads to it from the outermost one."""

    def __init__(self, problem: str, *path: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = list(path)

    @property
    def where(self) -> str:
        """The path as callers write it: `messages[2].extra_json`."""
        return ".".join(self.path).replace(".[", "[")


_INTEGER = re.compile(rb"-?(?:0|[1-9][0-9]{0,18})")
_STRING = msgspec.json.Decoder(str)


def integer(bits: int) -> Callable[[bytes], int]:
    """Return the reader of signed integers of that size; `1.0` is none."""
    limit = 1 << (bits - 1)

    def read(text: bytes) -> int:
        if not _INTEGER.fullmatch(text) or not -limit <= (value := int(text)) < limit:
            raise MisfitError
        return value

    return read


def write_integer(value: int) -> bytes:
    return b"%d" % value


def read_double(text: bytes) -> float:
    """Return the number; one with more digits than a double tells apart does not fit."""
    if text[:1] not in b"-0123456789":
        raise MisfitError
    value = float(text)
    if not math.isfinite(value) or Decimal(repr(value)) != Decimal(text.decode()):
        raise MisfitError
    return value


def write_double(value: float) -> bytes:
    if not math.isfinite(value):
        raise FieldError(f"{value} is not a JSON number")
    return repr(value).encode()


_DOUBLES = msgspec.json.Decoder(list[float])

# What may have more digits than a double tells apart: at least 19 characters from the first one on that is
# not 0 (a point is among them). Shorter numbers survive as doubles.
_LONG = re.compile(rb"[1-9][0-9.]{18,}[eE0-9+-]*")


def read_doubles(text: bytes) -> list[float]:
    """Return a list of numbers, which is too long to look at each; none may lose a digit."""
    if not text.startswith(b"["):
        raise MisfitError
    try:
        values = _DOUBLES.decode(text)
    except msgspec.DecodeError as exc:
        raise MisfitError from exc
    for found in _LONG.finditer(text):
        read_double(found[0])
    return values


def write_doubles(values: Sequence[float]) -> bytes:
    """Return a list of numbers."""
    listed = list(values)
    if not all(map(math.isfinite, listed)):
        raise FieldError("it has a value that is not a JSON number")
    return msgspec.json.encode(listed)


_BOOLEANS: Final = {b"true": True, b"false": False}


def read_boolean(text: bytes) -> bool:
    if text not in _BOOLEANS:
        raise MisfitError
    return _BOOLEANS[text]


def write_boolean(value: bool) -> bytes:  # noqa: FBT001 (the value is what is written)
    return b"true" if value else b"false"


def read_string(text: bytes) -> str:
    if not text.startswith(b'"'):
        raise MisfitError
    try:
        return _STRING.decode(text)
    except msgspec.DecodeError as exc:  # a lone surrogate, which a proto string cannot hold
        raise MisfitError from exc


def json_text(start: bytes) -> Callable[[bytes], str]:
    """Return the reader that keeps the text of JSON whose first byte is among `start`."""

    def read(text: bytes) -> str:
        if text[:1] not in start:
            raise MisfitError
        return text.decode()

    return read


def write_json_text(start: bytes) -> Callable[[str], bytes]:
    """Return the writer that embeds such text as it is, once it is known to be JSON."""

    def write(text: str) -> bytes:
        return checked_json(text, start)

    return write


ANY_JSON: Final = b'{["-0123456789tfn'
_EXPECTED: Final = {b"{": "a JSON object", ANY_JSON: "a JSON value"}


def checked_json(text: str, start: bytes, *path: str) -> bytes:
    """Return a caller's JSON text once it is known to be well formed.

    Raises:
        FieldError: if it is not, or does not begin with one of `start`.

    """
    data = text.strip(" \t\n\r").encode()
    try:
        jsontext.check(data)
    except jsontext.MalformedJsonError as exc:
        raise FieldError(f"it is not well-formed JSON: {exc}", *path) from exc
    if data[:1] not in start:
        raise FieldError(f"expected {_EXPECTED[start]}", *path)
    return data
