"""What a credential chain is."""

from collections.abc import Mapping
from typing import Protocol

from router.wire.http import HttpRequest


class Chain(Protocol):
    """One cloud's credentials. Lives as long as the application; made and renewed in a thread."""

    def seconds_left(self) -> float:
        """How long the credential that was found can be used yet; zero or less if there is none."""
        ...

    def renew(self) -> None:
        """Find a credential, or a newer one. Blocks.

        Raises:
            Exception: whatever the vendor's library raises where it finds none.

        """
        ...

    def signed(self, request: HttpRequest) -> HttpRequest:
        """Return `request` with the credential. Does not block."""
        ...


def with_headers(request: HttpRequest, headers: Mapping[str, str]) -> HttpRequest:
    """Return `request` with more headers."""
    merged = {**request.headers, **headers}
    return HttpRequest(request.method, request.url, merged, request.body)
