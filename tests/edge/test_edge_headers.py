import pytest

from edge.headers import (
    DEADLINE_MARGIN,
    MAX_CREDENTIAL,
    call_metadata,
    call_timeout,
    find_media_fault,
    request_id,
    response_headers,
)
from tests.support.headers import fields

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("given", ["a", "req 1/2:3", "x" * 128, "~!"])
def test_a_fit_request_id_is_kept(given: str) -> None:
    assert request_id(fields({"X-Request-Id": given})) == given


@pytest.mark.parametrize("given", ["", "x" * 129, "caf\xe9", "a\tb"])
def test_an_unfit_request_id_is_replaced(given: str) -> None:
    fresh = request_id(fields({"X-Request-Id": given}))

    assert fresh != given
    assert len(fresh) == 32


def test_each_request_without_an_id_gets_its_own() -> None:
    assert request_id(fields()) != request_id(fields())


def test_what_the_router_understands_is_sent_and_nothing_else() -> None:
    headers = fields(
        {
            "Authorization": "Bearer k",
            "Traceparent": TRACEPARENT,
            "X-Trunkline-Strict": "true",
            "Cookie": "a=b",
            "X-Forwarded-For": "10.0.0.1",
            "X-Api-Key": "k",
        }
    )

    assert call_metadata(headers, "id-1") == (
        ("x-request-id", "id-1"),
        ("authorization", "Bearer k"),
        ("traceparent", TRACEPARENT),
        ("x-trunkline-strict", "true"),
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Bearer caf\xe9"),
        ("Authorization", "Bearer a\tb"),
        ("Authorization", "B" * (MAX_CREDENTIAL + 1)),
        ("Traceparent", "00-zz-b7ad6b7169203331-01"),
        ("Traceparent", TRACEPARENT.upper()),
        ("Traceparent", "ff" + TRACEPARENT[2:]),
        ("Traceparent", f"00-{'0' * 32}-b7ad6b7169203331-01"),
        ("Traceparent", f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01"),
        ("X-Trunkline-Strict", "\xff"),
    ],
)
def test_a_value_that_cannot_travel_is_left_out(name: str, value: str) -> None:
    assert call_metadata(fields({name: value}), "id") == (("x-request-id", "id"),)


@pytest.mark.parametrize(
    ("asked", "seconds"), [("5", 5), ("0.25", 0.25), (".5", 0.5), ("1e1", 10), ("2.", 2)]
)
def test_a_caller_can_lower_the_deadline(asked: str, seconds: float) -> None:
    assert call_timeout(fields({"X-Trunkline-Timeout": asked}), 600) == seconds


@pytest.mark.parametrize("asked", [None, "601.5", "1e300"])
def test_no_caller_can_raise_it(asked: str | None) -> None:
    headers = fields({"X-Trunkline-Timeout": asked} if asked else {})

    assert call_timeout(headers, 600) == 600 + DEADLINE_MARGIN


@pytest.mark.parametrize(
    "asked", ["", "0", "-1", "nan", "inf", "1e999", "1_0", "5,5", "5s", "\u0665", "0x5", "+5"]
)
def test_a_deadline_must_be_a_positive_number(asked: str) -> None:
    with pytest.raises(ValueError, match="x-trunkline-timeout"):
        call_timeout(fields({"X-Trunkline-Timeout": asked}), 600)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": ""},
        {"Content-Type": "application/json"},
        {"Content-Type": "Application/JSON; charset=UTF-8"},
        {"Content-Type": 'application/json;charset="utf-8"'},
        {"Content-Type": "application/json; v=1"},
        {"Content-Encoding": "identity"},
        {"Content-Encoding": ""},
        {"Content-Type": "application/json", "Origin": "https://a.example"},
    ],
)
def test_json_in_utf8_is_accepted_and_so_is_no_type(headers: dict[str, str]) -> None:
    assert find_media_fault(fields(headers)) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/json; charset=utf-8; charset=utf-16"},
        {"Content-Type": "application/json,application/json"},
        {"Content-Type": "application/jsonp"},
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "br, identity"},
        {"Origin": "https://a.example"},
    ],
)
def test_every_other_form_is_a_fault(headers: dict[str, str]) -> None:
    assert find_media_fault(fields(headers)) is not None


def test_a_client_sees_listed_metadata_only() -> None:
    metadata = (
        ("x-trunkline-provider", "demo"),
        ("server-timing", "total;dur=1"),
        ("x-ratelimit-remaining", "1"),
        ("x-trunkline-secret", "s"),
        ("grpc-status-details-bin", b"\x00"),
        ("set-cookie", "a=b"),
    )

    assert response_headers(metadata) == (
        ("x-trunkline-provider", "demo"),
        ("server-timing", "total;dur=1"),
    )


@pytest.mark.parametrize("value", ["a\r\nset-cookie: x", "a\nb", "caf\xe9", "\x00", b"bytes"])
def test_no_value_breaks_out_of_its_header(value: str | bytes) -> None:
    assert response_headers((("x-trunkline-provider", value),)) == ()
