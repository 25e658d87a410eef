"""A list's bytes, taken apart into rows. Pure.

One row at a time, by the standard library's scanner: numbers keep their exact text, a row that is odd
but well formed spoils no other, and a thread that reads a large list lets the event loop run between
rows, which one call of a faster scanner over the whole list would not.
"""

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Final

MAX_ROWS: Final = 1_000_000
"""No usable row is shorter than 64 bytes, so no usable list within the size limit has more."""

_PLAIN_INTEGER: Final = 20
"""Characters. Longer integers fit no field, and converting them takes quadratic time."""


class ListError(ValueError):
    """The list as a whole cannot be read; the message says why."""


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent beyond any range
        return Decimal("NaN")


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) <= _PLAIN_INTEGER else _decimal(text)


# NaN and Infinity are no JSON, but Python's own writer emits them: then they spoil their row alone.
_ROW: Final = json.JSONDecoder(parse_float=_decimal, parse_int=_integer, parse_constant=_decimal)

_SPACE: Final = re.compile(r"[ \t\n\r]*")


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def rows_of(data: bytes) -> Iterator[object]:
    """Yield the rows of a list as they stand there; numbers are `int` or `Decimal`, exact.

    Raises:
        ListError: on the way, if `data` is not one well-formed JSON array in UTF-8, or has too many rows.

    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise ListError(f"invalid UTF-8 at byte {exc.start}") from exc
    at = _after_space(text, 0)
    if text[at : at + 1] != "[":
        raise ListError("not a JSON array")
    at = _after_space(text, at + 1)
    if text[at : at + 1] == "]":
        _check_end(text, at + 1)
        return
    for _ in range(MAX_ROWS):
        row, at = _scan(text, at)
        yield row
        at = _after_space(text, at)
        mark = text[at : at + 1]
        at = _after_space(text, at + 1)
        if mark == "]":
            _check_end(text, at)
            return
        if mark != ",":
            raise ListError(f"malformed JSON: expected ',' or ']' {_position(text, at)}")
    raise ListError(f"more than {MAX_ROWS} rows")


def _scan(text: str, at: int) -> tuple[object, int]:
    try:
        return _ROW.raw_decode(text, at)
    except json.JSONDecodeError as exc:
        raise ListError(f"malformed JSON: {exc.msg} {_position(text, exc.pos)}") from exc
    except RecursionError as exc:
        raise ListError(f"nested too deeply {_position(text, at)}") from exc


def _check_end(text: str, at: int) -> None:
    at = _after_space(text, at)
    if at != len(text):
        raise ListError(f"malformed JSON: something follows the array {_position(text, at)}")


def _position(text: str, at: int) -> str:
    line = text.count("\n", 0, at) + 1
    column = at - text.rfind("\n", 0, at)
    return f"at line {line} column {column}"
