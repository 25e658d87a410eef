from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.providers.demo.samples import MAX_VALUES, sample

TREE = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {"next": {"$ref": "#/$defs/node"}},
            "required": ["next"],
        }
    },
    "$ref": "#/$defs/node",
}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "sample"),
        ({"type": "string", "minLength": 8}, "samplexx"),
        ({"type": "string", "maxLength": 3}, "sam"),
        ({"type": "string", "format": "date"}, "2025-01-31"),
        ({"type": "integer"}, 1),
        ({"type": "integer", "minimum": 7}, 7),
        ({"type": "integer", "exclusiveMinimum": 7}, 8),
        ({"type": "integer", "maximum": -3}, -3),
        ({"type": "integer", "exclusiveMaximum": 0}, -1),
        ({"type": "integer", "minimum": 10, "multipleOf": 7}, 14),
        ({"type": "number"}, 1.5),
        ({"type": "number", "minimum": 0, "maximum": 1}, 0.5),
        ({"type": "number", "exclusiveMinimum": 0.5, "maximum": 0.9}, 0.7),
        ({"type": "number", "minimum": 2.5}, 3.5),
        ({"type": "number", "maximum": 2.5}, 1.5),
        ({"type": "number", "multipleOf": 0.25, "minimum": 0.3}, 0.5),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["null", "integer"]}, 1),
        ({"type": ["null"]}, None),
        ({"enum": ["b", "a"]}, "b"),
        ({"const": None}, None),
        ({"const": {"a": 1}}, {"a": 1}),
        ({"type": "array"}, []),
        ({"type": "array", "items": {"type": "boolean"}}, [True]),
        ({"items": {"type": "null"}, "minItems": 2}, [None, None]),
        ({"type": "array", "items": {"type": "null"}, "maxItems": 0}, []),
        ({"type": "array", "prefixItems": [{"const": 1}, {"const": 2}]}, [1, 2]),
        ({"type": "object", "properties": {"a": {"type": "null"}}}, {}),
        ({"properties": {"a": {}, "b": {"type": "null"}}, "required": ["b"]}, {"b": None}),
        ({"type": "object", "required": ["other"]}, {"other": "sample"}),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}], "minimum": 4}, 4),
        ({"oneOf": [{"const": 1}, {"const": 2}]}, 1),
        (
            {
                "allOf": [
                    {"properties": {"a": {"const": 1}}, "required": ["a"]},
                    {"properties": {"b": {"const": 2}}, "required": ["b"]},
                ]
            },
            {"a": 1, "b": 2},
        ),
        ({"$defs": {"x/y": {"const": 5}}, "$ref": "#/$defs/x~1y"}, 5),
        ({"$ref": "#/$defs/missing"}, None),
        ({"$ref": "https://example.com/elsewhere"}, None),
        ({"type": "no such type"}, "sample"),
        ({}, "sample"),
        (True, None),
    ],
)
def test_a_sample_fits_its_schema(schema: Any, value: Any) -> None:
    assert sample(schema) == value


def size(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(size, inner))


@pytest.mark.parametrize(
    "schema",
    [
        TREE,
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}]},
        {"anyOf": [{"$ref": "#"}]},
        {"type": "array", "items": {"$ref": "#"}, "minItems": 1_000_000_000},
        {"type": "string", "minLength": 1_000_000_000},
    ],
    ids=str,
)
def test_a_schema_without_end_has_a_bounded_sample(schema: Any) -> None:
    value = sample(schema)

    assert size(value) <= MAX_VALUES
    assert not isinstance(value, str) or len(value) == MAX_VALUES


KEYWORDS = [
    "type",
    "enum",
    "const",
    "$ref",
    "anyOf",
    "allOf",
    "properties",
    "required",
    "items",
    "prefixItems",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "multipleOf",
    "minLength",
    "maxLength",
    "format",
]

any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYWORDS), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=500, deadline=None)
@given(schema=any_json)
def test_no_schema_makes_it_raise(schema: Any) -> None:
    sample(schema)


@settings(max_examples=300, deadline=None)
@given(
    low=st.integers(-1000, 1000),
    width=st.integers(20, 100),
    step=st.integers(1, 10),
    keys=st.tuples(
        st.sampled_from(["minimum", "exclusiveMinimum"]),
        st.sampled_from(["maximum", "exclusiveMaximum"]),
    ),
)
def test_numbers_keep_their_bounds(low: int, width: int, step: int, keys: tuple[str, str]) -> None:
    schema = {"type": "integer", keys[0]: low, keys[1]: low + width, "multipleOf": step}

    value = sample(schema)

    assert isinstance(value, int)
    assert low <= value <= low + width
    assert value % step == 0
    assert keys[0] == "minimum" or value > low
    assert keys[1] == "maximum" or value < low + width
