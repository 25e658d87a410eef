"""Server-sent events are decoded by the standard, however the bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.wire.sse import MAX_EVENT_BYTES, EventTooLargeError, ServerSentEvent, SseDecoder

STREAM = (
    b": comment\r\n\r\nevent: error\r\ndata: first\r\ndata:second\r\nid: 7\r\n\r\n"
    b"data: \xc3\xa9\xe2\x82\xac\n\ndata\n\nretry: 5\n\ndata: [DONE]\n\n"
)
EVENTS = [
    ServerSentEvent(b"first\nsecond", "error"),
    ServerSentEvent("é€".encode()),
    ServerSentEvent(b""),
    ServerSentEvent(b"[DONE]"),
]


def decode(*parts: bytes, limit: int = MAX_EVENT_BYTES) -> list[ServerSentEvent]:
    decoder = SseDecoder(limit)
    events = [event for part in parts for event in decoder.feed(part)]
    return events + decoder.finish()


def test_lines_fields_and_comments_follow_the_standard() -> None:
    assert decode(STREAM) == EVENTS


@pytest.mark.parametrize("at", range(len(STREAM) + 1))
def test_every_split_gives_the_same_events(at: int) -> None:
    assert decode(STREAM[:at], STREAM[at:]) == EVENTS


def test_one_byte_at_a_time_gives_the_same_events() -> None:
    assert decode(*(STREAM[i : i + 1] for i in range(len(STREAM)))) == EVENTS


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_each_line_end_ends_lines(end: bytes) -> None:
    stream = end.join([b"data: a", b"data: b", b"", b"data: c", b"", b""])

    assert decode(stream) == [ServerSentEvent(b"a\nb"), ServerSentEvent(b"c")]
    assert decode(*(stream[i : i + 1] for i in range(len(stream)))) == decode(stream)


def test_a_byte_order_mark_at_the_start_is_no_part_of_the_first_field() -> None:
    assert decode(b"\xef\xbb\xbfdata: a\n\n") == [ServerSentEvent(b"a")]


def test_a_last_event_counts_without_its_blank_line() -> None:
    assert decode(b"data: [DONE]\n") == [ServerSentEvent(b"[DONE]")]
    assert decode(b"data: [DONE]") == [ServerSentEvent(b"[DONE]")]


@pytest.mark.parametrize(
    "parts",
    [
        [b"data: " + b"x" * 200],
        [b"data: ", *([b"x" * 10] * 20)],
        [b"data: 123456789\n"] * 20,
        [b"data: " + b"x" * 200 + b"\n\n"],
    ],
)
def test_an_event_beyond_the_limit_is_refused(parts: list[bytes]) -> None:
    with pytest.raises(EventTooLargeError):
        decode(*parts, limit=100)


def test_a_long_stream_of_small_events_is_no_large_event() -> None:
    decoder = SseDecoder(max_event_bytes=100)

    assert len(decoder.feed(b"data: x\n\n" * 1000)) == 1000


@given(st.binary(max_size=200), st.integers(0, 200))
def test_no_input_raises_and_no_split_matters(data: bytes, at: int) -> None:
    assert decode(data[:at], data[at:]) == decode(data)
