"""Cross-origin access for browsers, by configuration.

Nothing here protects the gateway: keys do. These headers only tell a browser which pages may read.
Credentials in the sense of CORS (cookies) are never allowed; a page sends its key by itself.
"""

import re
from collections.abc import Iterable, Mapping

from edge.headers import RESPONSE_HEADERS, Pairs

ANY = "*"

PREFLIGHT_SECONDS = 600
"""How long a browser may remember a preflight; Chromium caps it at two hours, others lower."""

_EXPOSED = ", ".join((*RESPONSE_HEADERS, "retry-after"))

# Header names as HTTP spells them: what is reflected can be nothing else.
_NAMES = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+(, *[!#$%&'*+\-.^_`|~0-9A-Za-z]+)*")


class CorsPolicy:
    """Which origins may read answers. Immutable; lives as long as the edge."""

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origins)
        # An answer that differs by origin must not be taken from a cache for another one.
        self._vary: Pairs = (("vary", "Origin"),) if self._origins - {ANY} else ()

    def __repr__(self) -> str:
        return f"<CorsPolicy {sorted(self._origins)}>"

    def is_preflight(self, method: str | None, headers: Mapping[str, str]) -> bool:
        """Whether a browser asks for permission, and there is any to give."""
        return (
            method == "OPTIONS"
            and bool(self._origins)
            and "origin" in headers
            and "access-control-request-method" in headers
        )

    def headers(self, origin: str | None) -> Pairs:
        """Headers for an answer to a request with this `Origin`."""
        allowed = self._allow(origin)
        if allowed is None:
            return self._vary
        return (
            ("access-control-allow-origin", allowed),
            ("access-control-expose-headers", _EXPOSED),
            *self._vary,
        )

    def preflight_headers(self, headers: Mapping[str, str], methods: Iterable[str]) -> Pairs:
        """Headers that grant a preflight, besides those of every answer; empty if it is not granted.

        The names asked for are granted as they are: SDKs send headers of their own, which change with
        each release, and what the edge does not know it ignores.
        """
        if self._allow(headers.get("origin")) is None:
            return ()
        asked = headers.get("access-control-request-headers", "")
        granted: Pairs = (
            ("access-control-allow-methods", ", ".join(sorted(methods))),
            ("access-control-max-age", str(PREFLIGHT_SECONDS)),
        )
        if _NAMES.fullmatch(asked):
            granted += (("access-control-allow-headers", asked),)
        return granted

    def _allow(self, origin: str | None) -> str | None:
        if origin is None:
            return None
        if ANY in self._origins:
            return ANY
        return origin if origin in self._origins else None
