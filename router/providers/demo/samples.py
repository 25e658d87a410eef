"""Values that fit a JSON Schema: what the built-in provider fills tool arguments and JSON answers with.

Covers what tools and structured outputs use: types, `enum`, `const`, `required`, `items`, `$ref` within the
schema, `anyOf`, `oneOf`, `allOf`, bounds, lengths and the common formats. Source: https://json-schema.org/
draft/2020-12/json-schema-validation. A schema is the caller's, so depth and size of a sample are bounded;
one that asks for more gets `null` from there on.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

MAX_DEPTH: Final = 24
"""Levels of schema; a recursive one ends here."""

MAX_VALUES: Final = 2000
"""Values in one sample, and items or characters that a schema can demand of one value."""

MIN_STEP: Final = 1e-9
"""A finer `multipleOf` is not heeded: a double cannot count so many."""

_FORMATS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "date": "2025-01-31",
        "date-time": "2025-01-31T12:00:00Z",
        "time": "12:00:00Z",
        "duration": "PT1H",
        "email": "someone@example.com",
        "hostname": "example.com",
        "ipv4": "192.0.2.1",
        "ipv6": "2001:db8::1",
        "uri": "https://example.com/",
        "url": "https://example.com/",
        "uuid": "00000000-0000-4000-8000-000000000000",
    }
)


def sample(schema: Any) -> Any:
    """Return a value for `schema`, the same each time; `null` where the schema cannot be followed."""
    return _Sampler(schema).value(schema, 0)


class _Sampler:
    """Makes one sample."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._left = MAX_VALUES

    def value(self, schema: Any, depth: int) -> Any:
        self._left -= 1
        if not isinstance(schema, dict) or depth > MAX_DEPTH or self._left < 0:
            return None
        for keyword, make in _KEYWORDS.items():
            if schema.get(keyword) or (keyword == "const" and keyword in schema):
                return make(self, schema, depth)
        return _MAKERS[_type_of(schema)](self, schema, depth)

    def const(self, schema: dict[str, Any], depth: int) -> Any:
        return schema["const"]

    def enum(self, schema: dict[str, Any], depth: int) -> Any:
        return next(iter(_listed(schema["enum"])), None)

    def reference(self, schema: dict[str, Any], depth: int) -> Any:
        return self.value(self._resolved(schema["$ref"]), depth + 1)

    def choice(self, schema: dict[str, Any], depth: int) -> Any:
        key = "anyOf" if "anyOf" in schema else "oneOf"
        first = next(iter(_listed(schema[key])), None)
        return self.value(_overlaid(schema, first, without=key), depth + 1)

    def all_of(self, schema: dict[str, Any], depth: int) -> Any:
        merged = _overlaid(schema, None, without="allOf")
        for part in _listed(schema["allOf"]):
            is_reference = isinstance(part, dict) and "$ref" in part
            whole = self._resolved(part["$ref"]) if is_reference else part
            merged = _overlaid(merged, whole, without="")
        return self.value(merged, depth + 1)

    def text(self, schema: dict[str, Any], depth: int) -> str:
        text = _FORMATS.get(str(schema.get("format")), "sample")
        shortest = int(_bound(schema, "minLength", 0, highest=MAX_VALUES))
        longest = int(_bound(schema, "maxLength", MAX_VALUES, highest=MAX_VALUES))
        return text.ljust(shortest, "x")[: max(longest, 0)]

    def integer(self, schema: dict[str, Any], depth: int) -> int:
        step = _bound(schema, "multipleOf", 1)
        return int(_multiple(schema, step if step >= 1 and step.is_integer() else 1))

    def number(self, schema: dict[str, Any], depth: int) -> float:
        step = _bound(schema, "multipleOf", 0)
        return _multiple(schema, step) if step > MIN_STEP else _between(schema)

    def boolean(self, schema: dict[str, Any], depth: int) -> bool:
        return True

    def null(self, schema: dict[str, Any], depth: int) -> None:
        return None

    def array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        first = schema.get("prefixItems")
        shapes = list(first[:MAX_VALUES]) if isinstance(first, list) else []
        most = int(_bound(schema, "maxItems", MAX_VALUES, highest=MAX_VALUES))
        least = int(_bound(schema, "minItems", 1, highest=MAX_VALUES))
        if "items" in schema:
            shapes += [schema["items"]] * (least - len(shapes))
        return [self.value(shape, depth + 1) for shape in shapes[: max(most, 0)] if self._left > 0]

    def object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties, required = schema.get("properties"), schema.get("required")
        properties = properties if isinstance(properties, dict) else {}
        names = [name for name in _listed(required) if isinstance(name, str)]
        return {
            name: self.value(properties.get(name, {}), depth + 1)
            for name in names[:MAX_VALUES]
            if self._left > 0
        }

    def _resolved(self, reference: Any) -> Any:
        """Return what a reference within the schema leads to, None if nothing."""
        if not isinstance(reference, str) or not reference.startswith("#"):
            return None
        found = self._root
        for step in filter(None, reference[1:].split("/")):
            key = step.replace("~1", "/").replace("~0", "~")
            found = found.get(key) if isinstance(found, dict) else None
        return found


_Maker = Callable[[_Sampler, dict[str, Any], int], Any]

_KEYWORDS: Final[Mapping[str, _Maker]] = MappingProxyType(
    {
        "const": _Sampler.const,
        "enum": _Sampler.enum,
        "$ref": _Sampler.reference,
        "anyOf": _Sampler.choice,
        "oneOf": _Sampler.choice,
        "allOf": _Sampler.all_of,
    }
)
"""Keywords that say more than the type does; the first that is there decides."""

_MAKERS: Final[Mapping[str, _Maker]] = MappingProxyType(
    {
        "string": _Sampler.text,
        "integer": _Sampler.integer,
        "number": _Sampler.number,
        "boolean": _Sampler.boolean,
        "null": _Sampler.null,
        "array": _Sampler.array,
        "object": _Sampler.object,
    }
)


def _type_of(schema: dict[str, Any]) -> str:
    """Return the stated type, the first of several, or the one that the other keywords speak of."""
    stated = schema.get("type")
    if isinstance(stated, list):
        stated = next((t for t in stated if t != "null"), "null")
    if isinstance(stated, str):
        return stated if stated in _MAKERS else "string"
    return "object" if "properties" in schema else "array" if "items" in schema else "string"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _limits(schema: dict[str, Any]) -> tuple[float, float, bool, bool]:
    """Return the lowest and highest number, and whether each is itself excluded."""
    low, above = (_bound(schema, k, -math.inf) for k in ("minimum", "exclusiveMinimum"))
    high, below = (_bound(schema, k, math.inf) for k in ("maximum", "exclusiveMaximum"))
    is_low_out = math.isfinite(above) and above >= low
    is_high_out = math.isfinite(below) and below <= high
    return max(low, above), min(high, below), is_low_out, is_high_out


def _between(schema: dict[str, Any]) -> float:
    low, high, _, _ = _limits(schema)
    if math.isfinite(low) and math.isfinite(high):
        return (low + high) / 2
    if math.isfinite(low):
        return low + 1
    return high - 1 if math.isfinite(high) else 1.5


def _multiple(schema: dict[str, Any], step: float) -> float:
    """Return the lowest multiple of `step` within the limits, or the highest if there is no lowest."""
    low, high, is_low_out, is_high_out = _limits(schema)
    if math.isfinite(low):
        times = math.ceil(low / step)
        return (times + (is_low_out and times * step == low)) * step
    if math.isfinite(high):
        times = math.floor(high / step)
        return (times - (is_high_out and times * step == high)) * step
    return step


def _overlaid(schema: dict[str, Any], part: Any, *, without: str) -> dict[str, Any]:
    """Return `schema` with the keywords of `part` on top; properties and required names add up."""
    base = {key: value for key, value in schema.items() if key != without}
    if not isinstance(part, dict):
        return base
    merged = base | part
    for key in ("properties", "required"):
        mine, more = base.get(key), part.get(key)
        if isinstance(mine, dict) and isinstance(more, dict):
            merged[key] = mine | more
        elif isinstance(mine, list) and isinstance(more, list):
            merged[key] = mine + [name for name in more if name not in mine]
    return merged


def _bound(schema: dict[str, Any], key: str, default: float, *, highest: float = math.inf) -> float:
    """Return the number under `key`, as a float; one too large to count exactly counts as none."""
    value = schema.get(key, default)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return min(float(value), highest) if is_number and abs(value) < 2**53 else default
