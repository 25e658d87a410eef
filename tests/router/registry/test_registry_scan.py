import json
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.registry import scan
from router.registry.scan import ListError, rows_of


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (b"[]", []),
        (b" \r\n\t[ ] \n", []),
        (b"[1]", [1]),
        (b'[{"a": [1, {"b": null}]} , "x"\n,\ntrue]', [{"a": [1, {"b": None}]}, "x", True]),
        (b"\xef\xbb\xbf[1]", [1]),
        ('["ü", "\\ud83d\\ude00"]'.encode(), ["ü", "😀"]),
    ],
)
def test_an_array_gives_its_rows_in_order(text: bytes, rows: list[object]) -> None:
    assert list(rows_of(text)) == rows


@pytest.mark.parametrize(
    ("number", "value"),
    [
        (b"0.0025", Decimal("0.0025")),
        (b"0.30000000000000004", Decimal("0.30000000000000004")),
        (b"1e-7", Decimal("1E-7")),
        (b"1" * 30, Decimal("1" * 30)),
        (b"12", 12),
    ],
)
def test_numbers_keep_what_they_say(number: bytes, value: object) -> None:
    [row] = rows_of(b"[" + number + b"]")
    assert row == value


@pytest.mark.parametrize("number", [b"NaN", b"1e99999999999999999999", b"9" * 5000, b"-Infinity"])
def test_a_number_beyond_all_bounds_spoils_no_list(number: bytes) -> None:
    assert len(list(rows_of(b"[1, " + number + b", 2]"))) == 3


def test_a_lone_surrogate_spoils_no_list() -> None:
    assert list(rows_of(b'["\\ud800", 1]')) == ["\ud800", 1]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "not a JSON array"),
        (b"null", "not a JSON array"),
        (b'{"data": []}', "not a JSON array"),
        (b"<html>", "not a JSON array"),
        (b"[", "line 1 column 2"),
        (b"[1", "expected ',' or ']'"),
        (b"[1,]", "line 1 column 4"),
        (b"[1 2]", "expected ',' or ']'"),
        (b"[,1]", "line 1 column 2"),
        (b'[\n{"a": }]', "line 2 column 7"),
        (b"[1]\n// more", "line 2 column 1"),
        (b"[] []", "something follows"),
        (b'["\xff"]', "invalid UTF-8 at byte 2"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_anything_else_is_no_list(text: bytes, says: str) -> None:
    with pytest.raises(ListError, match=says.replace("[", r"\[").replace("]", r"\]")):
        list(rows_of(text))


def test_each_start_of_a_list_is_no_list() -> None:
    text = json.dumps([{"model_version": "a", "x": [1, 2.5, "\\"]}, None]).encode()
    for end in range(len(text)):
        with pytest.raises(ListError):
            list(rows_of(text[:end]))


def test_a_list_has_a_bounded_number_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "MAX_ROWS", 3)
    assert list(rows_of(b"[1,2,3]")) == [1, 2, 3]
    with pytest.raises(ListError, match="more than 3 rows"):
        list(rows_of(b"[1,2,3,4]"))


def outcome(text: bytes, window: int) -> tuple[str, str]:
    """What a list is read as: the rows up to its end, or the error."""
    try:
        # By their text: what is not a number is not equal to itself.
        return "rows", repr(list(rows_of(text, window)))
    except ListError as exc:
        return "error", str(exc)


WHOLE = 1 << 20

TOKENS = st.sampled_from(
    [
        *(b"[", b"]", b"{", b"}", b",", b":", b'"', b" ", b"\n", b"\t", b'"a"', b'"a": 1', b"\xff"),
        *(b"1", b"-", b"1.5e3", b"1e", b"true", b"tru", b"null", b"NaN", b"-Infinity", b"[1, {}]"),
        *(b'"\\ud83d\\ude00"', b'"\\ud83d', b"\\u00", b"\\q", b'\\"', b"\x80" * 5, b"\xef\xbb\xbf"),
        *("\u00fc".encode(), "\U0001f600".encode(), b"\xf0\x9f", b"x" * 20, b" " * 20),
    ]
)


@given(st.lists(TOKENS, max_size=20).map(b"".join), st.integers(1, 40), st.booleans())
@example(b"1e5, 2]", 4, True)
@example(b'"a" x, "\xff"]', 4, True)
@example(b"1, 2\n 3]", 5, True)
def test_a_list_is_read_the_same_whatever_is_decoded_at_a_time(
    text: bytes, window: int, begins: bool
) -> None:
    text = b"[" * begins + text

    assert outcome(text, window) == outcome(text, WHOLE)


@given(
    st.lists(st.none() | st.floats() | st.text() | st.dictionaries(st.text(), st.text())),
    st.integers(1, 40),
    st.booleans(),
    st.none() | st.integers(0, 10_000),
)
def test_a_well_formed_list_and_each_start_of_it_too(
    rows: list[object], window: int, is_ascii: bool, end: int | None
) -> None:
    text = json.dumps(rows, ensure_ascii=is_ascii, indent=1).encode(errors="replace")[:end]

    assert outcome(text, window) == outcome(text, WHOLE)


def test_an_error_is_placed_in_the_whole_list() -> None:
    text = b"[\n" + b'{"a": "\xc3\xbc"},\n' * 1000 + b'{"a" 1}]'

    with pytest.raises(ListError, match="':' delimiter at line 1002 column 6"):
        list(rows_of(text, 64))


def test_of_two_faults_the_encoding_is_told() -> None:
    with pytest.raises(ListError, match="invalid UTF-8 at byte 1003"):
        list(rows_of(b"[ 1 2" + b" " * 998 + b"\xff", 64))
