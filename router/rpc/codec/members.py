"""JSON objects and lists as the texts of their values: cut apart and joined again, never respelled.

Two scanners, as in `router.wire.jsontext`: `msgspec` nearly always, the standard library where it is
stricter than RFC 8259 (lone surrogates). What is split must have passed `jsontext.check`.
"""

import json
from collections.abc import Iterable, Mapping

import msgspec

from router.wire import jsontext

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_SLOW = json.JSONDecoder(parse_int=str, parse_float=str)
_SPACE = b" \t\n\r"


class WrongTypeError(ValueError):
    """The JSON value is not of the type that was asked for."""


def split(text: bytes) -> dict[str, bytes]:
    """Return the members of an object; of two with one key the last.

    Raises:
        WrongTypeError: if `text` is not an object.

    """
    if not text.lstrip(_SPACE).startswith(b"{"):
        raise WrongTypeError
    try:
        return {key: bytes(value) for key, value in _OBJECT.decode(text).items()}
    except msgspec.DecodeError:
        whole = text.decode()
        return {m.key: whole[m.start : m.end].encode() for m in jsontext.members(whole)}


def split_list(text: bytes) -> list[bytes]:
    """Return the elements of a list.

    Raises:
        WrongTypeError: if `text` is not a list.

    """
    if not text.lstrip(_SPACE).startswith(b"["):
        raise WrongTypeError
    try:
        return [bytes(value) for value in _LIST.decode(text)]
    except msgspec.DecodeError:
        return _split_list_slowly(text.decode().strip())


def _split_list_slowly(text: str) -> list[bytes]:
    elements = []
    rest = text[1:].lstrip()
    while not rest.startswith("]"):
        _, end = _SLOW.raw_decode(rest)
        elements.append(rest[:end].encode())
        rest = rest[end:].lstrip().removeprefix(",").lstrip()
    return elements


def join(members: Mapping[str, bytes]) -> bytes:
    """Return the object with these members, in their order."""
    return b"{" + b",".join(_key(key) + b":" + value for key, value in members.items()) + b"}"


def join_list(elements: Iterable[bytes]) -> bytes:
    """Return the list of these elements."""
    return b"[" + b",".join(elements) + b"]"


def _key(key: str) -> bytes:
    try:
        return msgspec.json.encode(key)
    except UnicodeEncodeError:  # a lone surrogate: only an escape can spell it
        return json.dumps(key).encode()
