"""The real transport: HTTP/1.1 by aiohttp, one session and one pool for the process.

`HTTPS_PROXY`, `NO_PROXY` and `SSL_CERT_FILE` are honoured. Compressed answers are not asked for (usage
is read on the way, and compression costs both sides more than loopback or TLS gain), but gzip and
deflate are understood within bounds, since some providers send them all the same.
"""

import asyncio
import io
import zlib
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final
from urllib.request import getproxies, proxy_bypass
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from router.errors import (
    UpstreamDisconnectedError,
    UpstreamError,
    UpstreamTruncatedError,
    UpstreamUnavailableError,
    UpstreamUnreachableError,
)
from router.wire.http import HttpRequest

KEEP_ALIVE_SECONDS: Final = 15.0
"""Shorter than the idle timeout of common load balancers, so that we are the side that closes."""

_PIECE: Final = 1024 * 1024
"""Most bytes that one step of decompression yields: a small input cannot fill the memory."""

_HEAD_LIMIT: Final = 64 * 1024
"""Bytes of one header line; providers send long policies and cookies."""

_LARGE: Final = 1024 * 1024
"""Bytes. A larger body is written in parts, so that the event loop runs between them."""


def _payload(body: bytes) -> bytes | io.BytesIO | None:
    return io.BytesIO(body) if len(body) > _LARGE else body or None


_WORDS: Final[tuple[tuple[type[Exception], type[UpstreamError], str], ...]] = (
    (aiohttp.ClientPayloadError, UpstreamTruncatedError, "The provider's answer broke off."),
    (aiohttp.ConnectionTimeoutError, UpstreamUnreachableError, "The provider cannot be reached in time."),
    (aiohttp.ClientConnectorCertificateError, UpstreamUnreachableError, "The provider's certificate is bad."),
    (aiohttp.ClientConnectorDNSError, UpstreamUnreachableError, "The provider's host is not known."),
    (aiohttp.ClientConnectorError, UpstreamUnreachableError, "The provider cannot be reached."),
    (aiohttp.ServerDisconnectedError, UpstreamDisconnectedError, "The provider hung up without an answer."),
    (aiohttp.ClientOSError, UpstreamDisconnectedError, "The connection to the provider failed."),
    (aiohttp.ClientResponseError, UpstreamUnavailableError, "The provider's answer is not valid HTTP."),
    (aiohttp.ClientError, UpstreamUnavailableError, "The request to the provider failed."),
    (ConnectionError, UpstreamDisconnectedError, "The connection to the provider failed."),
    (TimeoutError, UpstreamDisconnectedError, "The provider did not answer in time."),
    (ValueError, UpstreamUnavailableError, "The provider's address cannot be used."),
)  # fmt: skip
"""The most specific first; words that name no address, since they reach callers."""


def translated(exc: Exception) -> UpstreamError:
    """Return our error for one of aiohttp's."""
    for kind, ours, words in _WORDS:
        if isinstance(exc, kind):
            return ours(words)
    return UpstreamUnavailableError("The request to the provider failed.")


_PLAIN: Final = frozenset({"", "identity"})


@contextmanager
def _told() -> Iterator[None]:
    """Tell what goes wrong while a body is read in our words."""
    try:
        yield
    except (aiohttp.ClientConnectionError, ConnectionError) as exc:
        msg = "The provider's answer broke off."
        raise UpstreamTruncatedError(msg) from exc
    except aiohttp.ClientError as exc:
        raise translated(exc) from exc


class _Pieces:
    """The pieces of a body, up to a limit."""

    __slots__ = ("_limit", "_pieces", "_size")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._limit:
            msg = f"The provider's answer is larger than {self._limit} bytes."
            raise UpstreamUnavailableError(msg)
        self._pieces.append(piece)

    def joined(self) -> bytes:
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)


class AiohttpResponse:
    """An answer; lives as long as the `send` context that gave it."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._encoding = self.headers.get("content-encoding", "identity").strip().lower()

    async def read(self, limit: int) -> bytes:
        """See `HttpResponse.read`."""
        if self._encoding in _PLAIN:
            with _told():
                return await self._read_plain(limit)
        pieces = _Pieces(limit)
        async for piece in self.chunks():
            pieces.add(piece)
        return pieces.joined()

    async def _read_plain(self, limit: int) -> bytes:
        pieces, content = _Pieces(limit), self._response.content
        while piece := await content.readany():
            pieces.add(piece)
        return pieces.joined()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """See `HttpResponse.chunks`."""
        with _told():
            if self._encoding in _PLAIN:
                content = self._response.content
                while data := await content.readany():
                    yield data
            elif self._encoding in ("gzip", "x-gzip", "deflate"):
                async for data in self._decompressed():
                    yield data
            else:
                msg = "The provider's answer has a content encoding that was not asked for."
                raise UpstreamUnavailableError(msg)

    async def _decompressed(self) -> AsyncGenerator[bytes, None]:
        # 32: header detection, so that both gzip and zlib are read.
        inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        try:
            async for data in self._response.content.iter_any():
                while data and not inflater.eof:
                    piece = inflater.decompress(data, _PIECE)
                    data = inflater.unconsumed_tail  # noqa: PLW2901 (the rest of the same read)
                    if piece:
                        yield piece
        except zlib.error as exc:
            msg = "The provider's answer cannot be decompressed."
            raise UpstreamUnavailableError(msg) from exc
        if not inflater.eof:
            msg = "The provider's answer broke off."
            raise UpstreamTruncatedError(msg)


class _Watch:
    """Wakes the reader of an answer whose connection is gone.

    aiohttp drops a connection on malformed framing without a word to whoever reads the body. One callback per
    connection, not per answer: connections outlive answers.
    """

    def __init__(self) -> None:
        self._reading: dict[ResponseHandler, aiohttp.StreamReader] = {}
        self._known: WeakKeyDictionary[ResponseHandler, bool] = WeakKeyDictionary()

    def begin(self, response: aiohttp.ClientResponse) -> ResponseHandler | None:
        """Watch the connection of `response`; None if its body is in already."""
        protocol = response.connection.protocol if response.connection else None
        if protocol is None:
            return None
        self._reading[protocol] = response.content
        closed = None if protocol in self._known else protocol.closed
        if closed is not None:
            self._known[protocol] = True
            closed.add_done_callback(lambda future: self._on_closed(protocol, future))
        return protocol

    def end(self, protocol: ResponseHandler | None) -> None:
        """Watch no longer."""
        if protocol is not None:
            self._reading.pop(protocol, None)

    def _on_closed(self, protocol: ResponseHandler, closed: "asyncio.Future[None]") -> None:
        if not closed.cancelled():
            closed.exception()
        content = self._reading.pop(protocol, None)
        if content is not None and not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientPayloadError("the connection is gone"))


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
        self._proxies = _Proxies()
        self._watch = _Watch()

    def _open_session(self) -> aiohttp.ClientSession:
        # Made at the first request: a session needs a running loop, the object graph does not.
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                auto_decompress=False,
                max_line_size=_HEAD_LIMIT,
                max_field_size=_HEAD_LIMIT,
                skip_auto_headers=("user-agent", "accept", "content-type"),
            )
        return self._session

    def send(self, request: HttpRequest, *, connect_timeout: float) -> "_Sending":
        """See `Transport.send`."""
        return _Sending(self, request, connect_timeout)

    async def _begin(self, request: HttpRequest, connect_timeout: float) -> aiohttp.ClientResponse:
        try:
            url = _url(request.url)
            return await self._open_session().request(
                request.method,
                url,
                headers={"accept-encoding": "identity", **request.headers},
                data=_payload(request.body),
                allow_redirects=False,
                proxy=self._proxies.for_url(url),
                timeout=_timeout(connect_timeout),
            )
        except (aiohttp.ClientError, ConnectionError, TimeoutError, ValueError) as exc:
            raise translated(exc) from exc

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


class _Sending:
    """The context of one request: entered, it gives the answer; left, it ends it."""

    __slots__ = ("_arguments", "_response", "_transport", "_watched")

    def __init__(self, transport: AiohttpTransport, *arguments: Any) -> None:
        self._transport = transport
        self._arguments = arguments
        self._response: aiohttp.ClientResponse | None = None
        self._watched: ResponseHandler | None = None

    async def __aenter__(self) -> AiohttpResponse:
        response = self._response = await self._transport._begin(*self._arguments)  # noqa: SLF001 (its own half)
        self._watched = self._transport._watch.begin(response)  # noqa: SLF001 (likewise)
        return AiohttpResponse(response)

    async def __aexit__(self, *_: object) -> None:
        self._transport._watch.end(self._watched)  # noqa: SLF001 (likewise)
        if self._response is not None:
            # An answer read to its end has given its connection back; any other connection ends here.
            self._response.close()


@lru_cache(maxsize=4096)
def _url(text: str) -> URL:
    # Verbatim: a handle is sent as it stands in the list.
    return URL(text, encoded=True)


@lru_cache(maxsize=64)
def _timeout(connect: float) -> aiohttp.ClientTimeout:
    # The pool has no limit, so `connect` is the time for the name and the connection alone.
    return aiohttp.ClientTimeout(total=None, connect=connect)
