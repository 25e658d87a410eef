import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.sse import DONE, frame, frames


def read_events(stream: bytes) -> list[bytes]:
    """The events of a stream, as the standard says to read them."""
    events = []
    data: list[bytes] = []
    for line in re.split(rb"\r\n|\r|\n", stream):
        if line.startswith(b"data: "):
            data.append(line.removeprefix(b"data: "))
        elif not line and data:
            events.append(b"\n".join(data))
            data = []
    return events


@pytest.mark.parametrize(
    ("payload", "framed"),
    [
        (b"{}", b"data: {}\n\n"),
        (b'{"a":\n1}', b'data: {"a":\ndata: 1}\n\n'),
        (b"a\r\nb\rc", b"data: a\ndata: b\ndata: c\n\n"),
        (b"a\n\nb", b"data: a\ndata: \ndata: b\n\n"),
        (b"a\n", b"data: a\ndata: \n\n"),
    ],
)
def test_a_payload_is_spread_over_as_many_lines_as_it_has(payload: bytes, framed: bytes) -> None:
    assert frame(payload) == framed


@given(st.lists(st.binary(min_size=1)))
def test_a_reader_finds_every_payload_with_its_line_ends_as_line_feeds(
    payloads: list[bytes],
) -> None:
    expected = [re.sub(rb"\r\n|\r", b"\n", payload) for payload in payloads]

    assert read_events(frames(payloads)) == expected


def test_the_end_mark_is_a_frame_of_its_own() -> None:
    assert frame(b"[DONE]") == DONE
