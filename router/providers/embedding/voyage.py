"""Embeddings by Voyage: OpenAI's shapes with other names and without OpenAI's defaults.

- `dimensions` is `output_dimension`.
- `encoding_format` is `base64` or absent, never `float`; its bytes are OpenAI's.
- Usage states `total_tokens` alone; all of them are the prompt's.
- Token ids are not taken.

The extra fields `input_type`, `truncation`, `output_dtype` and `output_dimension` are Voyage's own and pass.
Source: https://docs.voyageai.com/reference/embeddings-api.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from router.errors import UpstreamError
from router.providers import fields
from router.providers.adapter import Completion
from router.providers.embedding import form
from router.providers.openai import errors
from router.values import Deployment, Usage
from router.wire.embedding_request import EmbeddingRequest

_NATIVE: Final = ("input_type", "truncation", "output_dtype", "output_dimension")


class _Embedding(msgspec.Struct):
    embedding: msgspec.Raw
    index: Any = None


class _Answer(msgspec.Struct):
    data: list[_Embedding]
    model: str = ""
    usage: Any = None


class VoyageEmbedding:
    """See `UnaryExchange`."""

    def __init__(self, request: EmbeddingRequest, deployment: Deployment) -> None:
        found = form.members(request)
        body: dict[str, Any] = {"model": deployment.upstream_model, "input": request.texts}
        if request.dimensions is not None:
            body["output_dimension"] = request.dimensions
        # Bytes of other numbers than floats are Voyage's own; OpenAI's are made from the numbers.
        is_float = fields.text(found.get("output_dtype"), "output_dtype") in (None, "float")
        if request.is_base64 and is_float:
            body["encoding_format"] = "base64"
        body |= {key: found[key] for key in _NATIVE if not fields.says_nothing(found.get(key))}
        self.http = form.request(deployment, body)
        self.dropped = form.others(found, _NATIVE)
        self._request = request
        self._model = deployment.upstream_model

    def decode_response(self, body: bytes) -> Completion:
        """See `UnaryExchange.decode_response`."""
        read: _Answer = form.read(body, _Answer)
        listed = read.data
        if all(type(item.index) is int for item in listed):
            listed.sort(key=lambda item: item.index)
        vectors = [form.unquoted(item.embedding) for item in listed]
        stated = form.tokens(read.usage, "prompt_tokens", "total_tokens")
        usage = None if stated is None else Usage(prompt_tokens=stated)
        return form.told(vectors, self._request, read.model or self._model, usage)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """See `UnaryExchange.decode_error`."""
        return errors.decode(status, headers, body)
