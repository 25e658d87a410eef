"""Checks and edits of JSON as text, without rewriting it.

What passes through is never decoded and encoded again: that would reorder keys, respell numbers and
lose what the caller wrote. `check` scans once for well-formed UTF-8 JSON; `members` finds where the
top-level members of an object stand, so that one value can be replaced in place.

Two scanners serve, and both are C: `msgspec` is fast and decides nearly always; the standard library
is asked where `msgspec` is stricter than RFC 8259 (a lone surrogate in an escape, a number too large
for a double) and for positions.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Never

import msgspec


class MalformedJsonError(ValueError):
    """The text is not one well-formed JSON value in UTF-8; the message says what is wrong, for callers."""


def _refuse_constant(name: str) -> Never:
    msg = f"{name} is not JSON"
    raise MalformedJsonError(msg)


_STRICT = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_refuse_constant)
"""Numbers stay text: a number of any length is well formed and costs linear time."""


class _Anything(msgspec.Struct):
    """Takes any object and keeps nothing of it."""


_SKIP = msgspec.json.Decoder(_Anything)


def decode_utf8(data: bytes) -> str:
    """Return `data` as text.

    Raises:
        MalformedJsonError: if it is not UTF-8.

    """
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        msg = f"invalid UTF-8 at byte {exc.start}"
        raise MalformedJsonError(msg) from exc


def check(data: bytes) -> None:
    """Check that `data` is one well-formed JSON value in UTF-8.

    Raises:
        MalformedJsonError: if it is not.

    """
    if not data.isascii():
        decode_utf8(data)
    try:
        _SKIP.decode(data)
    except (msgspec.DecodeError, RecursionError):
        check_slowly(data)


def check_slowly(data: bytes) -> None:
    """Check like `check`, by the standard library alone: the judge where the fast scanner says no.

    Raises:
        MalformedJsonError: if `data` is not one well-formed JSON value in UTF-8.

    """
    text = decode_utf8(data)
    try:
        _STRICT.decode(text)
    except json.JSONDecodeError as exc:
        msg = f"{exc.msg} at line {exc.lineno} column {exc.colno}"
        raise MalformedJsonError(msg) from exc
    except RecursionError as exc:
        msg = "nested too deeply"
        raise MalformedJsonError(msg) from exc


MAX_MEMBERS = 1000
"""Of an object whose members are looked at one by one: no API has so many, and each costs time."""


@dataclass(frozen=True, slots=True)
class Member:
    """A top-level member of an object: its key, unescaped, and where its value stands in the text."""

    key: str
    start: int
    end: int


_SPACE = " \t\n\r"


def _skip_space(text: str, at: int) -> int:
    while text[at : at + 1] and text[at] in _SPACE:
        at += 1
    return at


def members(text: str) -> Iterator[Member]:
    """Yield the top-level members of a well-formed JSON object, duplicates included.

    `text` must have passed `check`; a value that is not an object has no members.

    Raises:
        MalformedJsonError: if there are more than `MAX_MEMBERS`.

    """
    count = 0
    at = _skip_space(text, 0)
    if text[at : at + 1] != "{":
        return
    at = _skip_space(text, at + 1)
    while text[at] != "}":
        key, at = _STRICT.raw_decode(text, at)
        start = _skip_space(text, _skip_space(text, at) + 1)
        _, end = _STRICT.raw_decode(text, start)
        yield Member(key, start, end)
        count += 1
        if count > MAX_MEMBERS:
            msg = f"more than {MAX_MEMBERS} members"
            raise MalformedJsonError(msg)
        at = _skip_space(text, end)
        if text[at] == ",":
            at = _skip_space(text, at + 1)
