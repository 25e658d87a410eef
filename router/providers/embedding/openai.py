"""Embeddings in the OpenAI dialect: the caller's bytes with `model` edited, and the provider's as they are.

Source: https://platform.openai.com/docs/api-reference/embeddings.
"""

from collections.abc import Mapping

from router.errors import UpstreamError, UpstreamUnavailableError
from router.providers.adapter import Completion
from router.providers.embedding import form
from router.providers.openai import errors, peek
from router.values import Deployment
from router.wire.embedding_request import EmbeddingRequest
from router.wire.jsontext import MalformedJsonError


class OpenAIEmbedding:
    """See `UnaryExchange`."""

    dropped: tuple[str, ...] = ()

    def __init__(self, request: EmbeddingRequest, deployment: Deployment) -> None:
        self.http = form.request(deployment, request.edited(model=deployment.upstream_model))

    def decode_response(self, body: bytes) -> Completion:
        """See `UnaryExchange.decode_response`."""
        try:
            usage = peek.answer(body).usage
        except MalformedJsonError as exc:
            msg = f"The provider's answer is not valid JSON: {exc}."
            raise UpstreamUnavailableError(msg) from exc
        return Completion(body, usage.value() if usage else None)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """See `UnaryExchange.decode_error`."""
        return errors.decode(status, headers, body)
