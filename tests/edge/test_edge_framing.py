import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.framing import END, Event, Head, MalformedError, RequestReader, head_of_answer

LIMIT = 1000
PLAIN = b"POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n00a\r\n, world...\r\n0\r\n\r\n"
)
BARE = b"\r\n\r\nGET / HTTP/1.0\r\n\r\n"


def read(reader: RequestReader, data: bytes) -> list[Event]:
    """What the reader tells when it is fed with `data`."""
    reader.feed(data)
    events = []
    while (event := reader.next()) is not None:
        events.append(event)
    return events


def joined(events: list[Event]) -> list[tuple[str, str, bytes]]:
    """Method, target and body of each request that has come to its end."""
    found, body = [], b""
    for event in events:
        if isinstance(event, bytes):
            body += event
        elif isinstance(event, Head):
            method, target, _ = event.start_line
        else:
            assert event is END
            found.append((method, target, body))
            body = b""
    return found


@given(st.lists(st.integers(0, len(PLAIN + CHUNKED + BARE + PLAIN)), max_size=30))
def test_requests_are_the_same_however_their_bytes_are_cut(cuts: list[int]) -> None:
    data = PLAIN + CHUNKED + BARE + PLAIN
    reader, events = RequestReader(LIMIT), []
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(data)], strict=True):
        events += read(reader, data[start:end])

    assert joined(events) == [
        ("POST", "/a?b", b"hello"),
        ("POST", "/c", b"hello, world..."),
        ("GET", "/", b""),
        ("POST", "/a?b", b"hello"),
    ]
    assert reader.waiting == 0


def test_what_stands_behind_a_request_waits_until_it_is_asked_for() -> None:
    reader = RequestReader(LIMIT)
    reader.feed(PLAIN + b"garbage\r\n\r\n")

    assert isinstance(reader.next(), Head)
    assert reader.next() == b"hello"
    assert reader.next() is END
    assert reader.waiting == 11
    with pytest.raises(MalformedError):
        reader.next()


def test_a_head_has_its_lines_as_they_came() -> None:
    head, end = read(
        RequestReader(LIMIT),
        b"GET /x HTTP/1.1\r\nHost: x\r\nX-A:  one\t \r\nx-a: two\r\nX-B: \xe9\r\nX-C:\r\n\r\n",
    )

    assert isinstance(head, Head)
    assert end is END
    assert head.start_line == ("GET", "/x", "HTTP/1.1")
    assert head.headers == {"host": "x", "x-a": "one,two", "x-b": "é", "x-c": ""}


@pytest.mark.parametrize(
    ("lines", "keeps_alive", "waits"),
    [
        ("GET / HTTP/1.1", True, False),
        ("GET / HTTP/1.1\r\nConnection: close", False, False),
        ("GET / HTTP/1.1\r\nConnection: x, Close", False, False),
        ("GET / HTTP/1.0", False, False),
        ("GET / HTTP/1.0\r\nConnection: keep-alive", True, False),
        ("GET / HTTP/1.1\r\nExpect: 100-Continue", True, True),
        ("GET / HTTP/1.0\r\nExpect: 100-Continue", False, False),
        ("CONNECT a:1 HTTP/1.1", False, False),
        ("GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c", True, False),
        ("POST / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c", True, False),
    ],
)
def test_a_head_says_what_becomes_of_its_connection(
    lines: str, *, keeps_alive: bool, waits: bool
) -> None:
    head, end = read(RequestReader(LIMIT), f"{lines}\r\nHost: x\r\n\r\n".encode())

    assert isinstance(head, Head)
    assert (head.keeps_alive, head.waits, end) == (keeps_alive, waits, END)


@pytest.mark.parametrize(
    "host", ["a", "a.b:80", "[::1]:80", "a_b", "", "%41", "x:" + "9" * 900, "localhost"]
)
def test_a_host_may_be_whatever_a_host_is(host: str) -> None:
    head, _ = read(RequestReader(LIMIT), f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())

    assert isinstance(head, Head)
    assert head.headers["host"] == host


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Host: a\r\nHost: a\r\n",
        "Host: a,b\r\n",
        "Host: a/b\r\n",
        "Host: a b\r\n",
        "Host: \xe9\r\n",
    ],
)
def test_a_request_names_one_host(line: str) -> None:
    with pytest.raises(MalformedError, match="Host"):
        read(RequestReader(LIMIT), f"GET / HTTP/1.1\r\n{line}\r\n".encode("latin-1"))


def test_a_body_in_one_piece_is_passed_on_in_one_piece() -> None:
    reader = RequestReader(LIMIT)
    (head,) = read(reader, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
    body = b"x" * 100_000

    assert isinstance(head, Head)
    reader.feed(body)
    assert reader.next() == body


@pytest.mark.parametrize("size", [LIMIT - 1, LIMIT, LIMIT + 1])
@pytest.mark.parametrize("is_whole", [True, False])
def test_a_head_is_read_up_to_its_limit(size: int, *, is_whole: bool) -> None:
    start, end = b"\r\nGET / HTTP/1.1\r\nHost: x\r\nX-A: ", b"\r\n\r\n" if is_whole else b""
    data = start + b"a" * (size - len(start) - len(end)) + end
    reader = RequestReader(LIMIT)

    if size > LIMIT:
        with pytest.raises(MalformedError, match="over the limit of 1000 bytes"):
            read(reader, data)
    else:
        assert len(read(reader, data)) == (2 if is_whole else 0)


def test_some_line_ends_may_stand_in_front_of_a_request_and_no_more() -> None:
    head, end = read(RequestReader(LIMIT), b"\r\n" * 16 + b"GET / HTTP/1.0\r\n\r\n")
    assert isinstance(head, Head)
    assert end is END

    with pytest.raises(MalformedError, match="first line"):
        read(RequestReader(LIMIT), b"\r\n" * 18)


def test_nothing_is_held_once_it_is_told() -> None:
    reader = RequestReader(LIMIT)
    read(reader, PLAIN)

    assert reader._data == b""


@pytest.mark.parametrize(
    "framing",
    [
        b"x",
        b"5\n",
        b"5 \r\n",
        b"-1\r\n",
        b"\r\n",
        b"0" * 17,
        b"0" * 16 + b"\n",
        b"5;a=b\r\nhello\r\n",
        b"5\r\nhello!",
        b"5\r\nhello\n",
        b"5\r\nhello\r!",
        b"0\r\nX-Trailer: a\r\n\r\n",
    ],
)
def test_chunks_that_are_not_as_they_should_be_are_refused(framing: bytes) -> None:
    reader = RequestReader(LIMIT)
    read(reader, CHUNKED[: CHUNKED.index(b"5\r\n")])

    with pytest.raises(MalformedError, match=r"[Cc]hunk"):
        read(reader, framing + b"-" * 20)


def test_an_answers_head_has_a_line_for_each_header() -> None:
    headers = {"content-type": "a", "x-b": "é"}

    assert (
        head_of_answer(200, "OK", headers)
        == b"HTTP/1.1 200 OK\r\ncontent-type: a\r\nx-b: \xe9\r\n\r\n"
    )


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_a_header_of_two_lines_is_never_sent(end: str) -> None:
    with pytest.raises(ValueError, match="line end"):
        head_of_answer(200, "OK", {"x-a": f"b{end}c: d"})
