"""AWS: credentials and Signature Version 4, by botocore.

The signature covers the body and the path exactly as they are sent. AWS encodes the path once more when
it checks: `%3A` on the wire is `%253A` in what is signed, and `:` is `%3A`; botocore does the same, so
either spelling of a model id is signed as it stands.
Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html,
https://boto3.amazonaws.com/v1/documentation/api/latest/guide/credentials.html (where they are looked for)
"""

import math
import re
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import NoCredentialsError, NoRegionError

from router.transport.signing.chain import with_headers
from router.wire.http import HttpRequest

SERVICE: Final = "bedrock"

RENEW_AHEAD: Final = 300
"""Seconds; a credential that ends sooner is renewed."""

_REGION: Final = re.compile(r"(?:^|\.)bedrock[a-z-]*\.([a-z]{2,4}(?:-[a-z]+)+-\d+)\.")

_UNSIGNED: Final = frozenset({"authorization"})

_SESSION: Final = MappingProxyType({
    "region": ("region", ["AWS_REGION", "AWS_DEFAULT_REGION"], None, None),
})  # fmt: skip
"""By itself botocore overlooks AWS_REGION, which every other SDK of AWS's reads, and containers set."""


class AwsChain:
    """See `Chain`."""

    def __init__(self) -> None:
        self._session = botocore.session.Session(_SESSION)
        self._credentials: Any = None
        self._frozen: Any = None
        self._region: str | None = None

    def seconds_left(self) -> float:
        """See `Chain.seconds_left`; AWS's library tells no more than whether it is time to renew."""
        if self._frozen is None:
            return 0
        credentials = self._credentials
        if not isinstance(credentials, RefreshableCredentials):
            return math.inf
        if credentials.refresh_needed(RENEW_AHEAD):
            return 0 if credentials.refresh_needed(0) else 1
        return math.inf

    def renew(self) -> None:
        """See `Chain.renew`."""
        # Keys may have been set since, but a session looks only once: without credentials it is a new one.
        if self._credentials is None:
            self._session = botocore.session.Session(_SESSION)
            self._credentials = self._session.get_credentials()
            self._region = self._default_region()
        if self._credentials is None:
            raise NoCredentialsError
        self._frozen = self._credentials.get_frozen_credentials()

    def _default_region(self) -> str | None:
        region = self._session.get_config_variable("region")
        return region if isinstance(region, str) else None

    def signed(self, request: HttpRequest) -> HttpRequest:
        """See `Chain.signed`.

        Raises:
            NoRegionError: if neither the address nor the environment names a region.

        """
        region = region_of(request.url) or self._region
        if region is None:
            raise NoRegionError
        headers = {k: v for k, v in request.headers.items() if k not in _UNSIGNED}
        made = AWSRequest(request.method, request.url, headers, request.body)
        SigV4Auth(self._frozen, SERVICE, region).add_auth(made)
        added = {name.lower(): value for name, value in made.headers.items()}
        return with_headers(request, added)


def region_of(url: str) -> str | None:
    """Return the region that an address of Bedrock's names; None for any other address."""
    found = _REGION.search(urlsplit(url).hostname or "")
    return found[1] if found else None
