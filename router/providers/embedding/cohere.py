"""Embeddings by Cohere's `/v2/embed`.

Numbers are always asked for as such and written in base64 here, so that the bytes are OpenAI's exactly. The
extra fields `input_type` (Cohere demands one: a text to be searched for is assumed), `truncate`,
`max_tokens`, `priority` and `embedding_types` (one type) are Cohere's own and pass.
Source: https://docs.cohere.com/reference/embed.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from router.errors import InvalidRequestError, UpstreamError
from router.providers import fields
from router.providers.adapter import Completion
from router.providers.cohere import answer, errors
from router.providers.embedding import form
from router.providers.fields import Members
from router.values import Deployment, Usage
from router.wire.embedding_request import EmbeddingRequest

DEFAULT_INPUT_TYPE: Final = "search_document"

_TYPES: Final = "embedding_types"
_OPTIONS: Final = ("input_type", "truncate", "max_tokens", "priority")

NATIVE: Final = (_TYPES, *_OPTIONS)
"""Cohere's own fields that are carried."""


class Answer(msgspec.Struct):
    """An answer by type of number, or in the older form, a bare list."""

    embeddings: dict[str, list[msgspec.Raw] | None] | list[msgspec.Raw]
    id: Any = None
    meta: Any = None


class CohereEmbedding:
    """See `UnaryExchange`."""

    def __init__(self, request: EmbeddingRequest, deployment: Deployment) -> None:
        found = form.members(request)
        body = {"model": deployment.upstream_model} | encoded(request, found)
        self.http = form.request(deployment, body)
        self.dropped = form.others(found, NATIVE)
        self._request = request
        self._model = deployment.upstream_model

    def decode_response(self, body: bytes) -> Completion:
        """See `UnaryExchange.decode_response`."""
        return decoded(body, self._request, self._model)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """See `UnaryExchange.decode_error`."""
        return errors.decode_error(status, headers, body)


def encoded(request: EmbeddingRequest, found: Members) -> dict[str, Any]:
    """Return the body of a request, without the model.

    Raises:
        InvalidRequestError: if the input is token ids, or several types of number are asked for.

    """
    types = fields.texts(found.get(_TYPES), _TYPES) or ["float"]
    if len(types) > 1:
        msg = f"'{_TYPES}' must name one type: an OpenAI client gets one embedding for each text."
        raise InvalidRequestError(msg, param=_TYPES)
    body: dict[str, Any] = {
        "texts": request.texts,
        "input_type": DEFAULT_INPUT_TYPE,
        "embedding_types": types,
    }
    if request.dimensions is not None:
        body["output_dimension"] = request.dimensions
    return body | {key: found[key] for key in _OPTIONS if not fields.says_nothing(found.get(key))}


def decoded(body: bytes, request: EmbeddingRequest, model: str) -> Completion:
    """Read the body of a 200.

    Raises:
        UpstreamUnavailableError: if it cannot be read.

    """
    read: Answer = form.read(body, Answer)
    by_type = read.embeddings
    listed = by_type.values() if isinstance(by_type, dict) else [by_type]
    # Lists of types that were not asked for are absent, null or empty.
    lists = [vectors for vectors in listed if vectors]
    if len(lists) != 1:
        raise form.unreadable()
    vectors = [form.unquoted(raw) for raw in lists[0]]
    extras = {"id": read.id} if isinstance(read.id, str) else {}
    return form.told(vectors, request, model, _usage(read.meta), extras)


def _usage(meta: Any) -> Usage | None:
    """Return the tokens that were read, or where that is not stated those that are charged for."""
    for key in ("tokens", "billed_units"):
        counts = meta.get(key) if isinstance(meta, dict) else None
        stated = answer.count(counts, "input_tokens")
        if stated is not None:
            return Usage(prompt_tokens=stated)
    return None
