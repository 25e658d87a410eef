"""Embeddings by models on AWS Bedrock, which the path names: `/model/<id>/invoke`.

Amazon Titan takes one text a call, and answers for one. Several texts would be several calls, each with
its own bill and its own way to fail; that is the caller's to decide, so they are a 400 that says so.
Cohere's models take many and speak Cohere's own language, without the model's name.

Extra fields: Titan's own `normalize` passes, as do Cohere's for Cohere. The token count of Cohere's models
stands in a response header alone, which an answer's reader does not see: no usage is stated.
Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html,
…/model-parameters-embed.html.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from router.errors import InvalidRequestError, UpstreamError
from router.providers import fields
from router.providers.adapter import Completion, UnaryExchange
from router.providers.bedrock import errors
from router.providers.embedding import cohere, form
from router.values import Deployment, Usage
from router.wire.embedding_request import EmbeddingRequest

_COHERE: Final = "cohere.embed"
_FIRST_TITAN: Final = ("titan-embed-text-v1", "titan-embed-g1-text")
"""Models that take nothing but the text."""
_IMAGE_TITAN: Final = "titan-embed-image"
"""Takes a length in an object of its own, and no `normalize`."""

_NATIVE: Final = "normalize"


class _TitanAnswer(msgspec.Struct):
    embedding: msgspec.Raw
    inputTextTokenCount: Any = None  # noqa: N815 (the provider's name)


def bedrock_embedding(request: EmbeddingRequest, deployment: Deployment) -> UnaryExchange:
    """Translate `request` for `deployment`; see `Embedder`.

    Raises:
        InvalidRequestError: if the model cannot carry the request's input.

    """
    kind = _CohereOnBedrock if _COHERE in deployment.path else _Titan
    return kind(request, deployment)


class _Titan:
    """See `UnaryExchange`."""

    def __init__(self, request: EmbeddingRequest, deployment: Deployment) -> None:
        if len(request.texts) > 1:
            msg = "This model takes one text at a time: 'input' must be one text."
            raise InvalidRequestError(msg, param="input")
        found = form.members(request)
        body: dict[str, Any] = {"inputText": request.texts[0]}
        self.dropped = form.others(found, (_NATIVE,))
        for name in ("dimensions", _NATIVE):
            if fields.says_nothing(found.get(name)):
                continue
            sent = _titan_option(name, found[name], deployment.path)
            self.dropped += () if sent else (name,)
            body |= sent
        self.http = form.request(deployment, body)
        self._request = request
        self._model = deployment.upstream_model

    def decode_response(self, body: bytes) -> Completion:
        """See `UnaryExchange.decode_response`."""
        read: _TitanAnswer = form.read(body, _TitanAnswer)
        stated = form.tokens({"count": read.inputTextTokenCount}, "count")
        usage = None if stated is None else Usage(prompt_tokens=stated)
        return form.told([read.embedding], self._request, self._model, usage)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """See `UnaryExchange.decode_error`."""
        return errors.decode_error(status, headers, body)


def _titan_option(name: str, value: msgspec.Raw, path: str) -> dict[str, Any]:
    """Return an option as the model in `path` takes it; empty where it takes none of that name."""
    if any(first in path for first in _FIRST_TITAN):
        return {}
    if _IMAGE_TITAN in path:
        return {"embeddingConfig": {"outputEmbeddingLength": value}} if name == "dimensions" else {}
    return {name: value}


class _CohereOnBedrock:
    """See `UnaryExchange`."""

    def __init__(self, request: EmbeddingRequest, deployment: Deployment) -> None:
        found = form.members(request)
        self.http = form.request(deployment, cohere.encoded(request, found))
        self.dropped = form.others(found, cohere.NATIVE)
        self._request = request
        self._model = deployment.upstream_model

    def decode_response(self, body: bytes) -> Completion:
        """See `UnaryExchange.decode_response`."""
        return cohere.decoded(body, self._request, self._model)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """See `UnaryExchange.decode_error`."""
        return errors.decode_error(status, headers, body)
