"""Our credentials are taken out of what providers send, however they are spelt."""

import json

import pytest

from router.values import Secret
from router.wire.mask import MIN_LENGTH, Mask

KEYS = [
    "plain-key-of-ours",
    'quo"ted"key',
    "slash/ed/key=",
    "back\\slash\\key",
    'all/of"them\\here',
]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_taken_out_of_text_and_out_of_json_strings(key: str) -> None:
    mask = Mask([Secret(key)])
    spelt = [key, json.dumps(key)[1:-1], json.dumps(key)[1:-1].replace("/", "\\/")]

    assert [mask.in_text(f"<{text}>") for text in spelt] == ["<***>"] * 3
    assert [mask.in_bytes(f"<{text}>".encode()) for text in spelt] == [b"<***>"] * 3


@pytest.mark.parametrize("key", KEYS)
def test_json_stays_json_when_a_key_is_taken_out_of_it(key: str) -> None:
    body = json.dumps({"a": key, "b": [f"x {key} y {key}"]}).encode()

    assert json.loads(Mask([Secret(key)]).in_bytes(body)) == {"a": "***", "b": ["x *** y ***"]}


def test_a_key_that_holds_another_is_taken_out_whole() -> None:
    mask = Mask([Secret("canary-one"), Secret("canary-one-and-two")])

    assert mask.in_text("canary-one-and-two canary-one") == "*** ***"


def test_what_holds_no_key_is_the_same_object() -> None:
    data = b"nothing of ours"

    assert Mask([Secret("canary-one")]).in_bytes(data) is data
    assert Mask([]).in_bytes(data) is data


def test_chunks_are_clean_if_none_of_them_holds_a_key() -> None:
    mask = Mask([Secret(key) for key in KEYS])
    spelt = json.dumps(KEYS[-1])[1:-1].encode()

    assert mask.is_clean([])
    assert mask.is_clean([b"one", b"", b"two"])
    assert not mask.is_clean([b"one", b"<%b>" % spelt, b"two"])


def test_a_placeholder_is_too_short_to_be_masked() -> None:
    short, enough = "x" * (MIN_LENGTH - 1), "y" * MIN_LENGTH
    mask = Mask([Secret(short), Secret(enough), Secret("")])

    assert mask.in_text(f"{short} {enough}") == f"{short} ***"


@pytest.mark.parametrize(
    ("key", "spelt"),
    [
        ("a-key-of-ours==", r"a-key-of-ours\u003d\u003d"),
        ("a-key<of>&ours", r"a-key\u003cof\u003e\u0026ours"),
        ("a-key+of/ours", r"a-key\u002bof/ours"),
        ("a-key+of/ours", r"a-key\u002Bof/ours"),
    ],
)
def test_a_key_spelt_for_web_pages_is_taken_out_too(key: str, spelt: str) -> None:
    assert json.loads(f'"{spelt}"') == key
    assert Mask([Secret(key)]).in_bytes(f'"{spelt}"'.encode()) == b'"***"'
