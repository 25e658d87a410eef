"""Microsoft Entra ID: tokens for Azure OpenAI, by azure-identity.

Source: https://learn.microsoft.com/azure/ai-services/openai/how-to/managed-identity
"""

import time
from typing import Final

from azure.identity import DefaultAzureCredential

from router.transport.signing.chain import with_headers
from router.wire.http import HttpRequest

STEP_SECONDS: Final = 5
"""For one connection, or one read, of the library's."""


class EntraChain:
    """See `Chain`. `scope` names what the token is for."""

    def __init__(self, scope: str) -> None:
        self._scope = scope
        self._credential: DefaultAzureCredential | None = None
        self._token = ""
        self._expires = 0.0

    def seconds_left(self) -> float:
        """See `Chain.seconds_left`."""
        return self._expires - time.time() if self._token else 0

    def renew(self) -> None:
        """See `Chain.renew`."""
        if self._credential is None:
            self._credential = DefaultAzureCredential(
                connection_timeout=STEP_SECONDS, read_timeout=STEP_SECONDS, retry_total=1
            )
        found = self._credential.get_token(self._scope)
        self._token, self._expires = found.token, float(found.expires_on)

    def signed(self, request: HttpRequest) -> HttpRequest:
        """See `Chain.signed`."""
        return with_headers(request, {"authorization": f"Bearer {self._token}"})
