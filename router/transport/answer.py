"""What answers have in common: read whole, decompressed within bounds, failures in our words."""

import asyncio
import zlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping
from typing import Final

import aiohttp
from aiohttp.http import HttpProcessingError

from router.errors import (
    UpstreamDisconnectedError,
    UpstreamError,
    UpstreamTruncatedError,
    UpstreamUnavailableError,
    UpstreamUnreachableError,
)
from router.transport.seam import HttpResponse

BROKE_OFF: Final = "The provider's answer broke off."
HUNG_UP: Final = "The provider hung up without an answer."
FAILED: Final = "The connection to the provider failed."
NOT_HTTP: Final = "The provider's answer is not valid HTTP."

_PIECE: Final = 1024 * 1024
"""Most bytes that one step of decompression yields: a small input cannot fill the memory."""

_WORDS: Final[tuple[tuple[type[Exception], type[UpstreamError], str], ...]] = (
    (aiohttp.ClientPayloadError, UpstreamTruncatedError, BROKE_OFF),
    (aiohttp.ConnectionTimeoutError, UpstreamUnreachableError, "The provider cannot be reached in time."),
    (aiohttp.ClientConnectorCertificateError, UpstreamUnreachableError, "The provider's certificate is bad."),
    (aiohttp.ClientConnectorDNSError, UpstreamUnreachableError, "The provider's host is not known."),
    (aiohttp.ClientConnectorError, UpstreamUnreachableError, "The provider cannot be reached."),
    (aiohttp.ServerDisconnectedError, UpstreamDisconnectedError, HUNG_UP),
    (aiohttp.ClientOSError, UpstreamDisconnectedError, FAILED),
    (aiohttp.ClientResponseError, UpstreamUnavailableError, NOT_HTTP),
    (aiohttp.ClientError, UpstreamUnavailableError, "The request to the provider failed."),
    (HttpProcessingError, UpstreamUnavailableError, NOT_HTTP),
    (ConnectionError, UpstreamDisconnectedError, FAILED),
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


class Readable(ABC):
    """What gives its body as it comes, and so can give it whole; see `HttpResponse`."""

    __slots__ = ()

    @abstractmethod
    def read_some(self) -> Awaitable[bytes]:
        """See `HttpResponse.read_some`."""

    async def read(self, limit: int) -> bytes:
        """See `HttpResponse.read`."""
        pieces: list[bytes] = []
        size = 0
        while piece := await self.read_some():
            size += len(piece)
            if size > limit:
                msg = f"The provider's answer is larger than {limit} bytes."
                raise UpstreamUnavailableError(msg)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


_ZIPPED: Final = frozenset({"gzip", "x-gzip", "deflate"})


def decoded(answer: HttpResponse) -> HttpResponse:
    """Return `answer` with its content encoding undone."""
    encoding = answer.headers.get("content-encoding")
    if encoding is None or (encoding := encoding.strip().lower()) in ("", "identity"):
        return answer
    return _Inflated(answer, is_known=encoding in _ZIPPED)


class _Inflated(Readable):
    """A compressed answer, as it was before."""

    __slots__ = ("_answer", "_inflater", "_is_known", "_rest", "headers", "status")

    def __init__(self, answer: HttpResponse, *, is_known: bool) -> None:
        self.status = answer.status
        self.headers: Mapping[str, str] = answer.headers
        self._answer = answer
        self._is_known = is_known
        # 32: header detection, so that both gzip and zlib are read.
        self._inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        self._rest = b""

    async def read_some(self) -> bytes:
        """See `HttpResponse.read_some`."""
        if not self._is_known:
            msg = "The provider's answer has a content encoding that was not asked for."
            raise UpstreamUnavailableError(msg)
        inflater = self._inflater
        while not inflater.eof:
            if self._rest:
                await asyncio.sleep(0)  # others get their turn while much is made of little
            data = self._rest or await self._answer.read_some()
            if not data:
                raise UpstreamTruncatedError(BROKE_OFF)
            try:
                piece = inflater.decompress(data, _PIECE)
            except zlib.error as exc:
                msg = "The provider's answer cannot be decompressed."
                raise UpstreamUnavailableError(msg) from exc
            self._rest = inflater.unconsumed_tail
            if piece:
                return piece
        while await self._answer.read_some():
            pass  # what stands behind the end means nothing
        return b""
