"""The fields of a row: each function reads one, or says what is wrong with it. Pure.

A field that is absent or null is not stated. A field that the contract names and whose value it does
not allow sets the row aside: serving a model otherwise than its list means is worse than not serving it.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from router.values import Price

Row = Mapping[str, object]

MAX_NAME: Final = 512
"""Characters of a model's name; the longest in use (Bedrock ARNs) have about 200."""

MAX_HANDLE: Final = 2048
"""Characters; what URLs may have with any server."""

MAX_DOLLARS: Final = 1_000_000
MIN_DOLLARS_EXPONENT: Final = -40
MAX_NUMBER_TEXT: Final = 64
"""Far beyond any price. They bound what a cost takes when it is written out in full."""

MAX_INT32: Final = 2**31 - 1
MAX_INT64: Final = 2**63 - 1
"""The contract's integers (`model_service.proto`)."""

MAX_SECONDS: Final = 253_402_300_799
"""The end of the year 9999; a larger `created` is in milliseconds."""

MAX_WEIGHT: Final = 1_000_000_000

_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?")

_SHOWN: Final = 80


_A_NAME: Final = (
    f"1 to {MAX_NAME} characters without control characters and without space around them"
)


class RowError(ValueError):
    """A row cannot be served; the message says why."""


def shown(value: object) -> str:
    """Return a value of a row as it may stand in a message: short, and printable on any terminal."""
    match value:
        case None | True | False:
            return {None: "null", True: "true", False: "false"}[value]
        case str():
            text = "".join(
                c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in value[:_SHOWN]
            )
            return f"'{text}…'" if len(value) > _SHOWN else f"'{text}'"
        case Mapping():
            return "an object"
        case list():
            return "a list"
    text = str(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _wrong(key: str, value: object, expected: str) -> RowError:
    return RowError(f"{key}: got {shown(value)}, expected {expected}")


def name(row: Row, key: str) -> str | None:
    """Return a name: not empty, printable, without space around it, of bounded length."""
    value = row.get(key)
    if value is not None and not is_name(value):
        raise _wrong(key, value, _A_NAME)
    return value if isinstance(value, str) else None


def is_name(value: object) -> bool:
    return (
        isinstance(value, str)
        and 0 < len(value) <= MAX_NAME
        and value.isprintable()
        and value == value.strip()
    )


def model_version(row: Row) -> str:
    value = name(row, "model_version")
    if value is None:
        raise RowError("model_version is missing")
    return value


def family(row: Row) -> str:
    """Return the family; empty if there is none."""
    return "" if row.get("model_family") == "" else name(row, "model_family") or ""


def handle(row: Row) -> str:
    """Return the handle's text, which is yet to be parsed."""
    value = row.get("handle")
    if value is None:
        raise RowError("handle is missing")
    if not isinstance(value, str) or len(value) > MAX_HANDLE:
        raise _wrong("handle", value, f"a string of at most {MAX_HANDLE} characters")
    return value


def price(row: Row, *, has_completions: bool = True) -> Price | None:
    """Return the price; None if either half is not stated, since half a cost would be a wrong one.

    What generates nothing (`has_completions` false) has a whole price in that of the prompt.
    """
    prompt = _dollars(row, "prompt_price_1k")
    completion = _dollars(row, "completion_price_1k")
    if completion is None and not has_completions:
        completion = Decimal(0)
    return None if prompt is None or completion is None else Price(prompt, completion)


def _dollars(row: Row, key: str) -> Decimal | None:
    value = row.get(key)
    if value is None:
        return None
    amount = _exact(value)
    if amount is None or not amount.is_finite() or not 0 <= amount <= MAX_DOLLARS:
        raise _wrong(key, value, f"a number or decimal string from 0 to {MAX_DOLLARS}")
    if amount and (len(str(amount)) > MAX_NUMBER_TEXT or amount.adjusted() < MIN_DOLLARS_EXPONENT):
        raise _wrong(key, value, f"at most {MAX_NUMBER_TEXT} digits and no exponent below -40")
    return amount or Decimal(0)


def _exact(value: object) -> Decimal | None:
    """Return a JSON number, or a string that spells one, as it is; None for anything else."""
    if isinstance(value, str):
        is_number = len(value) <= MAX_NUMBER_TEXT and _NUMBER.fullmatch(value)
        return Decimal(value) if is_number else None
    return _number(value)


def _number(value: object) -> Decimal | None:
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Decimal(value)
    return None


def whole(row: Row, key: str, low: int, high: int) -> int | None:
    """Return an integer from `low` to `high`; `128000.0` and `1.28e5` are integers too."""
    value = row.get(key)
    if value is None:
        return None
    number = _number(value)
    if (
        number is None
        or not number.is_finite()
        or not low <= number <= high
        or number != number.to_integral_value()
    ):
        raise _wrong(key, value, f"an integer from {low} to {high}")
    return int(number)


def weight(row: Row) -> float:
    """Return the share of the traffic; 0 is a deployment for when the others fail."""
    value = row.get("weight")
    if value is None:
        return 1.0
    number = _number(value)
    if number is None or not number.is_finite() or not 0 <= number <= MAX_WEIGHT:
        raise _wrong("weight", value, f"a number from 0 to {MAX_WEIGHT}")
    return float(number)


def aliases(row: Row) -> tuple[object, ...]:
    """Return what `aliases` lists, unchecked: one bad alias costs itself alone."""
    value = row.get("aliases")
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _wrong("aliases", value, "a list of strings")
    return tuple(value)
