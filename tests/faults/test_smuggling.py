"""Requests that two readers would see differently reach nobody, and the gateway serves on.

Each attack carries a second request that names itself: the scripted provider would record it.
"""

import ssl
from pathlib import Path

import pytest

from tests.support.gateway import Gateway
from tests.support.one_provider import request, running
from tests.support.upstream import Upstream, reply
from tests.support.wire import post, wire

ANSWER = reply({"choices": []})
HIDDEN = post({"model": "m", "messages": [{"role": "user", "content": "smuggled"}]})
CHUNK = b"%x\r\n%b\r\n" % (len(HIDDEN), HIDDEN)


def head(*lines: str | bytes, first: str = "POST /v1/chat/completions HTTP/1.1") -> bytes:
    """A request's head with these lines as they are; one with its own line end keeps it."""
    raw = [line if isinstance(line, bytes) else line.encode("latin-1") for line in lines]
    ended = [line if line.endswith(b"\n") else line + b"\r\n" for line in raw]
    usual = b"\r\nhost: x\r\ncontent-type: application/json\r\n"
    return first.encode() + usual + b"".join(ended) + b"\r\n"


CHUNKED = "transfer-encoding: chunked"
SIZE = f"content-length: {len(HIDDEN)}"

ATTACKS = {
    "a length and chunks": head("content-length: 5", CHUNKED) + b"0\r\n\r\n" + HIDDEN,
    "chunks and a length": head(CHUNKED, "content-length: 5") + b"0\r\n\r\n" + HIDDEN,
    "two lengths": head("content-length: 0", SIZE) + HIDDEN,
    "two lengths on one line": head(f"content-length: 0, {len(HIDDEN)}") + HIDDEN,
    "a length with a sign": head("content-length: +0") + HIDDEN,
    "a length below zero": head("content-length: -1") + HIDDEN,
    "a length in hexadecimal": head("content-length: 0x0") + HIDDEN,
    "a length with an underscore": head("content-length: 1_0") + HIDDEN,
    "a length in other digits": head("content-length: \u00b2") + HIDDEN,
    "no length but a blank one": head("content-length: ") + HIDDEN,
    "a length without end": head("content-length: " + "9" * 5000) + HIDDEN,
    "a folded line": head("x-a: b\r\n content-length: 0") + HIDDEN,
    "a folded coding": head("transfer-encoding:\r\n chunked") + b"0\r\n\r\n" + HIDDEN,
    "a fold in front of all": head(" x-a: b", "content-length: 0") + HIDDEN,
    "a line feed alone": head(b"x-a: b\n", "content-length: 0") + HIDDEN,
    "a hidden line": head(b"x-a: b\ncontent-length: 0") + HIDDEN,
    "a carriage return alone": head("x-a: b\rcontent-length: 0") + HIDDEN,
    "a carriage return too many": head(b"x-a: b\r\r\n", "content-length: 0") + HIDDEN,
    "an end of line feeds": head("content-length: 0")[:-4] + b"\n\n" + HIDDEN,
    "a space before the colon": head("content-length : 0") + HIDDEN,
    "a tab before the colon": head("transfer-encoding\t: chunked") + b"0\r\n\r\n" + HIDDEN,
    "a line without a colon": head("content-length 0") + HIDDEN,
    "a name with a null": head("content-length\0: 0") + HIDDEN,
    "a value with a null": head("x-a: b\0c", "content-length: 0") + HIDDEN,
    "another coding": head("transfer-encoding: xchunked") + b"0\r\n\r\n" + HIDDEN,
    "a coding on top": head("transfer-encoding: gzip, chunked") + b"0\r\n\r\n" + HIDDEN,
    "no coding": head("transfer-encoding: identity") + HIDDEN,
    "chunks twice": head(CHUNKED, CHUNKED) + b"0\r\n\r\n" + HIDDEN,
    "a coding with a vertical tab": head("transfer-encoding: \x0bchunked") + b"0\r\n\r\n" + HIDDEN,
    "chunks of an old version": head(
        CHUNKED, "connection: keep-alive", first="POST /v1/chat/completions HTTP/1.0"
    )
    + b"0\r\n\r\n"
    + HIDDEN,
    "a chunk with an extension": head(CHUNKED) + b"1;a=b\r\nx\r\n0\r\n\r\n" + HIDDEN,
    "an extension with a line feed": head(CHUNKED) + b"0;a\n\r\n\r\n" + HIDDEN,
    "a chunk with a sign": head(CHUNKED) + b"+1\r\nx\r\n0\r\n\r\n" + HIDDEN,
    "a chunk below zero": head(CHUNKED) + b"-1\r\n" + CHUNK,
    "a chunk with a prefix": head(CHUNKED) + b"0x1\r\nx\r\n0\r\n\r\n" + HIDDEN,
    "a chunk with a space": head(CHUNKED) + b"1 \r\nx\r\n0\r\n\r\n" + HIDDEN,
    "a chunk with an underscore": head(CHUNKED) + b"1_0\r\n" + CHUNK,
    "a chunk without a size": head(CHUNKED) + b"\r\n" + CHUNK,
    "a chunk that overflows": head(CHUNKED) + b"1" + b"0" * 20 + b"\r\n" + CHUNK,
    "a chunk that says too little": head(CHUNKED) + b"1\r\nxyz\r\n0\r\n\r\n" + HIDDEN,
    "a chunk ended by a line feed": head(CHUNKED) + b"1\nx\n0\n\n" + HIDDEN,
    "a size without end": head(CHUNKED) + b"0" * 5000 + b"1\r\nx\r\n0\r\n\r\n" + HIDDEN,
    "a trailer": head(CHUNKED) + b"0\r\nx-a: b\r\n\r\n" + HIDDEN,
    "two hosts": head("host: y", "content-length: 0") + HIDDEN,
    "no version": b"POST /v1/chat/completions\r\n\r\n" + HIDDEN,
    "another version": head("content-length: 0", first="POST / HTTP/2.0") + HIDDEN,
    "a preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN,
    "two spaces": head("content-length: 0", first="POST  /v1/chat/completions HTTP/1.1") + HIDDEN,
    "a tab in the first line": head(first="POST\t/v1/chat/completions HTTP/1.1") + HIDDEN,
    "a null in the target": head(first="POST /v1/\0 HTTP/1.1") + HIDDEN,
    "garbage": bytes(range(128, 256)) * 4 + b"\r\n\r\n" + HIDDEN,
}
"""Requests that are refused as malformed, each at the cost of its connection."""


async def serves_on(gateway: Gateway, provider: Upstream) -> None:
    """A request of a good client is answered, and is the only one that the provider ever saw."""
    status, _, _ = await gateway.post(request(user="good"))

    assert status == 200
    assert [seen.fields.get("user") for seen in provider.requests] == ["good"]
    assert all(b"smuggled" not in seen.body for seen in provider.requests)


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_request_that_can_be_read_in_two_ways_costs_its_connection(
    tmp_path: Path, attack: str
) -> None:
    async with running(tmp_path, ANSWER) as (started, provider), wire(started.url) as client:
        await client.send(ATTACKS[attack])
        said = await client.rest()

        assert said.count(b"HTTP/1.1 ") <= 1
        assert said == b"" or said.startswith(b"HTTP/1.1 4"), said
        await serves_on(started, provider)


ELSEWHERE = {
    "an absolute target": ("POST http://inside/v1/chat/completions HTTP/1.1", 404),
    "another scheme": ("POST file:///etc/passwd HTTP/1.1", 404),
    "an authority": ("CONNECT inside:443 HTTP/1.1", 405),
    "an asterisk": ("OPTIONS * HTTP/1.1", 404),
    "a double slash": ("POST //inside/v1/chat/completions HTTP/1.1", 404),
    "dots": ("POST /v1/models/../chat/completions HTTP/1.1", 405),
    "encoded dots": ("POST /v1/%2e%2e/v1/chat/completions HTTP/1.1", 404),
    "an encoded line end": ("POST /v1/chat/completions%0d%0ax-a:b HTTP/1.1", 404),
    "another method": ("TRACE /v1/chat/completions HTTP/1.1", 405),
}
"""First lines that ask for what is not here, and the status that says so."""


@pytest.mark.parametrize("target", ELSEWHERE)
async def test_a_target_that_is_not_a_path_of_ours_leads_nowhere(
    tmp_path: Path, target: str
) -> None:
    first, status = ELSEWHERE[target]
    body = b'{"model":"m","messages":[]}'
    async with running(tmp_path, ANSWER) as (started, provider), wire(started.url) as client:
        await client.send(head(f"content-length: {len(body)}", first=first) + body)

        assert (await client.answer()).status == status
        await serves_on(started, provider)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (("content-encoding: gzip",), 415),
        (("content-encoding: gzip", "expect: 100-continue"), 415),
        (("x-trunkline-timeout: nan",), 400),
    ],
)
async def test_the_body_of_a_refused_request_is_no_request(
    tmp_path: Path, lines: tuple[str, ...], status: int
) -> None:
    async with running(tmp_path, ANSWER) as (started, provider), wire(started.url) as client:
        await client.send(head(SIZE, *lines) + HIDDEN)

        assert (await client.answer()).status == status
        await serves_on(started, provider)


async def test_requests_that_follow_each_other_are_answered_in_order_and_each_once(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, ANSWER) as (started, provider), wire(started.url) as client:
        asked = [post(request(user=str(number))) for number in range(5)]
        await client.send(b"".join(asked) + b"GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n")

        assert [(await client.answer()).status for _ in range(6)] == [200] * 5 + [404]

    assert [seen.fields["user"] for seen in provider.requests] == list("01234")


async def test_a_body_in_good_chunks_arrives_as_it_is(tmp_path: Path) -> None:
    body = b'{"model":"m","messages":[],"user":"good"}'
    parts = b"".join(b"%X\r\n%b\r\n" % (len(p), p) for p in (body[:1], body[1:20], body[20:]))
    async with running(tmp_path, ANSWER) as (started, provider), wire(started.url) as client:
        await client.send(head(CHUNKED) + parts + b"0\r\n\r\n")

        assert (await client.answer()).status == 200

    assert [seen.fields["user"] for seen in provider.requests] == ["good"]


@pytest.mark.parametrize("name", ["x-request-id", "origin", "access-control-request-headers"])
@pytest.mark.parametrize("value", ["a%0d%0ax-evil: 1", "a\\r\\nx-evil: 1", "a\u0085x-evil: 1", "é"])
async def test_what_is_reflected_stays_within_its_line(
    tmp_path: Path, name: str, value: str
) -> None:
    origins = {"TRUNKLINE_CORS_ORIGINS": "*"}
    async with running(tmp_path, ANSWER, **origins) as (started, _), wire(started.url) as client:
        lines = {"origin": "https://a", "access-control-request-method": "POST", name: value}
        asked = [f"{key}: {text}" for key, text in lines.items()]
        await client.send(
            head(*asked, first="OPTIONS /v1/chat/completions HTTP/1.1")
            + head(*asked, first="GET /healthz HTTP/1.1")
        )
        preflight, answer = await client.answer(), await client.answer()

    assert (preflight.status, answer.status) == (204, 200)
    for headers in (preflight.headers, answer.headers):
        assert "x-evil" not in headers
        assert all(text.isascii() and text.isprintable() for text in headers.values())


async def test_a_client_that_speaks_tls_to_the_plain_port_is_closed(tmp_path: Path) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    out = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="x").do_handshake()
    async with running(tmp_path, ANSWER) as (started, provider):
        async with wire(started.url) as client:
            await client.send(out.read())
            client.writer.write_eof()
            assert await client.rest() == b""
        async with wire(started.url) as client:
            # A line end within it makes it a head, and a bad one.
            await client.send(b"\x16\x03\x01\x02\x00\x01\r\n\r\n")
            assert (await client.rest()).startswith(b"HTTP/1.1 400 ")
        await serves_on(started, provider)


async def test_a_crowd_that_sends_garbage_disturbs_nobody(tmp_path: Path) -> None:
    async with running(tmp_path, ANSWER) as (started, provider):
        for number in range(200):
            async with wire(started.url) as client:
                await client.send(bytes((number * 7 + i * i) % 256 for i in range(300)))
        await serves_on(started, provider)
        assert len(started.edge._in_flight) == 0
