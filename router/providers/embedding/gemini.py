"""Embeddings by Gemini, on its own API and on Vertex AI.

A handle that ends in `:batchEmbedContents` sends any number of texts. One that ends in `:embedContent`
sends one; several go to the batch method beside it, which takes the same path. Vertex AI wants the options
in an object of their own and reads the model from the path.

`dimensions` is `outputDimensionality`; the extra fields `task_type` and `title` are Gemini's own and pass.
Some models state no usage. Sources: https://ai.google.dev/api/embeddings, the google-genai package.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import msgspec

from router.errors import UpstreamError
from router.providers import fields
from router.providers.adapter import Completion
from router.providers.embedding import form
from router.providers.gemini import errors
from router.providers.gemini.address import is_on_vertex, model_in
from router.values import Deployment, Usage
from router.wire.embedding_request import EmbeddingRequest

ONE: Final = ":embedContent"
MANY: Final = ":batchEmbedContents"

_NATIVE: Final[Mapping[str, str]] = {
    "task_type": "taskType",
    "taskType": "taskType",
    "title": "title",
}
"""Gemini's own fields, as callers may write them, and as they are sent."""


class _Values(msgspec.Struct):
    values: msgspec.Raw


class _Answer(msgspec.Struct):
    embedding: _Values | None = None
    embeddings: list[_Values] | None = None
    usageMetadata: Any = None  # noqa: N815 (the provider's name)


class GeminiEmbedding:
    """See `UnaryExchange`."""

    def __init__(self, request: EmbeddingRequest, deployment: Deployment) -> None:
        found = form.members(request)
        texts = request.texts
        bare, mark, query = deployment.url.partition("?")
        if len(texts) > 1:
            bare = re.sub(f"{ONE}$", MANY, bare)
        self._model = model_in(deployment.path) or deployment.upstream_model
        is_vertex = is_on_vertex(deployment.path)
        options = _options(request, found)
        requests = [_content(text, options, is_vertex=is_vertex) for text in texts]
        if not is_vertex:
            requests = [{"model": f"models/{self._model}", **each} for each in requests]
        body = {"requests": requests} if bare.endswith(MANY) else requests[0]
        made = form.request(deployment, body, None if is_vertex else "x-goog-api-key")
        self.http = replace(made, url=bare + mark + query)
        self.dropped = form.others(found, _NATIVE)
        self._request = request

    def decode_response(self, body: bytes) -> Completion:
        """See `UnaryExchange.decode_response`."""
        read: _Answer = form.read(body, _Answer)
        listed = [read.embedding] if read.embedding else read.embeddings
        if listed is None:
            raise form.unreadable()
        stated = form.tokens(read.usageMetadata, "promptTokenCount", "totalTokenCount")
        usage = None if stated is None else Usage(prompt_tokens=stated)
        return form.told([each.values for each in listed], self._request, self._model, usage)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """See `UnaryExchange.decode_error`."""
        return errors.decode_error(status, headers, body)


def _options(request: EmbeddingRequest, found: fields.Members) -> dict[str, Any]:
    options: dict[str, Any] = {
        sent: found[key] for key, sent in _NATIVE.items() if not fields.says_nothing(found.get(key))
    }
    if request.dimensions is not None:
        options["outputDimensionality"] = request.dimensions
    return options


def _content(text: str, options: dict[str, Any], *, is_vertex: bool) -> dict[str, Any]:
    content = {"content": {"parts": [{"text": text}]}}
    if is_vertex:
        return content | ({"embedContentConfig": options} if options else {})
    return content | options
