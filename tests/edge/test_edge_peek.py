import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.peek import wants_stream


@pytest.mark.parametrize(
    "body",
    [
        b'{"stream":true}',
        b' {"messages":[{"a":[1,{"stream":false}]}], "stream" : true , "x":null}\n',
        b'{"str\\u0065am":true}',
        # What is wrong elsewhere the router finds, before its first message.
        b'{"stream":false,"stream":true}',
        b'{"stream":true,"x":"\xff"}',
        b'{"x":"\\ud83d","stream":true}',
    ],
)
def test_a_stream_is_wanted_where_stream_is_true(body: bytes) -> None:
    assert wants_stream(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"stream":false}',
        b'{"stream":null}',
        b'{"stream":1}',
        b'{"stream":"true"}',
        b'{"a":{"stream":true}}',
        b'[{"stream":true}]',
        b'{"stream":true',
        b'{"stream":true} x',
        b'{"stream":true,"x":' + b"[" * 100_000,
        b"\xef\xbb\xbf",
        b"null",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_any_doubt_means_no(body: bytes) -> None:
    assert not wants_stream(body)


@given(st.binary())
def test_no_body_raises(body: bytes) -> None:
    assert not wants_stream(body)
