"""What the environment may say to the transport: proxies, and no credentials."""

import asyncio
from pathlib import Path

import pytest

from router.errors import UpstreamTruncatedError, UpstreamUnavailableError
from router.transport.http import AiohttpTransport
from router.wire.http import HttpRequest
from tests.support.upstream import Connection, Request, reply, upstream

PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


async def body_of(url: str) -> bytes:
    transport = AiohttpTransport()
    try:
        async with transport.send(HttpRequest("POST", url), connect_timeout=5) as response:
            return await response.read(1000)
    finally:
        await transport.close()


async def test_a_netrc_adds_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text(
        "machine 127.0.0.1 login someone password canary\ndefault login a password b\n"
    )
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))

    async with upstream(reply(b"ok")) as provider:
        assert await body_of(provider.url) == b"ok"
        monkeypatch.setenv("HTTP_PROXY", provider.url)
        assert await body_of("http://provider.invalid/path") == b"ok"

    for sent in provider.requests:
        assert not {"authorization", "proxy-authorization"} & sent.headers.keys()


async def test_a_proxy_that_the_environment_names_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with upstream(reply(b"by proxy")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)

        assert await body_of("http://provider.invalid/path?x=1") == b"by proxy"

    assert proxy.requests[0].target == "http://provider.invalid/path?x=1"
    assert proxy.requests[0].headers["host"] == "provider.invalid"


async def test_tls_goes_through_the_proxy_as_a_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(request: Request, connection: Connection) -> None:
        await connection.raw(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")

    async with upstream(refuse) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)

        with pytest.raises(UpstreamUnavailableError):
            await body_of("https://provider.invalid/path")

    assert (proxy.requests[0].method, proxy.requests[0].target) == (
        "CONNECT",
        "provider.invalid:443",
    )


@pytest.mark.parametrize("spared", ["127.0.0.1", "other.invalid,127.0.0.1", "*"])
async def test_hosts_that_the_environment_spares_are_reached_directly(
    monkeypatch: pytest.MonkeyPatch, spared: str
) -> None:
    async with upstream(reply(b"by proxy")) as proxy, upstream(reply(b"direct")) as provider:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", spared)

        assert await body_of(provider.url) == b"direct"

    assert proxy.requests == []


@pytest.mark.parametrize("method", ["POST", "GET"], ids=["our own", "aiohttp's client"])
async def test_chunks_that_are_framed_wrongly_wake_the_reader(method: str) -> None:
    """aiohttp's client drops such a connection without a word to who reads the body."""
    is_read = asyncio.Event()

    async def broken(request: Request, connection: Connection) -> None:
        await connection.head()
        await connection.chunk(b"first")
        await is_read.wait()
        await connection.raw(b"zz\r\nsecond\r\n")
        await connection.closed_by_peer()

    async with upstream(broken) as provider:
        transport = AiohttpTransport()
        request = HttpRequest(method, provider.url)
        async with transport.send(request, connect_timeout=5) as response, asyncio.timeout(20):
            seen = await response.read_some()
            is_read.set()
            with pytest.raises(UpstreamTruncatedError):
                await response.read_some()
        await transport.close()

    assert seen == b"first"
