"""Arguments of a call that come piece by piece, each for a place in them (`partialArgs`).

Vertex AI streams them so where a caller asks for it: `{"jsonPath": "$.recipe.steps[0]", "stringValue":
"Pre", "willContinue": true}`, and texts grow piece by piece. Places are filled in order, so a list grows
only at its end: an index far away is no place, and memory stays within what was sent.
Source: https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/Content#PartialArg.
"""

import re
from itertools import pairwise
from typing import Any, Final

import msgspec

from router.wire.sse import MAX_EVENT_BYTES

MAX_DEPTH: Final = 64
"""Most steps of a path: deeper than any schema, and shallow enough to be written out."""

_STEP = re.compile(r"""\.([^.\[]+)|\[(\d{1,9})\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]""")
_OBJECT = msgspec.json.Decoder(dict[str, Any])
_ESCAPED = re.compile(r"\\(.)")


class _Text:
    """A text that may still grow."""

    __slots__ = ("pieces",)

    def __init__(self) -> None:
        self.pieces: list[str] = []


class PartialArg(msgspec.Struct, rename="camel"):
    """One piece. A number is the text that the provider wrote."""

    json_path: str = "$"
    string_value: str | None = None
    number_value: msgspec.Raw = msgspec.Raw(b"")
    bool_value: bool | None = None
    null_value: Any = None


class PartialArguments:
    """Pieces in, the JSON text of the arguments out. Lives as long as one call.

    `known` is the text of those that were there from the beginning. ValueError: it is no object's.
    """

    def __init__(self, known: str = "") -> None:
        self._root: dict[str, Any] = _OBJECT.decode(known) if known else {}
        self._size = 0

    def add(self, piece: PartialArg) -> None:
        """Put a piece into its place.

        Raises:
            ValueError: if its path cannot be followed, or there is too much of it.

        """
        self._size += (
            len(piece.json_path) + len(piece.string_value or "") + len(bytes(piece.number_value))
        )
        if self._size > MAX_EVENT_BYTES:
            msg = "more arguments than the limit"
            raise ValueError(msg)
        steps = _steps(piece.json_path)
        holder: Any = self._root
        for step, after in pairwise(steps):
            holder = _enter(holder, step, [] if isinstance(after, int) else {})
        if piece.string_value is not None:
            text = _enter(holder, steps[-1], _Text())
            if not isinstance(text, _Text):
                raise _astray(piece.json_path)
            text.pieces.append(piece.string_value)
        else:
            _put(holder, steps[-1], _value(piece))

    def text(self) -> str:
        """Return the arguments as they stand."""
        return msgspec.json.encode(self._root, enc_hook=_written).decode()


def _written(value: Any) -> Any:
    if isinstance(value, _Text):
        return "".join(value.pieces)
    raise NotImplementedError


def _value(piece: PartialArg) -> Any:
    if bytes(piece.number_value) not in (b"", b"null"):
        return piece.number_value
    return piece.bool_value


def _steps(path: str) -> list[str | int]:
    steps: list[str | int] = []
    at = 1 if path.startswith("$") else -1
    while 0 < at < len(path):
        found = _STEP.match(path, at)
        if found is None or len(steps) == MAX_DEPTH:
            raise _astray(path)
        name, index, single, double = found.groups()
        quoted = single if double is None else double
        steps.append(int(index) if index else name or _ESCAPED.sub(r"\1", quoted))
        at = found.end()
    if not steps:
        raise _astray(path)
    return steps


def _enter(holder: Any, step: str | int, new: Any) -> Any:
    """Return what stands at `step`, or `new` after putting it there."""
    if isinstance(holder, dict) and isinstance(step, str):
        return holder.setdefault(step, new)
    if isinstance(holder, list) and isinstance(step, int) and step <= len(holder):
        if step == len(holder):
            holder.append(new)
        return holder[step]
    raise _astray(str(step))


def _put(holder: Any, step: str | int, value: Any) -> None:
    _enter(holder, step, value)
    holder[step] = value


def _astray(path: str) -> ValueError:
    return ValueError(f"a path that leads nowhere: {path[:80]}")
