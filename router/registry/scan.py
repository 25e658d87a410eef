"""A list's bytes, taken apart into rows. Pure.

One row at a time, by the standard library's scanner: numbers keep their exact text, and a row that is odd
but well formed spoils no other. Only a window of the text is decoded at a time, and nothing is looked at
twice but the row at its end: no single call takes long, however long the list is.
"""

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Final

MAX_ROWS: Final = 1_000_000
"""No usable row is shorter than 64 bytes, so no usable list within the size limit has more."""

WINDOW: Final = 64 * 1024
"""Bytes that are decoded at a time; more where a single row is longer."""

_PLAIN_INTEGER: Final = 20
"""Characters. Longer integers fit no field, and converting them takes quadratic time."""

_UNDECIDED: Final = 16
"""Characters. What the scanner says of a place so close to the window's end may change with the text to come:
the longest token that it looks at as a whole is a pair of surrogates.
"""

_LONGEST: Final = 4
"""Bytes of a character in UTF-8."""

_BOM: Final = b"\xef\xbb\xbf"


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


class _Text:
    """A list's text, of which `window` is decoded, from where it is read on. Positions are the window's."""

    def __init__(self, data: bytes, size: int) -> None:
        self.window = ""
        self._data = data
        self._size = max(size, _LONGEST)
        self._start = len(_BOM) if data.startswith(_BOM) else 0
        self._end = self._start
        self._passed = 0

    @property
    def is_whole(self) -> bool:
        """Whether the window reaches to the end of the list."""
        return self._end == len(self._data)

    def extend(self, at: int) -> int:
        """Leave what stands before `at`, decode as much again as is left, or a window; return the new `at`.

        Raises:
            ListError: if it is not UTF-8.

        """
        left = self.window[at:]
        self._passed += at
        self.window = left + self._decoded(self._end, max(self._size, len(left)))
        return 0

    def _decoded(self, start: int, size: int) -> str:
        end = min(start + size, len(self._data))
        # Between two characters.
        for cut in range(end, max(end - _LONGEST, start), -1):
            if cut == len(self._data) or self._data[cut] & 0xC0 != 0x80:
                end = cut
                break
        try:
            text = self._data[start:end].decode()
        except UnicodeDecodeError as exc:
            raise ListError(f"invalid UTF-8 at byte {start - self._start + exc.start}") from exc
        self._end = end
        return text

    def skip(self, at: int) -> int:
        """Return where the space at `at` ends."""
        while (at := _after_space(self.window, at)) == len(self.window) and not self.is_whole:
            at = self.extend(at)
        return at

    def is_decided(self, at: int) -> bool:
        """Tell whether what the scanner says of `at` stands, whatever text is to come."""
        return self.is_whole or at + _UNDECIDED < len(self.window)

    def has_ended(self, at: int) -> bool:
        return self.is_whole and at == len(self.window)

    def check_rest(self) -> None:
        """Decode to the end. Raises ListError where that is not UTF-8."""
        while not self.is_whole:
            self.extend(len(self.window))

    def position(self, at: int) -> str:
        """Return a position as people count, from the beginning of the list."""
        head = _Text(self._data, self._size)
        left, line, column = self._passed + at, 1, 1
        while left:
            head.extend(len(head.window))
            text = head.window[:left]
            left -= len(text)
            lines = text.count("\n")
            line += lines
            column = len(text) - text.rfind("\n") if lines else column + len(text)
        return f"at line {line} column {column}"


def rows_of(data: bytes, window: int = WINDOW) -> Iterator[object]:
    """Yield the rows of a list as they stand there; numbers are `int` or `Decimal`, exact.

    `window` is in bytes: how many are decoded at a time.

    Raises:
        ListError: on the way, if `data` is not one well-formed JSON array in UTF-8, or has too many rows.

    """
    text = _Text(data, window)
    try:
        yield from _rows(text)
    except ListError:
        text.check_rest()  # of two faults the encoding is the first
        raise


def _rows(text: _Text) -> Iterator[object]:
    at = text.skip(0)
    if text.window[at : at + 1] != "[":
        raise ListError("not a JSON array")
    at = text.skip(at + 1)
    if text.window[at : at + 1] == "]":
        _check_end(text, at + 1)
        return
    for _ in range(MAX_ROWS):
        row, at = _scan(text, at)
        yield row
        mark = text.window[at : at + 1]
        at = text.skip(at + 1)
        if mark == "]":
            _check_end(text, at)
            return
        if mark != ",":
            raise ListError(f"malformed JSON: expected ',' or ']' {text.position(at)}")
    raise ListError(f"more than {MAX_ROWS} rows")


def _scan(text: _Text, at: int) -> tuple[object, int]:
    """Return the row at `at`, and where what follows it stands."""
    while True:
        try:
            row, end = _ROW.raw_decode(text.window, at)
            end = _after_space(text.window, end)
            if text.is_decided(end):
                return row, end
        except json.JSONDecodeError as exc:
            # Of a string that has no end yet, the beginning is told.
            is_open = exc.msg.startswith("Unterminated")
            if text.is_whole or (text.is_decided(exc.pos) and not is_open):
                told = f"malformed JSON: {exc.msg} {text.position(exc.pos)}"
                raise ListError(told) from exc
        except RecursionError as exc:
            raise ListError(f"nested too deeply {text.position(at)}") from exc
        at = text.extend(at)


def _check_end(text: _Text, at: int) -> None:
    at = text.skip(at)
    if not text.has_ended(at):
        raise ListError(f"malformed JSON: something follows the array {text.position(at)}")
