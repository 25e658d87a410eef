"""The real transport over real sockets: what arrives, what breaks, and in whose words."""

import asyncio
import gzip
import zlib

import aiohttp
import pytest

from router.errors import (
    UpstreamDisconnectedError,
    UpstreamError,
    UpstreamTruncatedError,
    UpstreamUnavailableError,
)
from router.transport.answer import translated
from router.transport.http import AiohttpTransport
from router.wire.http import HttpRequest
from tests.support.one_provider import PATIENCE
from tests.support.upstream import (
    Connection,
    Request,
    Script,
    drip,
    hang_up,
    reply,
    reset,
    upstream,
)

LIMIT = 1_000_000


async def fetch(url: str, limit: int = LIMIT) -> tuple[int, bytes]:
    transport = AiohttpTransport()
    try:
        async with transport.send(
            HttpRequest("POST", url, body=b"{}"), connect_timeout=5
        ) as response:
            return response.status, await response.read(limit)
    finally:
        await transport.close()


async def test_a_request_is_sent_verbatim_and_nothing_is_added_but_what_http_needs() -> None:
    async with upstream(reply(b"ok")) as provider:
        transport = AiohttpTransport()
        request = HttpRequest("POST", provider.url + "/a%2Fb/%7e?x=%20+1", {"x-one": "1"}, b"{}")
        async with transport.send(request, connect_timeout=5) as response:
            body = await response.read(LIMIT)
        await transport.close()

    sent = provider.requests[0]
    assert body == b"ok"
    assert (sent.method, sent.target, sent.body) == ("POST", "/a%2Fb/%7e?x=%20+1", b"{}")
    assert sorted(sent.headers) == ["accept-encoding", "content-length", "host", "x-one"]
    assert sent.headers["accept-encoding"] == "identity"


async def test_an_answer_read_to_its_end_gives_its_connection_back() -> None:
    async with upstream(reply(b"ok")) as provider:
        transport = AiohttpTransport()
        for _ in range(3):
            request = HttpRequest("POST", provider.url)
            async with transport.send(request, connect_timeout=5) as response:
                await response.read(LIMIT)
        await transport.close()

        assert len(provider.connections) == 1


async def test_leaving_an_answer_half_read_closes_its_connection() -> None:
    async def endless(request: Request, connection: Connection) -> None:
        await connection.head()
        await connection.chunk(b"x")
        await connection.closed_by_peer()

    async with upstream(endless) as provider:
        transport = AiohttpTransport()
        async with transport.send(HttpRequest("POST", provider.url), connect_timeout=5) as response:
            assert await response.read_some() == b"x"
        await asyncio.wait_for(provider.left.wait(), PATIENCE)
        await transport.close()


async def test_redirects_are_not_followed_and_cookies_not_kept() -> None:
    script = reply(b"", 302, location="http://127.0.0.1:1/", set_cookie="a=b")
    async with upstream(script) as provider:
        assert (await fetch(provider.url))[0] == 302
        assert "cookie" not in provider.requests[0].headers


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(b"hello" * 1000)),
        ("x-gzip", gzip.compress(b"hello" * 1000)),
        ("deflate", zlib.compress(b"hello" * 1000)),
        ("identity", b"hello" * 1000),
    ],
    ids=["gzip", "x-gzip", "deflate", "identity"],  # what is packed has the time in it
)
async def test_compressed_answers_are_understood(encoding: str, packed: bytes) -> None:
    async with upstream(reply(packed, content_encoding=encoding)) as provider:
        assert await fetch(provider.url) == (200, b"hello" * 1000)


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (
            reply(gzip.compress(b"0" * 100_000_000), content_encoding="gzip"),
            UpstreamUnavailableError,
        ),
        (reply(gzip.compress(b"hello")[:-9], content_encoding="gzip"), UpstreamTruncatedError),
        (reply(b"no gzip", content_encoding="gzip"), UpstreamUnavailableError),
        (reply(b"x", content_encoding="br"), UpstreamUnavailableError),
        (reply(b"x" * (LIMIT + 1)), UpstreamUnavailableError),
        (drip(b"half", then=hang_up), UpstreamTruncatedError),
        (drip(b"half", then=reset), UpstreamTruncatedError),
        (hang_up, UpstreamDisconnectedError),
        (reset, UpstreamDisconnectedError),
    ],
    ids=[
        "bomb",
        "cut gzip",
        "no gzip",
        "brotli",
        "large",
        "closed",
        "reset",
        "hang up",
        "reset early",
    ],
)
async def test_what_breaks_is_told_in_our_words(script: Script, kind: type[UpstreamError]) -> None:
    async with upstream(script) as provider:
        with pytest.raises(kind) as caught:
            await fetch(provider.url)

    assert type(caught.value) is kind
    assert "127.0.0.1" not in caught.value.message


async def test_garbage_is_no_answer() -> None:
    async def garbage(request: Request, connection: Connection) -> None:
        await connection.raw(b"SSH-2.0-OpenSSH\r\n\r\n")

    async with upstream(garbage) as provider:
        with pytest.raises(UpstreamUnavailableError):
            await fetch(provider.url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://no-such-host.invalid/", "nonsense"])
async def test_an_address_that_cannot_be_reached_is_a_failure(url: str) -> None:
    with pytest.raises(UpstreamUnavailableError):
        await fetch(url)


def test_every_error_of_the_library_has_words() -> None:
    """A release that brings a new kind of error is to be noticed here."""
    kinds = [
        kind
        for kind in vars(aiohttp).values()
        if isinstance(kind, type) and issubclass(kind, aiohttp.ClientError)
    ]

    for kind in kinds:
        error = kind.__new__(kind)
        assert isinstance(translated(error), UpstreamUnavailableError)
    assert len(kinds) > 10


@pytest.mark.parametrize("value", ["a\r\nx-forged: 1", "a\nx: 1", "a\rx: 1", "a\0"])
async def test_a_header_that_would_begin_another_line_is_not_sent(value: str) -> None:
    async with upstream(reply(b"ok")) as provider:
        transport = AiohttpTransport()
        request = HttpRequest("POST", provider.url, {"x-one": value}, b"{}")
        with pytest.raises(UpstreamUnavailableError):
            async with transport.send(request, connect_timeout=5):
                pass
        await transport.close()

        assert provider.requests == []


async def test_what_comes_before_the_answer_is_passed_over() -> None:
    async def informed(request: Request, connection: Connection) -> None:
        await connection.raw(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nx: 1\r\n\r\n"
        )
        await connection.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    async with upstream(informed) as provider:
        assert await fetch(provider.url) == (200, b"ok")


@pytest.mark.parametrize(("name", "value"), [("host", "other"), ("content-length", "2")])
async def test_a_header_of_the_framing_is_sent_once(name: str, value: str) -> None:
    heads: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        transport = AiohttpTransport()
        request = HttpRequest("POST", url, {name: value}, b"{}")
        async with transport.send(request, connect_timeout=5) as response:
            assert await response.read(LIMIT) == b"ok"
        await transport.close()

    assert heads[0].lower().count(f"\r\n{name}: ".encode()) == 1
    assert f"\r\n{name}: {value}\r\n".encode() in heads[0].lower()
