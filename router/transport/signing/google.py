"""Google: application default credentials, by google-auth.

Source: https://cloud.google.com/docs/authentication/application-default-credentials
"""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import google.auth
from google.auth.transport.requests import Request

from router.transport.signing.chain import with_headers
from router.wire.http import HttpRequest

SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"

STEP_SECONDS: Final = 5.0
"""For one request of the library's, to a token endpoint or the machine's metadata."""

UNSTATED_LIFE: Final = timedelta(minutes=30)
"""Of a token whose end the token endpoint does not state; Google's own last an hour."""


class GoogleChain:
    """See `Chain`."""

    def __init__(self) -> None:
        self._credentials: Any = None
        self._headers: dict[str, str] = {}
        self._expiry: datetime | None = None

    def seconds_left(self) -> float:
        """See `Chain.seconds_left`."""
        if not self._headers or self._expiry is None:
            return 0
        return (self._expiry - datetime.now(UTC)).total_seconds()

    def renew(self) -> None:
        """See `Chain.renew`."""
        if self._credentials is None:
            self._credentials, _ = google.auth.default(scopes=[SCOPE])
        credentials = self._credentials
        credentials.refresh(partial(Request(), timeout=STEP_SECONDS))
        headers: dict[str, str] = {}
        credentials.apply(headers)  # the token, and the project that pays where one is set
        expiry: datetime | None = credentials.expiry
        self._headers = {name.lower(): value for name, value in headers.items()}
        self._expiry = expiry.replace(tzinfo=UTC) if expiry else datetime.now(UTC) + UNSTATED_LIFE

    def signed(self, request: HttpRequest) -> HttpRequest:
        """See `Chain.signed`."""
        return with_headers(request, self._headers)
