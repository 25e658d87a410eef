"""A row's handle: `/<provider>/<path on that provider>`, as `contract.md` defines it."""

import re
from dataclasses import dataclass

from router.providers.dialects import SPOKEN
from router.values import Dialect, Endpoint


class HandleError(ValueError):
    """The handle cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Handle:
    """A handle taken apart. `path` is verbatim, with its query, and begins with a slash."""

    provider: str
    path: str


_HANDLE = re.compile(r"/([A-Za-z0-9][A-Za-z0-9._-]{0,62})(/[\x21-\x7e]*)")
_FORBIDDEN = re.compile(r"[#\\\"<>^`{|}]")


def parse(text: str) -> Handle:
    """Take a handle apart.

    Raises:
        HandleError: if it is not `/<provider>/<path>` in printable ASCII, or climbs with dot segments.

    """
    match = _HANDLE.fullmatch(text)
    if match is None:
        msg = "handle must be '/<provider>/<path>' in printable ASCII without spaces"
        raise HandleError(msg)
    path = match[2]
    if _FORBIDDEN.search(path):
        msg = "handle has a character that a URL cannot carry as it is"
        raise HandleError(msg)
    if any(part in (".", "..") for part in path.partition("?")[0].split("/")):
        msg = "handle has a dot segment"
        raise HandleError(msg)
    return Handle(match[1], path)


@dataclass(frozen=True, slots=True)
class _Ending:
    """A way for a path to end, and what it tells; `within`: what the path must have in it besides."""

    suffix: str
    dialect: Dialect
    endpoint: Endpoint = Endpoint.CHAT
    within: str = ""


_ENDINGS = (
    _Ending("/chat/completions", Dialect.OPENAI),
    _Ending("/messages", Dialect.ANTHROPIC),
    _Ending(":generateContent", Dialect.GEMINI),
    _Ending(":rawPredict", Dialect.ANTHROPIC, within="/publishers/anthropic/"),
    _Ending("/converse", Dialect.BEDROCK),
    _Ending("/v2/chat", Dialect.COHERE),
    _Ending("/embeddings", Dialect.OPENAI, Endpoint.EMBEDDINGS),
    _Ending("/v2/embed", Dialect.COHERE, Endpoint.EMBEDDINGS),
    _Ending(":embedContent", Dialect.GEMINI, Endpoint.EMBEDDINGS),
    _Ending(":batchEmbedContents", Dialect.GEMINI, Endpoint.EMBEDDINGS),
    _Ending("/invoke", Dialect.BEDROCK, Endpoint.EMBEDDINGS, within="titan-embed"),
    _Ending("/invoke", Dialect.BEDROCK, Endpoint.EMBEDDINGS, within="cohere.embed"),
)


def language_of(path: str, configured: Dialect | None) -> tuple[Dialect, Endpoint]:
    """Return the dialect and the endpoint that `path` names; a configured dialect decides alone.

    Raises:
        HandleError: if the dialect is unknown, or not spoken at that endpoint.

    """
    bare = path.partition("?")[0]
    found = (e for e in _ENDINGS if bare.endswith(e.suffix) and e.within in bare)
    ending = next(found, None)
    if ending is None and configured is None:
        known = ", ".join(dict.fromkeys(f"…{e.suffix}" for e in _ENDINGS))
        msg = f"the path's end tells no known dialect (known: {known}); set …__DIALECT"
        raise HandleError(msg)
    endpoint = ending.endpoint if ending else Endpoint.CHAT
    dialect = configured or (ending.dialect if ending else Dialect.OPENAI)
    if dialect not in SPOKEN[endpoint]:
        msg = f"dialect '{dialect}' is not supported for {endpoint}"
        raise HandleError(msg)
    return dialect, endpoint
