import base64
import json
import struct
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from uuid import UUID
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from router.wire import aws_event_stream
from router.wire.aws_event_stream import (
    AwsEventStreamDecoder,
    EventCutShortError,
    EventMessage,
    EventStreamError,
    EventTooLargeError,
)
from tests.support.aws_events import message
from tests.support.corpus import CORPUS


def decoded(*pieces: bytes) -> list[EventMessage]:
    decoder = AwsEventStreamDecoder()
    messages = [m for piece in pieces for m in decoder.feed(piece)]
    decoder.finish()
    assert decoder.failure is None
    return messages


def failure_of(*pieces: bytes) -> tuple[int, EventStreamError | None]:
    decoder = AwsEventStreamDecoder()
    count = sum(len(decoder.feed(piece)) for piece in pieces)
    decoder.finish()
    return count, decoder.failure


EVERY_TYPE: tuple[tuple[str, int, Any], ...] = (
    ("yes", 0, True),
    ("no", 1, False),
    ("byte", 2, -128),
    ("short", 3, -32768),
    ("int", 4, 2**31 - 1),
    ("long", 5, -(2**63)),
    ("bytes", 6, b"\x00\xff"),
    (":event-type", 7, "naïve ☃"),
    ("when", 8, datetime(2026, 2, 3, 4, 5, 6, 789000, tzinfo=UTC)),
    ("id", 9, UUID("12345678-1234-5678-1234-567812345678")),
)

HELLO = message(b'{"a":1}', (":event-type", 7, "messageStart"), (":message-type", 7, "event"))


def test_a_message_is_its_headers_and_its_payload() -> None:
    (got,) = decoded(HELLO)
    assert got.payload == b'{"a":1}'
    assert got.headers == {":event-type": "messageStart", ":message-type": "event"}
    assert got.text(":event-type") == "messageStart"


def test_a_header_may_be_of_any_type() -> None:
    (got,) = decoded(message(b"x", *EVERY_TYPE))
    assert got.headers == {name: value for name, _, value in EVERY_TYPE}


def test_a_header_that_is_no_string_is_no_text() -> None:
    (got,) = decoded(message(b"", ("number", 4, 1)))
    assert (got.text("number"), got.text("absent")) == ("", "")


def test_a_message_may_be_empty() -> None:
    assert decoded(message()) == [EventMessage({}, b"")]


def test_an_input_may_be_empty() -> None:
    assert decoded() == decoded(b"") == []


def test_messages_may_be_split_anywhere() -> None:
    data = HELLO + message() + message(b"end", *EVERY_TYPE)
    whole = decoded(data)
    assert len(whole) == 3
    assert decoded(*(data[i : i + 1] for i in range(len(data)))) == whole
    assert all(decoded(data[:at], data[at:]) == whole for at in range(len(data) + 1))


@pytest.mark.parametrize("end", range(1, len(HELLO)))
def test_a_message_that_breaks_off_is_cut_short(end: int) -> None:
    count, failure = failure_of(HELLO, HELLO[:end])
    assert count == 1
    assert isinstance(failure, EventCutShortError)


@pytest.mark.parametrize("at", range(len(HELLO)))
def test_a_flipped_bit_anywhere_is_noticed(at: int) -> None:
    broken = bytearray(HELLO)
    broken[at] ^= 0x10
    count, failure = failure_of(HELLO + bytes(broken) + HELLO)
    assert count == 1
    assert failure is not None
    assert not isinstance(failure, EventCutShortError)


def test_nothing_is_read_after_a_broken_message() -> None:
    decoder = AwsEventStreamDecoder()
    decoder.feed(b"\x00" * 12)
    assert decoder.failure is not None
    assert decoder.feed(HELLO) == []


def prelude(total: int, headers: int) -> bytes:
    lengths = struct.pack(">II", total, headers)
    return lengths + struct.pack(">I", crc32(lengths))


def test_a_message_beyond_the_limits_is_refused_by_its_prelude_alone() -> None:
    most = aws_event_stream.MAX_PAYLOAD_BYTES + 16
    assert isinstance(failure_of(prelude(most, 0))[1], EventCutShortError)
    assert isinstance(failure_of(prelude(most + 1, 0))[1], EventTooLargeError)
    assert isinstance(failure_of(prelude(2**32 - 1, 128 * 1024 + 1))[1], EventTooLargeError)


@pytest.mark.parametrize(("total", "headers"), [(15, 0), (0, 0), (20, 5), (16, 100)])
def test_lengths_that_contradict_each_other_are_refused(total: int, headers: int) -> None:
    _, failure = failure_of(prelude(total, headers))
    assert failure is not None
    assert not isinstance(failure, EventCutShortError | EventTooLargeError)


@pytest.mark.parametrize(
    "header",
    [
        b"\x05ab",
        b"\x01a",
        b"\x01a\x0a",
        b"\x01a\x07\x00",
        b"\x01a\x07\x00\x05abc",
        b"\x01a\x07\x00\x01\xff",
        b"\x01\xff\x00",
        b"\x01a\x09\x00",
        b"\x01a\x04\x00\x00",
        b"\x01a\x08\x7f\xff\xff\xff\xff\xff\xff\xff",
    ],
)
def test_a_header_that_cannot_be_read_is_refused(header: bytes) -> None:
    start = struct.pack(">II", len(header) + 16, len(header))
    body = start + struct.pack(">I", crc32(start)) + header
    _, failure = failure_of(body + struct.pack(">I", crc32(body)))
    assert failure is not None


HEADERS = st.lists(
    st.one_of(
        st.tuples(st.just(0), st.just(value=True)),
        st.tuples(st.just(1), st.just(value=False)),
        st.tuples(st.just(2), st.integers(-(2**7), 2**7 - 1)),
        st.tuples(st.just(3), st.integers(-(2**15), 2**15 - 1)),
        st.tuples(st.just(4), st.integers(-(2**31), 2**31 - 1)),
        st.tuples(st.just(5), st.integers(-(2**63), 2**63 - 1)),
        st.tuples(st.just(6), st.binary(max_size=40)),
        st.tuples(st.just(7), st.text(max_size=40)),
        st.tuples(st.just(9), st.uuids()),
    ),
    max_size=5,
)
MESSAGES = st.lists(st.tuples(HEADERS, st.binary(max_size=80)), max_size=4)
CUTS = st.lists(st.integers(0, 400), max_size=6)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


@given(MESSAGES, CUTS)
def test_any_messages_come_back_however_they_are_cut(
    made: list[tuple[list[tuple[int, Any]], bytes]], cuts: list[int]
) -> None:
    named = [([(f"h{i}", k, v) for i, (k, v) in enumerate(hs)], body) for hs, body in made]
    data = b"".join(message(body, *headers) for headers, body in named)
    got = decoded(*pieces(data, cuts))
    assert [m.payload for m in got] == [body for _, body in named]
    assert [dict(m.headers) for m in got] == [{n: v for n, _, v in hs} for hs, _ in named]


@given(st.binary(max_size=400), CUTS)
def test_any_bytes_give_messages_or_a_failure_and_nothing_else(
    data: bytes, cuts: list[int]
) -> None:
    whole = failure_of(data)
    assert whole[0] == 0
    assert type(failure_of(*pieces(data, cuts))[1]) is type(whole[1])


@given(st.integers(0, len(HELLO) - 1), st.binary(min_size=1, max_size=6))
def test_damage_never_raises(at: int, damage: bytes) -> None:
    failure_of(HELLO[:at] + damage + HELLO[at + len(damage) :])


def test_a_large_message_byte_by_byte_takes_linear_time() -> None:
    data = message(b"x" * 300_000)
    assert len(decoded(*(data[i : i + 1] for i in range(len(data))))) == 1


RECORDED = [
    pytest.param(body, id=path.stem)
    for path in sorted(CORPUS.glob("bedrock/*/*.json"))
    if isinstance(body := json.loads(path.read_text(encoding="utf-8"))["response"]["body"], dict)
    and "base64" in body
]


@pytest.mark.parametrize("body", RECORDED)
def test_a_recorded_stream_reads_as_recorded_and_as_botocore_reads_it(body: dict[str, Any]) -> None:
    data = base64.b64decode(body["base64"])
    theirs = EventStreamBuffer()
    theirs.add_data(data)

    got = decoded(data)

    assert [(dict(m.headers), m.payload) for m in got] == [(m.headers, m.payload) for m in theirs]
    assert [dict(m.headers) for m in got] == [event["headers"] for event in body["decoded_events"]]
    assert decoded(*(data[i : i + 1] for i in range(len(data)))) == got
