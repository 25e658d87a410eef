"""Reads the caller's fields from JSON text, one value at a time, and says which one is at fault.

Values that only pass through stay `msgspec.Raw`: the text that the caller wrote, so that the spelling
of numbers and the order of keys survive. JSON null means the same as absent, as in OpenAI's API.
Every reader raises `InvalidRequestError` with `param` set, spelt as OpenAI spells it:
`messages.[0].content.[1]`.
"""

from typing import Any, TypeVar

import msgspec

from router.errors import InvalidRequestError
from router.wire import jsontext

Members = dict[str, msgspec.Raw]
"""An object: each member's value as the text that it was written in."""

_T = TypeVar("_T")

_ANYTHING = msgspec.json.Decoder()
_TEXT = msgspec.json.Decoder(str | None)
_INTEGER = msgspec.json.Decoder(int | None)
_NUMBER = msgspec.json.Decoder(float | None)
_BOOLEAN = msgspec.json.Decoder(bool | None)
_MEMBERS = msgspec.json.Decoder(Members | None)
_OBJECTS = msgspec.json.Decoder(list[Members] | None)
_TEXTS = msgspec.json.Decoder(str | list[str] | None)
_TEXT_OR_OBJECTS = msgspec.json.Decoder(str | list[Members] | None)
_TEXT_OR_MEMBERS = msgspec.json.Decoder(str | Members | None)


def _read(
    decoder: "msgspec.json.Decoder[_T]", raw: msgspec.Raw | None, param: str, expected: str
) -> _T | None:
    if raw is None:
        return None
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, RecursionError) as exc:
        msg = f"Invalid value for '{param}': expected {expected}."
        raise InvalidRequestError(msg, param=param) from exc


def anything(raw: msgspec.Raw | None, param: str) -> Any:
    return _read(_ANYTHING, raw, param, "a JSON value in Unicode")


def text(raw: msgspec.Raw | None, param: str) -> str | None:
    return _read(_TEXT, raw, param, "a string")


def integer(raw: msgspec.Raw | None, param: str) -> int | None:
    return _read(_INTEGER, raw, param, "an integer")


def number(raw: msgspec.Raw | None, param: str) -> float | None:
    return _read(_NUMBER, raw, param, "a number")


def boolean(raw: msgspec.Raw | None, param: str) -> bool | None:
    return _read(_BOOLEAN, raw, param, "a boolean")


def members(raw: msgspec.Raw | None, param: str) -> Members:
    return _read(_MEMBERS, raw, param, "an object") or {}


def objects(raw: msgspec.Raw | None, param: str) -> list[Members]:
    return _read(_OBJECTS, raw, param, "a list of objects") or []


def texts(raw: msgspec.Raw | None, param: str) -> list[str]:
    """Return one text or several as a list; empty ones say nothing and are left out."""
    found = _read(_TEXTS, raw, param, "a string or a list of strings") or []
    return [text for text in ([found] if isinstance(found, str) else found) if text]


def text_or_objects(raw: msgspec.Raw | None, param: str) -> str | list[Members]:
    return _read(_TEXT_OR_OBJECTS, raw, param, "a string or a list of objects") or []


def text_or_members(raw: msgspec.Raw | None, param: str) -> str | Members:
    return _read(_TEXT_OR_MEMBERS, raw, param, "a string or an object") or {}


def required_text(found: Members, key: str, param: str) -> str:
    """Return a string that must be there and not be empty."""
    value = text(found.get(key), f"{param}.{key}")
    if not value:
        msg = f"Missing required parameter: '{param}.{key}'."
        raise InvalidRequestError(msg, param=f"{param}.{key}")
    return value


def object_text(raw: msgspec.Raw | None, param: str) -> msgspec.Raw:
    """Return the object that a string holds as JSON, in that very text; an empty one is `{}`."""
    held = text(raw, param) or ""
    if not held.strip():
        return msgspec.Raw(b"{}")
    data = held.encode()
    try:
        jsontext.check(data)
    except jsontext.MalformedJsonError as exc:
        msg = f"'{param}' must be a JSON object: {exc}."
        raise InvalidRequestError(msg, param=param) from exc
    if not held.lstrip().startswith("{"):
        raise InvalidRequestError(f"'{param}' must be a JSON object.", param=param)
    return msgspec.Raw(data)


_NOTHING = frozenset({b"null", b"[]", b"{}", b'""'})


def says_nothing(raw: msgspec.Raw | None) -> bool:
    """Whether a value is absent, null or empty."""
    return raw is None or bytes(raw) in _NOTHING
