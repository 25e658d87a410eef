"""Errors of OpenAI-style providers: OpenAI's shape passes whole, any other is put right.

About one such error in sixteen is worded otherwise by its provider (a bare message, `detail`, a list,
HTML, plain text). The words are kept, whatever they stand in.
Source of the shape: https://platform.openai.com/docs/guides/error-codes/api-errors
"""

import json
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

from router.errors import UpstreamError
from router.providers import failures
from router.providers.failures import Words

MAX_WORDS = 4000
"""Characters of a provider's text that is not in OpenAI's shape; a page of HTML says no more."""

_MESSAGE_KEYS = (
    "message",
    "detail",
    "msg",
    "error_message",
    "error_description",
    "title",
    "error",
    "errors",
)
"""Where providers put their words, the most telling first; a value may be nested."""  # fmt: skip

_STATUS_KEYS = ("status_code", "status", "code")
"""Where an error inside a stream states the HTTP status that it would have had."""

_STATUS_OF_WORD = {
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "insufficient_quota": 429,
    "overloaded_error": 503,
    "overloaded": 503,
    "service_unavailable": 503,
    "timeout": 504,
    "invalid_request_error": 400,
    "content_filter": 400,
    "context_length_exceeded": 400,
}
"""What the `code` or `type` of an error inside a stream means where it states no status."""


def decode(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """Return the failure that an answer with `status` means."""
    return failures.failure(status, headers, _words(_parsed(body), body, status))


def decode_in_stream(payload: bytes) -> UpstreamError:
    """Return the failure that an error frame of a stream means."""
    fields = _parsed(payload)
    error = fields.get("error") if isinstance(fields, dict) else None
    status = _stated_status(error) if isinstance(error, dict) else None
    return failures.failure(status or 502, {}, _words(fields, payload, status or 502))


def _stated_status(error: dict[str, Any]) -> int | None:
    for key in _STATUS_KEYS:
        value = error.get(key)
        if isinstance(value, int) and 400 <= value <= 599:
            return value
    for key in ("code", "type"):
        value = error.get(key)
        if isinstance(value, str) and value in _STATUS_OF_WORD:
            return _STATUS_OF_WORD[value]
    return None


def _parsed(body: bytes) -> object:
    text = body.decode("utf-8", "replace")
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value[0] if isinstance(value, list) and value else value


def _words(value: object, body: bytes, status: int) -> Words:
    error = value.get("error") if isinstance(value, dict) else None
    if (
        isinstance(value, dict)
        and isinstance(error, dict)
        and isinstance(error.get("message"), str)
    ):
        kind, param = error.get("type"), error.get("param")
        code = error.get("code", _DEFAULT_CODE.get(status))
        default_kind = _DEFAULT_TYPE.get(status, "invalid_request_error")
        kind = kind if isinstance(kind, str) else default_kind
        complete = {**error, "type": kind, "param": param, "code": code}
        return Words(
            message=error["message"],
            code=None if code is None else str(code),
            param=param if isinstance(param, str) else None,
            type=kind,
            whole=body if _is_complete(error, body) else _encoded({**value, "error": complete}),
            meaning=_meaning(error["message"]),
        )
    code = error.get("code") if isinstance(error, dict) else None
    text = _text_in(value) or f"The provider answered with status {status} and no message."
    code = code if isinstance(code, str) else None
    return Words(message=text, code=code, meaning=_meaning(text))


def _meaning(message: str) -> str | None:
    return "context_length_exceeded" if _TOO_LONG.search(message) else None


def _is_complete(error: dict[str, Any], body: bytes) -> bool:
    """Whether a body has all that OpenAI's shape needs, so that it can pass as it came."""
    if not ({"param", "code"} <= error.keys() and isinstance(error.get("type"), str)):
        return False
    return body.lstrip()[:1] == b"{" and _is_utf8(body)


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _encoded(value: dict[str, Any]) -> bytes:
    # In ASCII: a lone surrogate, cut from an emoji, has no other form.
    try:
        return json.dumps(value).encode()
    except RecursionError:
        return b""


_DEFAULT_TYPE = {429: "rate_limit_error"}
_DEFAULT_CODE = {429: "rate_limit_exceeded"}
"""What stands in for a member that a provider left out."""


def _text_in(value: object, depth: int = 0) -> str:
    """Find the words in whatever a provider sent."""
    match value:
        case str():
            return _plain(value)
        case dict() if depth < 4:
            found = (_text_in(value[k], depth + 1) for k in _MESSAGE_KEYS if value.get(k))
            only = [v for v in value.values() if isinstance(v, str)] if len(value) == 1 else []
            return (
                next(filter(None, found), "") or (only[0] if only else "") or _plain(_spelt(value))
            )
        case list() if depth < 4:
            return "; ".join(filter(None, (_text_in(item, depth + 1) for item in value[:5])))
    return ""


def _spelt(value: dict[str, Any]) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return ""


_TOO_LONG = re.compile(
    r"maximum (?:context|prompt) length|prompt too long; exceeded max context length", re.IGNORECASE
)
"""How vendors without a code for it say that a context is too long (recorded: DeepSeek, Ollama, OpenRouter,
xAI)."""

_MARKUP = re.compile(r"(?i)<(!doctype|html|body|h1|p)\b")
_UNSEEN = frozenset({"script", "style", "head"})


class _Reader(HTMLParser):
    """Collects what a page shows. Linear in the page, however it is broken."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in _UNSEEN

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in _UNSEEN and self._unseen > 0

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.words.append(data)


def _plain(text: str) -> str:
    """Return text as it reads: without markup, white space folded, of bounded length."""
    text = text[: MAX_WORDS * 10]
    if _MARKUP.search(text):
        reader = _Reader()
        reader.feed(text)
        reader.close()
        text = " ".join(reader.words)
    text = " ".join(text.split())
    return text if len(text) <= MAX_WORDS else text[:MAX_WORDS] + "…"
