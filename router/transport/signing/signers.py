"""Chooses the credential chain by the provider's signer, and keeps its credentials fresh.

One renewal of a chain runs at a time, whoever waits for it. A credential that ends soon is renewed while
the old one still serves.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from router.errors import CredentialMissingError
from router.transport.signing.chain import Chain
from router.transport.signing.threads import in_thread
from router.values import Provider, Signer
from router.wire.http import HttpRequest

RENEW_AHEAD: Final = 300.0
"""Seconds; a credential that ends sooner is renewed."""

LOOKUP_SECONDS: Final = 20.0
"""For finding a credential: some chains ask several services, one after the other."""

LARGE_BODY: Final = 1024 * 1024
"""Bytes; the digest of a larger body is a thread's work."""

LOOKED_FOR: Final[Mapping[Signer, str]] = MappingProxyType({
    Signer.AWS: "an API key in AWS_BEARER_TOKEN_BEDROCK, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the "
    "profile of AWS_PROFILE, the role of a container or of an instance, and a region in the address or in "
    "AWS_REGION",
    Signer.GOOGLE: "the file of GOOGLE_APPLICATION_CREDENTIALS, the login of gcloud, the service account of "
    "the machine",
    Signer.ENTRA: "an API key in AZURE_OPENAI_API_KEY, AZURE_TENANT_ID and AZURE_CLIENT_ID with their "
    "secret or certificate, a workload or managed identity, the login of az",
})  # fmt: skip

_SCOPES: Final[Mapping[str, str]] = MappingProxyType({
    ".azure.us": "https://cognitiveservices.azure.us/.default",
    ".azure.cn": "https://cognitiveservices.azure.cn/.default",
})  # fmt: skip
"""What Entra's tokens are for in the national clouds, by the end of the host's name."""

_SCOPE: Final = "https://cognitiveservices.azure.com/.default"

Load = Callable[[Signer, str], Chain]


def load(signer: Signer, scope: str) -> Chain:
    """Return a new chain. The one place that loads the clouds' libraries; takes up to a second."""
    match signer:
        case Signer.AWS:
            from router.transport.signing.aws import AwsChain  # noqa: PLC0415 (loads botocore)

            return AwsChain()
        case Signer.GOOGLE:
            from router.transport.signing.google import GoogleChain  # noqa: PLC0415 (loads google-auth)

            return GoogleChain()
        case Signer.ENTRA:
            from router.transport.signing.entra import EntraChain  # noqa: PLC0415 (loads azure-identity)

            return EntraChain(scope)


@dataclass(slots=True)
class _Kept:
    """A chain once it is loaded, and its renewal under way."""

    chain: Chain | None = None
    renewing: asyncio.Task[None] | None = None


class Signers:
    """Authorizes requests. Lives as long as the application."""

    def __init__(self, load: Load = load, lookup_seconds: float = LOOKUP_SECONDS) -> None:
        self._load = load
        self._lookup_seconds = lookup_seconds
        self._kept: dict[tuple[Signer, str], _Kept] = {}

    async def sign(self, provider: Provider, request: HttpRequest) -> HttpRequest:
        """Return `request` with the credential of the provider's cloud.

        Raises:
            CredentialMissingError: if the chain gives no credential.

        """
        signer = provider.signer
        if signer is None:
            return request
        scope = scope_of(provider.base_url) if signer is Signer.ENTRA else ""
        kept = self._kept.setdefault((signer, scope), _Kept())
        try:
            chain = await self._fresh(kept, signer, scope)
            if len(request.body) > LARGE_BODY:
                return await in_thread(lambda: chain.signed(request), f"sign-{signer}")
            return chain.signed(request)
        except CredentialMissingError:
            raise
        except Exception as exc:
            # The library's words may repeat a secret: its kind of error has to do.
            why = "none in time" if isinstance(exc, TimeoutError) else type(exc).__name__
            msg = f"No credential for provider '{provider.name}' ({why}). Looked for: {LOOKED_FOR[signer]}."
            raise CredentialMissingError(msg) from exc

    async def _fresh(self, kept: _Kept, signer: Signer, scope: str) -> Chain:
        """Return the chain with a credential that can be used; renew it if it ends soon."""
        left = kept.chain.seconds_left() if kept.chain else 0.0
        if left < RENEW_AHEAD and kept.renewing is None:
            kept.renewing = asyncio.create_task(
                self._renew(kept, signer, scope), name=f"renew-{signer}-credential"
            )
            # While the old credential serves, nobody waits for the new one: a failure shows when it is due.
            kept.renewing.add_done_callback(lambda task: task.cancelled() or task.exception())
        if left <= 0 and kept.renewing is not None:
            async with asyncio.timeout(self._lookup_seconds):
                # One caller's end is not the end of the others' wait.
                await asyncio.shield(kept.renewing)
        if kept.chain is None:
            msg = "a chain that was renewed is loaded"
            raise AssertionError(msg)
        return kept.chain

    async def _renew(self, kept: _Kept, signer: Signer, scope: str) -> None:
        def work() -> Chain:
            chain = kept.chain or self._load(signer, scope)
            chain.renew()
            return chain

        try:
            kept.chain = await in_thread(work, f"renew-{signer}-credential")
        finally:
            kept.renewing = None


def scope_of(base_url: str) -> str:
    """Return what an Entra token for an address must be for."""
    host = urlsplit(base_url).hostname or ""
    return next((scope for end, scope in _SCOPES.items() if host.endswith(end)), _SCOPE)
