"""Where a list comes from: an address on the web, or a file, and the versions of what lies there. Pure."""

import base64
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit
from urllib.request import url2pathname

from router.values import Secret

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_URL_CHARACTERS: Final = "!#$%&'()*+,/:;=?@[]~"
"""What `quote` leaves as it is: the characters that have a meaning in a URL already."""


class LocationError(ValueError):
    """No list can come from there; the message says why and holds no credential."""


@dataclass(frozen=True, slots=True)
class WebLocation:
    """An http(s) address. `url` has neither userinfo nor fragment; its query may hold a credential.

    `basic` is the authorization that the userinfo stands for.
    """

    url: str = field(repr=False)
    basic: Secret | None = None

    @property
    def shown(self) -> str:
        """The address as it may stand in messages."""
        return masked(self.url)

    @property
    def identity(self) -> str:
        """What tells this source from others."""
        return self.url


@dataclass(frozen=True, slots=True)
class FileLocation:
    """A file, by its absolute path."""

    path: Path

    @property
    def shown(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def identity(self) -> str:
        """What tells this source from others."""
        return self.path.as_uri()


Location = WebLocation | FileLocation


@dataclass(frozen=True, slots=True)
class Validators:
    """What the source said of the list's version, to ask whether it has changed; empty if nothing."""

    etag: str = ""
    last_modified: str = ""

    def __bool__(self) -> bool:
        return bool(self.etag or self.last_modified)


NO_VALIDATORS: Final = Validators()


def masked(url: str) -> str:
    """Return a URL without what may be secret in it: userinfo and query."""
    url, _, query = url.partition("#")[0].partition("?")
    url = re.sub(r"(?<=//)[^/]*@", "***@", url)
    return f"{url}?***" if query else url


def locate(text: str) -> Location:
    """Read a source as configured: `http(s)://…`, `file://…` or a path.

    Raises:
        LocationError: if it is none of these.

    """
    match = _SCHEME.match(text)
    if match is None:
        if not text or "\0" in text:
            raise LocationError("not a path")
        return FileLocation(Path(text).absolute())
    scheme = match[1].lower()
    if scheme == "file":
        return _file(text)
    if scheme not in _DEFAULT_PORTS:
        raise LocationError(f"unknown scheme '{scheme}'")
    return _web(text)


def _file(text: str) -> FileLocation:
    parts = urlsplit(text)
    path = url2pathname(parts.path)
    if parts.netloc not in ("", "localhost") or not path or "\0" in path:
        raise LocationError("a file URL must be file:///<absolute path>")
    return FileLocation(Path(path).absolute())


def _web(text: str) -> WebLocation:
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise LocationError("a URL must be printable ASCII without spaces")
    parts = _split(text)
    userinfo, _, host = parts.netloc.rpartition("@")
    url = parts._replace(netloc=host, path=parts.path or "/", fragment="").geturl()
    return WebLocation(url, _basic(userinfo) if userinfo else None)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        has_port = parts.port != 0
    except ValueError as exc:
        raise LocationError("not a valid URL") from exc
    if not parts.hostname or not has_port:
        raise LocationError("not a valid URL")
    return parts


def _basic(userinfo: str) -> Secret:
    user, _, password = userinfo.partition(":")
    pair = f"{unquote(user)}:{unquote(password)}".encode()
    return Secret("Basic " + base64.b64encode(pair).decode())


def redirected(at: WebLocation, target: str) -> WebLocation:
    """Return where a redirect from `at` leads; credentials stay those of `at`.

    Raises:
        LocationError: if it leaves the host, its port or TLS.

    """
    try:
        url = urljoin(at.url, quote(target, safe=_URL_CHARACTERS))
        before, after = _split(at.url), _split(url)
    except ValueError as exc:
        raise LocationError("redirects to something that is not a valid URL") from exc
    if after.scheme not in _DEFAULT_PORTS:
        raise LocationError("redirects to something that is not http or https")
    if after.hostname != before.hostname:
        raise LocationError(f"redirects to another host ('{after.hostname}')")
    if (before.scheme, after.scheme) == ("https", "http"):
        raise LocationError("redirects from https to http")
    if not _keeps_port(before, after):
        raise LocationError(f"redirects to another port ({_port(after)})")
    return replace(_web(url), basic=at.basic)


def _keeps_port(before: SplitResult, after: SplitResult) -> bool:
    is_upgrade = (_port(before), _port(after)) == (80, 443) and after.scheme == "https"
    return is_upgrade or _port(before) == _port(after)


def _port(parts: SplitResult) -> int:
    return parts.port or _DEFAULT_PORTS[parts.scheme]
