"""Answers as they arrive: read whole or in pieces, decompressed within bounds, failures in our words."""

import zlib
from collections.abc import AsyncGenerator, Mapping
from typing import Final, Protocol, Self

import aiohttp
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError

from router.errors import (
    UpstreamDisconnectedError,
    UpstreamError,
    UpstreamTruncatedError,
    UpstreamUnavailableError,
    UpstreamUnreachableError,
)
from router.transport.seam import Chunks

_PIECE: Final = 1024 * 1024
"""Most bytes that one step of decompression yields: a small input cannot fill the memory."""

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
    (HttpProcessingError, UpstreamUnavailableError, "The provider's answer is not valid HTTP."),
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


_BROKEN: Final = (aiohttp.ClientError, ConnectionError)
"""What goes wrong while a body is read."""


def _told(exc: Exception) -> UpstreamError:
    """Return our error for one of `_BROKEN`."""
    if isinstance(exc, aiohttp.ClientConnectionError | ConnectionError):
        return UpstreamTruncatedError("The provider's answer broke off.")
    return translated(exc)


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


class Arrived(Protocol):
    """An answer whose head is there, as aiohttp's client gives it, or we do."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def content(self) -> aiohttp.StreamReader: ...

    @property
    def connection(self) -> Connection | None: ...

    def close(self) -> None: ...


class _Plain:
    """The pieces of a body as it came. No generator: there is one for each open stream."""

    __slots__ = ("_content",)

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            data = await self._content.readany()
        except _BROKEN as exc:
            raise _told(exc) from exc
        if not data:
            raise StopAsyncIteration
        return data

    async def aclose(self) -> None:
        """Nothing: the answer's end is its context's."""


class AiohttpResponse:
    """An answer; lives as long as the `send` context that gave it."""

    __slots__ = ("_content", "_encoding", "headers", "status")

    def __init__(self, response: Arrived) -> None:
        self._content = response.content
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._encoding = self.headers.get("content-encoding", "identity").strip().lower()

    async def read(self, limit: int) -> bytes:
        """See `HttpResponse.read`."""
        pieces = _Pieces(limit)
        async for piece in self.chunks():
            pieces.add(piece)
        return pieces.joined()

    def chunks(self) -> Chunks:
        """See `HttpResponse.chunks`."""
        return _Plain(self._content) if self._encoding in _PLAIN else self._decoded()

    async def _decoded(self) -> AsyncGenerator[bytes, None]:
        if self._encoding not in ("gzip", "x-gzip", "deflate"):
            msg = "The provider's answer has a content encoding that was not asked for."
            raise UpstreamUnavailableError(msg)
        try:
            async for data in self._decompressed():
                yield data
        except _BROKEN as exc:
            raise _told(exc) from exc

    async def _decompressed(self) -> AsyncGenerator[bytes, None]:
        # 32: header detection, so that both gzip and zlib are read.
        inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        try:
            async for data in self._content.iter_any():
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
