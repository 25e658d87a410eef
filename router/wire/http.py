"""HTTP requests as values: what an adapter makes and a transport sends."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from router.values import NO_HEADERS


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request to a provider. `url` is sent as it is; header names are lower case."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS, repr=False)
    body: bytes = field(default=b"", repr=False)
