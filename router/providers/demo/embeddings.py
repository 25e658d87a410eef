"""What `demo/embed` answers: vectors of length 1, the same for the same text.

A text's vector is the sum of its words' vectors, which are made from hashes: texts that share words are
near each other, so that a search can be tried.
"""

import hashlib
import math
import re
import struct
from collections import Counter
from typing import Annotated, Any, Final

import msgspec

from router.providers.demo.request import DemoError, invalid
from router.providers.demo.wire import JSON_HEADERS, DemoAnswer, failed
from router.providers.embedding.form import to_base64

MODEL: Final = "embed"

DEFAULT_DIMENSIONS: Final = 256
MAX_DIMENSIONS: Final = 512
MAX_WORDS: Final = 4_096
"""Of all inputs of a request together: a demonstration need not be slow."""

_WORD: Final = re.compile(r"\w+")


class _Request(msgspec.Struct):
    model: str
    input: str | list[Any]
    encoding_format: str | None = None
    dimensions: Annotated[int, msgspec.Meta(ge=1, le=MAX_DIMENSIONS)] | None = None


class _Peek(msgspec.Struct):
    model: str = ""


_REQUEST: Final = msgspec.json.Decoder(_Request)
_PEEK: Final = msgspec.json.Decoder(_Peek)


def is_asked(body: bytes) -> bool:
    """Whether a request is one for embeddings, by its model."""
    try:
        return _PEEK.decode(body).model.removeprefix("demo/") == MODEL
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def answer(body: bytes) -> DemoAnswer:
    """Return the answer to an embedding request. Never raises: a request at fault gets OpenAI's error."""
    try:
        request = _parsed(body)
        texts = _texts(request.input)
        words = [[word.lower() for word in _WORD.findall(text)] for text in texts]
        count = sum(map(len, words))
        if count > MAX_WORDS:
            raise invalid(f"'input' has more than {MAX_WORDS} words.", "input")
    except DemoError as exc:
        return failed(exc)
    size = request.dimensions or DEFAULT_DIMENSIONS
    vectors: list[Any] = [_vector(each, size) for each in words]
    if request.encoding_format == "base64":
        vectors = [to_base64(vector) for vector in vectors]
    data = [
        {"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": count, "total_tokens": count}
    told = {"object": "list", "data": data, "model": request.model, "usage": usage}
    return DemoAnswer(200, JSON_HEADERS, ((0.0, msgspec.json.encode(told)),))


def _parsed(body: bytes) -> _Request:
    try:
        return _REQUEST.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        found = re.search(r"`\$\.([^`]+)`", str(exc))
        raise invalid(f"Invalid request: {exc}.", found[1] if found else None) from exc


def _texts(given: str | list[Any]) -> list[str]:
    """Return the inputs as texts; the words of one in token ids are its ids."""
    if isinstance(given, str):
        return [given]
    if given and all(isinstance(item, int) for item in given):
        return [" ".join(map(str, given))]
    if not given:
        raise invalid("'input' must not be empty.", "input")
    return [item if isinstance(item, str) else " ".join(map(str, item)) for item in given]


def _vector(words: list[str], size: int) -> list[float]:
    total = [0.0] * size
    for word, times in (Counter(words) or {"": 1}).items():
        parts = struct.unpack(f"{size}b", hashlib.shake_256(word.encode()).digest(size))
        total = [sum_ + times * part for sum_, part in zip(total, parts, strict=True)]
    length = math.hypot(*total)
    return [value / length for value in total] if length else [1.0, *total[1:]]
