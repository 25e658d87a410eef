"""One attempt at an Anthropic deployment: what is sent, and how the answer is read.

Source of the headers: https://platform.claude.com/docs/en/api/versioning. `anthropic-beta` is sent only
where the provider's configured headers say so: which betas an account may use is its owner's to know.
"""

from collections.abc import Mapping

from router.errors import UpstreamError
from router.providers.adapter import Completion
from router.providers.anthropic import decode, errors, platform
from router.providers.anthropic.encode import encode
from router.providers.anthropic.stream import MessagesStreamDecoder, StreamContext
from router.values import Deployment
from router.wire.chat_request import ChatRequest
from router.wire.http import HttpRequest


class MessagesExchange:
    """See `Exchange`. Holds the names that were sent, so that the answer speaks the caller's own."""

    def __init__(self, request: ChatRequest, deployment: Deployment) -> None:
        encoded = encode(request, deployment)
        url = platform.url(deployment, stream=request.stream)
        headers = platform.headers(deployment, stream=request.stream)
        self.http = HttpRequest("POST", url, headers, encoded.body)
        self.dropped = encoded.dropped
        self._context = StreamContext(
            request.created, request.include_usage, encoded.tool_names, encoded.json_tool
        )

    def decode_response(self, body: bytes) -> Completion:
        """Read the body of a 200.

        Raises:
            UpstreamError: if it cannot be read, or is a failure in disguise.

        """
        context = self._context
        return decode.decode(body, context.created, context.names, context.json_tool)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """Read an answer whose status is not 200. Header names are lower case."""
        return errors.decode_error(status, headers, body)

    def stream_decoder(self) -> MessagesStreamDecoder:
        """Return the decoder for the streamed body of a 200."""
        return MessagesStreamDecoder(self._context)
