"""Where Claude is spoken to: Anthropic's own API, or Vertex AI, which carries the same Messages.

On Vertex AI the address names the model, and the body the version that a header names elsewhere:
`/v1/projects/P/locations/L/publishers/anthropic/models/MODEL:rawPredict`, a stream at `:streamRawPredict`.
Source: https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai.
"""

import re
from typing import Final

from router.values import Deployment

ANTHROPIC_VERSION: Final = "2023-06-01"
VERTEX_VERSION: Final = "vertex-2023-10-16"

_UNARY: Final = ":rawPredict"
_STREAMED: Final = ":streamRawPredict"
_ON_VERTEX = re.compile(r"/models/([^/:?]+):(?:rawPredict|streamRawPredict)(?:\?|$)")


def model_of(deployment: Deployment) -> str:
    """Return the model's name at the platform: on Vertex AI the address decides."""
    found = _ON_VERTEX.search(deployment.path)
    return found[1] if found else deployment.upstream_model


def preamble(deployment: Deployment) -> dict[str, str]:
    """Return what the body begins with."""
    if _ON_VERTEX.search(deployment.path):
        return {"anthropic_version": VERTEX_VERSION}
    return {"model": deployment.upstream_model}


def url(deployment: Deployment, *, stream: bool) -> str:
    """Return the address to send to."""
    if stream and _ON_VERTEX.search(deployment.path):
        bare, mark, query = deployment.url.partition("?")
        return bare.removesuffix(_UNARY).removesuffix(_STREAMED) + _STREAMED + mark + query
    return deployment.url


def headers(deployment: Deployment, *, stream: bool) -> dict[str, str]:
    """Return the headers, those of the provider's configuration last."""
    provider = deployment.provider
    named = {
        "content-type": "application/json",
        "accept": "text/event-stream" if stream else "application/json",
    }
    if not _ON_VERTEX.search(deployment.path):
        named["anthropic-version"] = ANTHROPIC_VERSION
    if provider.api_key:
        named[provider.key_header or "x-api-key"] = provider.api_key.reveal()
    return named | {name.lower(): value for name, value in provider.headers.items()}
