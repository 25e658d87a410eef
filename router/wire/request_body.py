"""What the checks of all request bodies share: one JSON object in UTF-8, whose edits touch nothing else."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import msgspec

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
_VALUE_BEGINS: Final = rb"[ \t\r\n]*:[ \t\r\n]*"


@dataclass(frozen=True, slots=True)
class Outline:
    """A well-formed body without one of the values in it, mostly all that is large: its own members' names
    all stand in `text`. The value stood at `cut` and had `length` bytes.
    """

    text: bytes
    cut: int = 0
    length: int = 0

    @property
    def has_escaped_letters(self) -> bool:
        """Whether a name of plain letters may stand here under another spelling."""
        return b"\\" in self.text and _ESCAPED_LETTER.search(self.text) is not None

    def occurrences(self, name: bytes) -> int:
        """How often a name stands here: as one of the body's own, of an object within, or as a value."""
        return self.text.count(b'"%b"' % name)

    def text_member(self, name: bytes) -> tuple[int, int] | None:
        """Return from where to where in the body the value of a member stands, its quotes included.

        The body has the member, and its value is a string. None if its place cannot be seen without a walk:
        if the name occurs twice (in an object within, perhaps), or may be spelt otherwise.
        """
        if self.occurrences(name) != 1 or self.has_escaped_letters:
            return None
        key = b'"%b"' % name
        found = _TEXT_VALUE.match(self.text, self.text.index(key) + len(key))
        if not found:
            return None
        moved = self.length if found.start(1) >= self.cut else 0
        return found.start(1) + moved, found.end(1) + moved


@lru_cache
def _beginning(name: bytes) -> re.Pattern[bytes]:
    return re.compile(b'"%b"' % name + _VALUE_BEGINS)


def outline(body: bytes, name: bytes, value: msgspec.Raw) -> Outline:
    """Return the outline of `body`, without the value of its member `name`, which is spelt `value`.

    Where the value stands is guessed, and seen to be right by comparing: the same bytes behind the same name
    are the same value, be it of an object within, and no name of the body's own is in it.
    """
    found = _beginning(name).search(body)
    text = memoryview(value)
    if not (found and text and body.startswith(text, found.end())):
        return Outline(body)
    cut, length = found.end(), text.nbytes
    return Outline(body[:cut] + body[cut + length :], cut, length)


def refuse_duplicates(body: bytes, names: Collection[str], seen_in: Outline | None = None) -> None:
    """Refuse two spellings of one of `names`: whoever reads the other one is fooled.

    A body in which each name occurs once at most and no key can be spelt with escapes needs no walk.
    `seen_in` is its outline, if one is known.

    Raises:
        InvalidRequestError: naming the field.

    """
    own = seen_in or Outline(body)
    if all(own.occurrences(name.encode()) < 2 for name in names) and not own.has_escaped_letters:
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


def edited(text: str, edits: Iterable[Edit]) -> bytes:
    """Return the body with `edits`, which do not overlap."""
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text.encode()
