"""The real transport: HTTP/1.1, one pool of connections for the short way and one for aiohttp's client.

`HTTPS_PROXY`, `NO_PROXY` and `SSL_CERT_FILE` are honoured. Compressed answers are not asked for (usage
is read on the way, and compression costs both sides more than loopback or TLS gain), but gzip and
deflate are understood within bounds, since some providers send them all the same.

Nearly all calls take the short way (`direct`); aiohttp's client takes the rest: proxies, credentials in an
address, large bodies, which it writes in parts while it reads.
"""

import asyncio
import io
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.http import HttpProcessingError
from yarl import URL

from router.errors import UpstreamDisconnectedError, UpstreamTruncatedError
from router.transport import direct
from router.transport.answer import BROKE_OFF, Readable, decoded, translated
from router.transport.seam import HttpResponse
from router.transport.upstream import Answer
from router.wire.http import HttpRequest

KEEP_ALIVE_SECONDS: Final = 15.0
"""Shorter than the idle timeout of common load balancers, so that we are the side that closes."""

LARGE: Final = 1024 * 1024
"""Bytes. A larger body is written in parts, so that the event loop runs between them."""

LINE_LIMIT: Final = 64 * 1024
"""Bytes of one header line of an answer that aiohttp's client reads; providers send long policies."""

MAX_TARGETS: Final = 4096
"""URLs that are kept worked out; more come together only where deployments change very often."""

_OWN_HEADERS: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "expect"}
)
"""What a request's framing goes by: where somebody configures one, aiohttp's client makes sense of it."""


def _payload(body: bytes) -> bytes | io.BytesIO | None:
    return io.BytesIO(body) if len(body) > LARGE else body or None


class _ClientAnswer(Readable):
    """An answer that aiohttp's client reads; see `HttpResponse`. `close` it.

    aiohttp drops a connection on malformed framing without a word to whoever reads the body, whom this wakes.
    """

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        # Nobody has to be woken whose body is in already. (A protocol without messages is false.)
        protocol = response.connection.protocol if response.connection else None
        self._closed = None if protocol is None else protocol.closed
        if self._closed is not None:
            # Connections outlive answers: this one stays, and stays one.
            self._closed.remove_done_callback(_heard)
            self._closed.add_done_callback(_heard)
            self._closed.add_done_callback(self._on_closed)

    async def read_some(self) -> bytes:
        """See `HttpResponse.read_some`."""
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientConnectionError, ConnectionError) as exc:
            raise UpstreamTruncatedError(BROKE_OFF) from exc
        except aiohttp.ClientError as exc:
            raise translated(exc) from exc

    def close(self) -> None:
        """Read no more: a connection that is not at the end of the body ends with it."""
        if self._closed is not None:
            self._closed.remove_done_callback(self._on_closed)
        self._response.close()

    def _on_closed(self, _: "asyncio.Future[None]") -> None:
        content = self._response.content
        if not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientPayloadError("the connection is gone"))


def _heard(closed: "asyncio.Future[None]") -> None:
    """Take note of how a connection has ended, which asyncio would miss."""
    if not closed.cancelled():
        closed.exception()


class _Proxies:
    """The proxies that the environment names, read once: `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`.

    aiohttp's own reading of the environment includes `~/.netrc`, which would add credentials to requests.
    """

    def __init__(self) -> None:
        self._proxies = getproxies()

    def for_url(self, url: URL) -> str | None:
        """Return the proxy for `url`; None for a direct connection."""
        proxy = self._proxies.get(url.scheme) if self._proxies else None
        return None if proxy is None or proxy_bypass(url.host or "") else proxy


class AiohttpTransport:
    """Sends requests over the network. Lives as long as the application; `close` it."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._pool: direct.Pool | None = None
        self._targets: dict[str, direct.Target | None] = {}
        self._proxies = _Proxies()
        self._is_closed = False

    def _open(self) -> tuple[aiohttp.ClientSession, direct.Pool]:
        # At the first request: they need a running loop, the object graph does not.
        if self._is_closed:
            raise UpstreamDisconnectedError("The gateway is stopping.")
        if self._session is None or self._pool is None:
            self._pool = direct.Pool(keepalive_timeout=KEEP_ALIVE_SECONDS)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                auto_decompress=False,
                max_line_size=LINE_LIMIT,
                max_field_size=LINE_LIMIT,
                skip_auto_headers=("user-agent", "accept", "content-type"),
            )
        return self._session, self._pool

    def send(self, request: HttpRequest, *, connect_timeout: float) -> "_Sending":
        """See `Transport.send`."""
        return _Sending(self, request, connect_timeout)

    async def _begin(self, request: HttpRequest, connect_timeout: float) -> Answer | _ClientAnswer:
        headers = {"accept-encoding": "identity", **request.headers}
        try:
            session, pool = self._open()
            timeout, target = _timeout(connect_timeout), self._target(request, session)
            if target is not None:
                return await direct.post(pool, target, headers, request.body, timeout)
            url = _url(request.url)
            response = await session.request(
                request.method,
                url,
                headers=headers,
                data=_payload(request.body),
                allow_redirects=False,
                proxy=self._proxies.for_url(url),
                timeout=timeout,
            )
        except (
            *(aiohttp.ClientError, HttpProcessingError),
            *(ConnectionError, TimeoutError, ValueError),
        ) as exc:
            raise translated(exc) from exc
        return _ClientAnswer(response)

    def _target(self, request: HttpRequest, session: aiohttp.ClientSession) -> direct.Target | None:
        """Return where the short way leads; None for a request that cannot take it."""
        is_plain = request.method == "POST" and len(request.body) <= LARGE
        if not is_plain or not _OWN_HEADERS.isdisjoint(request.headers):
            return None
        if request.url not in self._targets:
            if len(self._targets) >= MAX_TARGETS:
                self._targets.clear()
            url = _url(request.url)
            is_direct = url.raw_user is None and self._proxies.for_url(url) is None
            self._targets[request.url] = direct.Target(url, session) if is_direct else None
        return self._targets[request.url]

    async def close(self) -> None:
        """Close all connections, and open none any more."""
        self._is_closed = True
        self._targets.clear()
        if self._session is not None:
            await self._session.close()
        if self._pool is not None:
            await self._pool.close()


class _Sending:
    """The context of one request: entered, it gives the answer; left, it ends it."""

    __slots__ = ("_answer", "_arguments", "_transport")

    def __init__(self, transport: AiohttpTransport, *arguments: Any) -> None:
        self._transport = transport
        self._arguments: tuple[Any, ...] = arguments
        self._answer: Answer | _ClientAnswer | None = None

    async def __aenter__(self) -> HttpResponse:
        # Once it is sent, nobody holds the request: its answer may take long.
        arguments, self._arguments = self._arguments, ()
        answer = self._answer = await self._transport._begin(*arguments)  # noqa: SLF001 (its own half)
        return decoded(answer)

    async def __aexit__(self, *_: object) -> None:
        if self._answer is not None:
            # An answer read to its end has given its connection back; any other connection ends here.
            self._answer.close()


@lru_cache(maxsize=4096)
def _url(text: str) -> URL:
    # Verbatim: a handle is sent as it stands in the list.
    return URL(text, encoded=True)


@lru_cache(maxsize=64)
def _timeout(connect: float) -> aiohttp.ClientTimeout:
    # The pool has no limit, so `connect` is the time for the name and the connection alone.
    return aiohttp.ClientTimeout(total=None, connect=connect)
