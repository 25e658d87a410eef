"""Fetches a list's bytes, within limits of size, time and redirects."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from router.errors import UpstreamError
from router.registry import files
from router.registry.location import (
    NO_VALIDATORS,
    FileLocation,
    Location,
    LocationError,
    Validators,
    WebLocation,
    redirected,
)
from router.transport.seam import HttpResponse, Transport
from router.values import Secret
from router.wire.http import HttpRequest

MAX_BYTES: Final = 64 * 1024 * 1024
MAX_REDIRECTS: Final = 3
FETCH_SECONDS: Final = 10.0
"""For all of it: connecting, redirects, and the body to its end."""

MAX_VALIDATOR: Final = 1024
"""Characters. A longer ETag is no use: it would have to be kept and sent back."""

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class SourceError(Exception):
    """No list came from the source; the message says why and holds no credential."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A list as it came."""

    body: bytes
    validators: Validators = NO_VALIDATORS


class Source:
    """One source of lists. Lives as long as the registry; holds no connection of its own."""

    def __init__(
        self,
        location: Location,
        transport: Transport,
        authorization: Secret | None = None,
        *,
        connect_seconds: float = FETCH_SECONDS,
        seconds: float = FETCH_SECONDS,
    ) -> None:
        self._location = location
        self._transport = transport
        self._authorization = authorization
        self._connect_seconds = min(connect_seconds, seconds)
        self._seconds = seconds

    async def fetch(self, known: Validators = NO_VALIDATORS) -> Fetched | None:
        """Return the list; None if the source says that it is still the one that `known` came with.

        Raises:
            SourceError: if no list can be had.

        """
        try:
            async with asyncio.timeout(self._seconds):
                if isinstance(self._location, FileLocation):
                    return await asyncio.to_thread(_read_file, self._location)
                return await self._request(self._location, known)
        except TimeoutError as exc:
            raise SourceError(f"source too slow (no list within {self._seconds:g} s)") from exc
        except UpstreamError as exc:
            # The transport's words are made for providers.
            told = exc.message.replace("The provider", "the source").rstrip(".")
            raise SourceError(f"source unreachable ({told})") from exc
        except LocationError as exc:
            raise SourceError(f"source {exc}") from exc

    async def _request(self, location: WebLocation, known: Validators) -> Fetched | None:
        for _ in range(MAX_REDIRECTS + 1):
            request = HttpRequest("GET", location.url, self._headers(location, known))
            async with self._transport.send(
                request, connect_timeout=self._connect_seconds
            ) as response:
                if response.status not in _REDIRECTS:
                    return await _answer(response, known)
                location = redirected(location, response.headers.get("location", ""))
        raise SourceError(f"source redirects more than {MAX_REDIRECTS} times")

    def _headers(self, location: WebLocation, known: Validators) -> Mapping[str, str]:
        authorization = self._authorization or location.basic
        headers = {
            "accept": "application/json",
            "accept-encoding": "gzip",
            "authorization": authorization.reveal() if authorization else "",
            "if-none-match": known.etag,
            "if-modified-since": known.last_modified,
        }
        return {name: value for name, value in headers.items() if value}


async def _answer(response: HttpResponse, known: Validators) -> Fetched | None:
    if response.status == 304 and known:
        return None
    if response.status != 200:
        raise SourceError(f"source answered with status {response.status}")
    validators = Validators(
        etag=_validator(response.headers, "etag"),
        last_modified=_validator(response.headers, "last-modified"),
    )
    return Fetched(await response.read(MAX_BYTES), validators)


def _validator(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "")
    is_usable = len(value) <= MAX_VALIDATOR and value.isascii() and value.isprintable()
    return value if is_usable else ""


def _read_file(location: FileLocation) -> Fetched:
    try:
        return Fetched(files.read_regular(location.path, MAX_BYTES))
    except OSError as exc:
        raise SourceError(f"source unreadable ({files.words(exc)})") from exc
