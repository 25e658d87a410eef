"""One attempt at a Gemini deployment: what is sent, and how the answer is read.

The key travels in a header, `x-goog-api-key` unless the provider says otherwise, never in the address,
where it would stand in logs. On Vertex AI there may be none: then the token of the provider's signer is
added on the way. Source: https://ai.google.dev/gemini-api/docs/api-key.
"""

from collections.abc import Mapping
from typing import Final

from router.errors import UpstreamError
from router.providers.adapter import Completion
from router.providers.gemini import decode, errors
from router.providers.gemini.address import model_in, streamed
from router.providers.gemini.choices import Context
from router.providers.gemini.encode import encode
from router.providers.gemini.stream import GenerateStreamDecoder
from router.values import Deployment
from router.wire.chat_request import ChatRequest
from router.wire.http import HttpRequest

KEY_HEADER: Final = "x-goog-api-key"


class GenerateExchange:
    """See `Exchange`. Holds the names that were sent, so that the answer speaks the caller's own."""

    def __init__(self, request: ChatRequest, deployment: Deployment) -> None:
        encoded = encode(request, deployment)
        url = streamed(deployment.url) if request.stream else deployment.url
        headers = _headers(deployment, stream=request.stream)
        self.http = HttpRequest("POST", url, headers, encoded.body)
        self.dropped = encoded.dropped
        model = model_in(deployment.path) or deployment.upstream_model
        self._context = Context(request.created, request.include_usage, model, encoded.names)

    def decode_response(self, body: bytes) -> Completion:
        """Read the body of a 200.

        Raises:
            UpstreamError: if it cannot be read, or is a failure in disguise.

        """
        return decode.decode(body, self._context)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """Read an answer whose status is not 200. Header names are lower case."""
        return errors.decode_error(status, headers, body)

    def stream_decoder(self) -> GenerateStreamDecoder:
        """Return the decoder for the streamed body of a 200."""
        return GenerateStreamDecoder(self._context)


def _headers(deployment: Deployment, *, stream: bool) -> dict[str, str]:
    headers = {
        "content-type": "application/json",
        "accept": "text/event-stream" if stream else "application/json",
    }
    provider = deployment.provider
    if provider.api_key:
        headers[provider.key_header or KEY_HEADER] = provider.api_key.reveal()
    return headers | {name.lower(): value for name, value in provider.headers.items()}
