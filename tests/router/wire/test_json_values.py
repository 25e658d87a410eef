import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.wire.json_values import JsonValuesDecoder
from router.wire.sse import EventTooLargeError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def values_of(*pieces: bytes) -> list[Any]:
    decoder = JsonValuesDecoder()
    found = [value for piece in pieces for value in decoder.feed(piece)]
    return [json.loads(value) for value in found + decoder.finish()]


@given(st.lists(st.dictionaries(st.text(max_size=9), JSON, max_size=3), max_size=3), st.booleans())
@settings(max_examples=50)
def test_the_objects_of_an_array_come_out_wherever_it_is_split(
    values: list[Any], is_wide: bool
) -> None:
    data = json.dumps(values, ensure_ascii=is_wide, indent=2 if is_wide else None).encode()

    assert values_of(data) == values
    assert values_of(*(data[i : i + 1] for i in range(len(data)))) == values
    assert all(values_of(data[:at], data[at:]) == values for at in range(0, len(data), 7))


def test_objects_may_follow_each_other_without_an_array() -> None:
    assert values_of(b'{"a":"}"}\n{"b":"\\""}') == [{"a": "}"}, {"b": '"'}]


def test_an_object_that_was_cut_short_is_returned_at_the_end() -> None:
    decoder = JsonValuesDecoder()

    assert decoder.feed(b'[{"a":1},{"b') == [b'{"a":1}']
    assert decoder.finish() == [b'{"b']


@pytest.mark.parametrize("data", [b"[5]", b"null", b'[{"a":1} x'])
def test_what_is_no_object_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no object"):
        JsonValuesDecoder().feed(data)


def test_an_object_beyond_the_limit_is_refused() -> None:
    decoder = JsonValuesDecoder(max_bytes=10)
    decoder.feed(b'{"a":"12')

    with pytest.raises(EventTooLargeError):
        decoder.feed(b"3456")
