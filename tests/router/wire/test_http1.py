import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.wire.http1 import HEAD_BYTES, MalformedError, Response, ResponseReader

SIZED = b"HTTP/1.1 200 OK\r\nX-One: 1\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n00a;x=y\r\n, world...\r\n0\r\nx-one: trailer\r\n\r\n"
)
INFORMED = b"HTTP/1.1 103 Early\r\nX-One: early\r\n\r\n" + SIZED


def read(*datas: bytes) -> tuple[ResponseReader, Response]:
    reader = ResponseReader()
    response = reader.begin()
    for data in datas:
        reader.feed(data)
    return reader, response


@given(st.lists(st.integers(0, len(CHUNKED)), max_size=20))
@pytest.mark.parametrize(
    ("data", "status", "body"),
    [
        (SIZED, 200, b"hello"),
        (CHUNKED, 201, b"hello, world..."),
        (INFORMED, 200, b"hello"),
    ],
)
def test_a_response_is_the_same_however_its_bytes_are_cut(
    data: bytes, status: int, body: bytes, cuts: list[int]
) -> None:
    cuts = sorted(min(cut, len(data)) for cut in cuts)
    reader, response = read(
        *[data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    )

    assert (response.status, response.size, response.take()) == (status, len(body), body)
    assert response.headers.get("x-one") == (None if status == 201 else "1")
    assert response.is_over
    assert response.keeps_alive is (status == 200)  # the other one has a trailer
    assert not reader.is_spoiled


@pytest.mark.parametrize("trailer", [b"Connection: close", b"Transfer-Encoding: gzip", b"x: y"])
def test_nothing_follows_a_response_with_trailers(trailer: bytes) -> None:
    """The parser goes by what they say, and would read the next one by it."""
    _, response = read(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
        + trailer
        + b"\r\n\r\n"
    )

    assert (response.take(), response.is_over, response.keeps_alive) == (b"ok", True, False)


def test_one_response_follows_the_other() -> None:
    reader, first = read(SIZED)
    second = reader.begin()
    reader.feed(CHUNKED)

    assert (first.take(), second.take()) == (b"hello", b"hello, world...")
    assert (first.take(), second.size) == (b"", 0)


@pytest.mark.parametrize("rest", [b"x", SIZED, b"HTTP/1.1 408 Request Timeout\r\n\r\n"])
def test_what_nobody_has_asked_for_spoils_the_connection_and_not_the_response(rest: bytes) -> None:
    reader, response = read(SIZED + rest)

    assert (response.status, response.take(), response.is_over) == (200, b"hello", True)
    assert reader.is_spoiled


@pytest.mark.parametrize(
    ("head", "keeps_alive"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0", True),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close", False),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 0", False),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive", True),
        (b"HTTP/1.1 204 No Content", True),
        (b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x", False),
        (b"HTTP/1.1 101 Switching", False),
    ],
)
def test_a_connection_is_used_again_where_the_response_allows_it(
    head: bytes, keeps_alive: bool
) -> None:
    _, response = read(head + b"\r\n\r\n")

    assert response.is_over
    assert response.keeps_alive is keeps_alive


@pytest.mark.parametrize(
    ("head", "is_complete"),
    [
        (b"HTTP/1.1 200 OK", True),
        (b"HTTP/1.0 200 OK\r\nx: y", True),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip", True),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9", False),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, Chunked", False),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked", False),
    ],
)
def test_the_end_of_the_connection_is_the_end_of_a_body_that_tells_no_other(
    head: bytes, is_complete: bool
) -> None:
    reader, response = read(head + b"\r\n\r\n", b"3\r\nabc")

    assert not response.is_over
    assert reader.finish() is is_complete
    assert response.is_over is is_complete


def test_of_repeated_headers_the_first_is_told_without_the_space_around_it() -> None:
    _, response = read(
        b"HTTP/1.1 200 OK\r\nA:  1 \t\r\na: 2\r\nEmpty:\r\nname: \xc3\xa9\r\ncontent-length: 0\r\n\r\n"
    )

    assert response.headers == {"a": "1", "empty": "", "name": "é", "content-length": "0"}


def test_lines_may_end_as_old_servers_end_them() -> None:
    _, response = read(b"HTTP/1.1 200 OK\na: 1\ncontent-length: 2\n\nok")

    assert (response.headers["a"], response.take(), response.is_over) == ("1", b"ok", True)


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\na: \0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length\t: 9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x" * 100 + b" : 9\r\n\r\n",
        b"HTTP/1.1 099 Below\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.1 000 Nothing\r\n\r\n",
    ],
)
def test_what_is_no_response_is_told(data: bytes) -> None:
    with pytest.raises(MalformedError):
        read(data)


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"),
        (b"HTTP/1.1 200 OK\r\na: ", b"bbbbbb"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;", b"extension"),
    ],
    ids=["headers", "one header", "informational", "trailers", "chunk extension"],
)
def test_bytes_that_bring_it_no_further_have_an_end(start: bytes, more: bytes) -> None:
    reader, response = read(start)
    piece = more * (10_000 // len(more))
    for _ in range(HEAD_BYTES // len(piece) - 1):
        reader.feed(piece)

    assert not response.is_over
    with pytest.raises(MalformedError, match="no further"):
        reader.feed(2 * piece)


def test_a_long_body_is_no_such_thing() -> None:
    reader, response = read(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    for _ in range(100):
        reader.feed(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
    reader.feed(b"0\r\n\r\n")

    assert response.size == 1_000_000
    assert response.is_over
