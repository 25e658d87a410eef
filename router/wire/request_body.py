"""What the checks of all request bodies share: one JSON object in UTF-8, whose edits touch nothing else."""

import re
from collections.abc import Collection, Iterable
from typing import Final

from router.errors import InvalidRequestError
from router.wire import jsontext

Edit = tuple[int, int, str]
"""Where in the text, from and to, and what is to stand there."""


def decoded(body: bytes) -> str:
    """Return the body as text.

    Raises:
        InvalidRequestError: if it is not UTF-8.

    """
    try:
        return jsontext.decode_utf8(body)
    except jsontext.MalformedJsonError as exc:
        raise malformed(exc) from exc


def malformed(exc: jsontext.MalformedJsonError) -> InvalidRequestError:
    """Return the failure for a body that is not JSON."""
    return InvalidRequestError(f"We could not parse the JSON body of your request: {exc}.")


_ESCAPED_LETTER: Final = re.compile(rb"\\u00[67]")
"""How a letter of a key can be spelt otherwise."""

_TEXT_VALUE: Final = re.compile(rb'[ \t\r\n]*:[ \t\r\n]*("[^"\\]*")')


def has_escaped_letters(body: bytes) -> bool:
    """Whether a key of plain letters may stand in a body under another spelling."""
    return b"\\u00" in body and _ESCAPED_LETTER.search(body) is not None


def text_member(body: bytes, name: bytes) -> tuple[int, int] | None:
    """Return from where to where the value of a top-level member stands, its quotes included.

    `body` is well-formed and has the member, whose value is a string. None if its place cannot be seen
    without a walk: if the name occurs twice (in an object within, perhaps), or may be spelt otherwise.
    """
    key = b'"%b"' % name
    at = body.find(key)
    if at < 0 or body.find(key, at + len(key)) >= 0 or has_escaped_letters(body):
        return None
    found = _TEXT_VALUE.match(body, at + len(key))
    return found.span(1) if found else None


def refuse_duplicates(body: bytes, names: Collection[str]) -> None:
    """Refuse two spellings of one of `names`: whoever reads the other one is fooled.

    A body in which each name occurs once at most and no key can be spelt with escapes needs no walk.

    Raises:
        InvalidRequestError: naming the field.

    """
    if not has_escaped_letters(body) and all(_occurs_once(body, name) for name in names):
        return
    seen: set[str] = set()
    try:
        for member in jsontext.members(body.decode()):
            if member.key in names and member.key in seen:
                msg = f"The request body names '{member.key}' twice."
                raise InvalidRequestError(msg, param=member.key)
            seen.add(member.key)
    except jsontext.MalformedJsonError as exc:
        raise malformed(exc) from exc
    except RecursionError as exc:
        raise malformed(jsontext.MalformedJsonError("nested too deeply")) from exc


def _occurs_once(body: bytes, name: str) -> bool:
    key = b'"%b"' % name.encode()
    at = body.find(key)
    return at < 0 or body.find(key, at + len(key)) < 0


def edited(text: str, edits: Iterable[Edit]) -> bytes:
    """Return the body with `edits`, which do not overlap."""
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text.encode()
