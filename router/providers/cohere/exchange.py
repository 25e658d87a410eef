"""One attempt at a Cohere deployment: what is sent, and how the answer is read."""

from collections.abc import Mapping

from router.errors import UpstreamError
from router.providers.adapter import Completion
from router.providers.cohere import decode, errors
from router.providers.cohere.encode import encode
from router.providers.cohere.stream import CohereStreamDecoder, StreamContext
from router.providers.headers import headers
from router.values import Deployment
from router.wire.chat_request import ChatRequest
from router.wire.http import HttpRequest


class ChatExchange:
    """See `Exchange`."""

    def __init__(self, request: ChatRequest, deployment: Deployment) -> None:
        encoded = encode(request, deployment)
        accept = "text/event-stream" if request.stream else "application/json"
        self.http = HttpRequest(
            "POST", deployment.url, headers(deployment.provider, accept), encoded.body
        )
        self.dropped = encoded.dropped
        self._context = StreamContext(
            request.created, deployment.upstream_model, request.include_usage
        )

    def decode_response(self, body: bytes) -> Completion:
        """Read the body of a 200.

        Raises:
            UpstreamError: if it cannot be read, or is a failure in disguise.

        """
        return decode.decode(body, self._context.created, self._context.model)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """Read an answer whose status is not 200. Header names are lower case."""
        return errors.decode_error(status, headers, body)

    def stream_decoder(self) -> CohereStreamDecoder:
        """Return the decoder for the streamed body of a 200."""
        return CohereStreamDecoder(self._context)
