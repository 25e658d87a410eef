"""JSON text is judged as RFC 8259 does, and edited in place."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.wire import jsontext

WELL_FORMED = [
    b"{}",
    b" [1, 2.5e-3, true, null] ",
    b'{"a": "\\ud800"}',
    b"1e400",
    b"1" * 5000,
    '{"é": "日本"}'.encode(),
]
MALFORMED = [
    b"",
    b"{",
    b'{"a": tru}',
    b'{"a": 01}',
    b'{"a": NaN}',
    b"Infinity",
    b'{"a": 1}x',
    b'{"a": 1,}',
    b'{"a": "\xff"}',
    b'{"a": "\n"}',
    b'{"a": "\\x"}',
    b"\xef\xbb\xbf{}",
    b"[" * 100_000,
    b'{"a":' * 100_000,
]


@pytest.mark.parametrize("data", WELL_FORMED)
def test_well_formed_text_passes(data: bytes) -> None:
    jsontext.check(data)


@pytest.mark.parametrize("data", MALFORMED)
def test_malformed_text_is_refused(data: bytes) -> None:
    with pytest.raises(jsontext.MalformedJsonError):
        jsontext.check(data)


def test_members_are_found_where_they_stand_duplicates_included() -> None:
    text = ' { "a" : [1, {"b": 2}] , "\\u0061":"x","c":{} } '

    found = [(m.key, text[m.start : m.end]) for m in jsontext.members(text)]

    assert found == [("a", '[1, {"b": 2}]'), ("a", '"x"'), ("c", "{}")]


@pytest.mark.parametrize("text", ["[1]", "1", '"{"', "null", "{}", " { } "])
def test_what_is_no_object_has_no_members(text: str) -> None:
    assert list(jsontext.members(text)) == []


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON_VALUES), st.sampled_from([None, 1]), st.booleans())
def test_members_are_those_of_any_object(
    value: dict[str, object], indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)

    found = {m.key: json.loads(text[m.start : m.end]) for m in jsontext.members(text)}

    assert found == value
