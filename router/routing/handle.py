"""A row's handle: `/<provider>/<path on that provider>`, as `contract.md` defines it."""

import re
from dataclasses import dataclass

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
    """A way for a path to end, and what it tells. `dialect` None: known, but not spoken yet."""

    suffix: str
    name: str
    dialect: Dialect | None
    endpoint: Endpoint = Endpoint.CHAT


_ENDINGS = (
    _Ending("/chat/completions", "openai", Dialect.OPENAI),
    _Ending("/messages", "anthropic", Dialect.ANTHROPIC),
    _Ending("/embeddings", "openai", Dialect.OPENAI, Endpoint.EMBEDDINGS),
    _Ending(":generateContent", "gemini", None),
    _Ending("/converse", "bedrock", None),
    _Ending("/v2/chat", "cohere", None),
)


def language_of(path: str, configured: Dialect | None) -> tuple[Dialect, Endpoint]:
    """Return the dialect and the endpoint that `path` names; a configured dialect decides alone.

    Raises:
        HandleError: if the dialect is unknown or not spoken yet.

    """
    bare = path.partition("?")[0]
    ending = next((e for e in _ENDINGS if bare.endswith(e.suffix)), None)
    if configured is not None:
        return configured, ending.endpoint if ending else Endpoint.CHAT
    if ending is None:
        known = ", ".join(f"…{e.suffix}" for e in _ENDINGS if e.dialect)
        msg = f"the path's end tells no known dialect (known: {known}); set …__DIALECT"
        raise HandleError(msg)
    if ending.dialect is None:
        msg = f"dialect '{ending.name}' is not supported"
        raise HandleError(msg)
    return ending.dialect, ending.endpoint
