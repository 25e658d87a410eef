"""One attempt at a Bedrock deployment: what is sent, and how the answer is read.

An API key goes as a bearer token (https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use.html);
without one the request leaves here unsigned, and the transport's signer sees to it.
"""

from collections.abc import Mapping
from typing import Final

from router.errors import UpstreamError
from router.providers.adapter import Completion
from router.providers.bedrock import decode, errors
from router.providers.bedrock.decode import Context
from router.providers.bedrock.encode import encode
from router.providers.bedrock.stream import ConverseStreamDecoder
from router.values import Deployment
from router.wire.chat_request import ChatRequest
from router.wire.http import HttpRequest

_UNARY: Final = "/converse"
_STREAMED: Final = "/converse-stream"


class ConverseExchange:
    """See `Exchange`. Holds the names that were sent, so that the answer speaks the caller's own."""

    def __init__(self, request: ChatRequest, deployment: Deployment) -> None:
        encoded = encode(request, deployment)
        self.http = HttpRequest(
            "POST",
            url_of(deployment, stream=request.stream),
            _headers(deployment, stream=request.stream),
            encoded.body,
        )
        self.dropped = encoded.dropped
        self._context = Context(
            created=request.created,
            model=deployment.upstream_model,
            include_usage=request.include_usage,
            tool_names=encoded.tool_names,
            tool_ids=encoded.tool_ids,
            json_tool=encoded.json_tool,
            seed=request.body,
        )

    def decode_response(self, body: bytes) -> Completion:
        """Read the body of a 200.

        Raises:
            UpstreamError: if it cannot be read, or is a failure in disguise.

        """
        return decode.decode(body, self._context)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """Read an answer whose status is not 200. Header names are lower case."""
        return errors.decode_error(status, headers, body)

    def stream_decoder(self) -> ConverseStreamDecoder:
        """Return the decoder for the streamed body of a 200."""
        return ConverseStreamDecoder(self._context)


def url_of(deployment: Deployment, *, stream: bool) -> str:
    """Return the address, verbatim but for its end: the row names the unary call."""
    path, mark, query = deployment.url.partition("?")
    if stream and path.endswith(_UNARY):
        path = path.removesuffix(_UNARY) + _STREAMED
    return path + mark + query


def _headers(deployment: Deployment, *, stream: bool) -> dict[str, str]:
    provider = deployment.provider
    headers = {
        "content-type": "application/json",
        "accept": "application/vnd.amazon.eventstream" if stream else "application/json",
    }
    if provider.api_key and provider.key_header:
        headers[provider.key_header.lower()] = provider.api_key.reveal()
    elif provider.api_key:
        headers["authorization"] = f"Bearer {provider.api_key.reveal()}"
    return headers | {name.lower(): value for name, value in provider.headers.items()}
