"""Embeddings in OpenAI's form, for dialects that word them otherwise.

A vector of numbers passes as the text that the provider wrote. In base64 it is what OpenAI gives: the
numbers as 32-bit floats, little endian, one after the other; to write them so is to round them to what
nearly every model computes with anyway.
Source: https://platform.openai.com/docs/api-reference/embeddings/object.
"""

import base64
import struct
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from router.errors import InvalidRequestError, UpstreamUnavailableError
from router.providers import fields
from router.providers.adapter import Completion
from router.providers.fields import Members
from router.providers.headers import headers
from router.values import Deployment, Usage
from router.wire import jsontext
from router.wire.embedding_request import EmbeddingRequest
from router.wire.http import HttpRequest

_MEMBERS = msgspec.json.Decoder(Members)
_NUMBERS = msgspec.json.Decoder(list[float])

STANDARD_FIELDS = frozenset({"model", "input", "encoding_format", "dimensions"})
"""OpenAI's own fields that every dialect has a reader for."""


def members(asked: EmbeddingRequest) -> Members:
    """Return the request's fields.

    Raises:
        InvalidRequestError: for well-formed JSON that cannot be held as values (a lone surrogate).

    """
    try:
        return _MEMBERS.decode(asked.body)
    except (msgspec.DecodeError, RecursionError) as exc:
        msg = f"The request cannot be translated for this model: {exc}"
        raise InvalidRequestError(msg) from exc


def others(found: Members, known: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the fields that say something and are not among `known`."""
    known = STANDARD_FIELDS.union(known)
    return tuple(
        k for k, value in found.items() if k not in known and not fields.says_nothing(value)
    )


def request(deployment: Deployment, body: Any, key_header: str | None = None) -> HttpRequest:
    """Return the request with a body of JSON, which may be its text already."""
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    sent = headers(deployment.provider, "application/json", key_header)
    return HttpRequest("POST", deployment.url, sent, data)


def read(body: bytes, kind: type[Any]) -> Any:
    """Return the body of a 200 as a value of `kind`.

    Raises:
        UpstreamUnavailableError: if it is none.

    """
    try:
        jsontext.check(body)
        return msgspec.json.decode(body, type=kind)
    except (ValueError, RecursionError) as exc:
        raise unreadable(exc) from exc


def unreadable(cause: Exception | None = None) -> UpstreamUnavailableError:
    """Return the failure for an answer that cannot be read."""
    error = UpstreamUnavailableError("The provider sent embeddings that cannot be read.")
    error.__cause__ = cause
    return error


def told(
    vectors: Iterable[Any],
    asked: EmbeddingRequest,
    model: str,
    usage: Usage | None,
    extras: Mapping[str, Any] | None = None,
) -> Completion:
    """Return the answer: each vector is the JSON of a list of numbers, or base64 that passes as it is.

    OpenAI's answer always has its usage; where the provider states none, zeros stand there and no usage is
    counted.

    Raises:
        UpstreamUnavailableError: if a vector is something else, or there is none for one of the texts.

    """
    vectors = list(vectors)
    if len(vectors) < len(asked.texts):
        raise unreadable()
    count = usage.prompt_tokens if usage else 0
    try:
        data = [
            {"object": "embedding", "index": i, "embedding": _vector(vector, asked)}
            for i, vector in enumerate(vectors)
        ]
        body = {
            "object": "list",
            "data": data,
            "model": model,
            "usage": {"prompt_tokens": count, "total_tokens": count},
            **(extras or {}),
        }
        return Completion(msgspec.json.encode(body), usage)
    except (ValueError, OverflowError, struct.error, RecursionError) as exc:
        raise unreadable(exc) from exc


def _vector(vector: Any, asked: EmbeddingRequest) -> Any:
    if isinstance(vector, str):
        return vector if asked.is_base64 else list(from_base64(vector))
    numbers = _NUMBERS.decode(vector)
    return to_base64(numbers) if asked.is_base64 else vector


def to_base64(numbers: list[float]) -> str:
    """Return numbers as OpenAI writes them in base64."""
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def from_base64(text: str) -> tuple[float, ...]:
    """Return the numbers that are written in base64.

    Raises:
        ValueError: if there are none, or what is there are no 32-bit floats.

    """
    data = base64.b64decode(text, validate=True)
    if len(data) % 4:
        raise ValueError("no whole number of 32-bit floats")
    return struct.unpack(f"<{len(data) // 4}f", data)


def unquoted(raw: msgspec.Raw) -> Any:
    """Return a vector as `told` takes it: the JSON of its numbers, or its base64."""
    return msgspec.json.decode(raw) if bytes(raw).startswith(b'"') else raw


def tokens(counts: Any, *keys: str) -> int | None:
    """Return the first of these counts that is stated."""
    for key in keys:
        value = counts.get(key) if isinstance(counts, dict) else None
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**53:
            return int(value)
    return None
