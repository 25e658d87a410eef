"""What passes between HTTP headers and gRPC metadata: allow-lists both ways, all pure.

A metadata value outside printable ASCII is an error inside grpc that no status describes, so values
are checked before they are handed over. A credential that cannot be sent cannot be one of the router's
keys: it is left out, and the router, which alone knows whether keys are checked, decides.
"""

import math
import os
import re
from collections.abc import Callable, Iterable, Mapping

Pairs = tuple[tuple[str, str], ...]
"""Names and values, of headers or of metadata."""

MAX_REQUEST_ID = 128
MAX_CREDENTIAL = 4096
"""Characters. gRPC bounds the metadata of a call as a whole (8 KiB unless configured): a longer
credential would fail the call in the transport, where nothing tells why."""

DEADLINE_MARGIN = 1.0
"""Seconds that the edge waits longer than the router's own limit, so that the router speaks first."""

RESPONSE_HEADERS = (
    "x-request-id",
    "x-trunkline-provider",
    "x-trunkline-upstream-model",
    "x-trunkline-attempts",
    "x-trunkline-generation",
    "x-trunkline-cost-usd",
    "x-trunkline-dropped-params",
    "server-timing",
)
"""Metadata of an answer that becomes headers of the same name; everything else stays inside."""

_PASSED = frozenset(RESPONSE_HEADERS)
_SECONDS = re.compile(r"([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)

_JSON_TYPES = frozenset({"application/json", "application/json; charset=utf-8"})
_UTF8 = frozenset({"utf-8", "utf8"})


def is_printable(value: str) -> bool:
    """Whether a value can travel as gRPC metadata and as a header."""
    return value.isascii() and value.isprintable()


def request_id(headers: Mapping[str, str]) -> str:
    """The caller's own id if it is fit to be logged and sent on, else a new one."""
    given = headers.get("x-request-id")
    if given and len(given) <= MAX_REQUEST_ID and is_printable(given):
        return given
    return _new_id()


ID_BYTES = 16

_ids: list[str] = []


def _new_id() -> str:
    """An id that nobody guesses. Made by the hundred: asking the system costs more than all the rest."""
    if not _ids:
        noise = os.urandom(ID_BYTES * 256).hex()
        _ids.extend(noise[at : at + 2 * ID_BYTES] for at in range(0, len(noise), 2 * ID_BYTES))
    return _ids.pop()


def _is_credential(value: str) -> bool:
    return len(value) <= MAX_CREDENTIAL and is_printable(value)


def _is_flag(value: str) -> bool:
    return len(value) <= 16 and is_printable(value)


def _is_traceparent(value: str) -> bool:
    return _TRACEPARENT.fullmatch(value) is not None


_SENT: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("authorization", _is_credential),
    ("traceparent", _is_traceparent),
    ("x-trunkline-strict", _is_flag),
)


def call_metadata(headers: Mapping[str, str], own_id: str) -> Pairs:
    """What the router is told of a request besides its body."""
    sent = [("x-request-id", own_id)]
    for name, is_sendable in _SENT:
        if name in headers:
            value = headers[name]
            if is_sendable(value):
                sent.append((name, value))
    return tuple(sent)


def call_timeout(headers: Mapping[str, str], total: float) -> float:
    """Seconds for the whole call; `total` is the configured limit, which a caller can only lower.

    Raises ValueError, with a message for the caller, if `x-trunkline-timeout` is no positive number.
    """
    limit = total + DEADLINE_MARGIN
    if "x-trunkline-timeout" not in headers:
        return limit
    asked = headers["x-trunkline-timeout"]
    seconds = float(asked) if _SECONDS.fullmatch(asked) else math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError("x-trunkline-timeout must be a positive number of seconds.")
    return min(seconds, limit)


def find_media_fault(headers: Mapping[str, str]) -> str | None:
    """What is wrong with the form in which a JSON body is sent; None if nothing is."""
    coding = headers.get("content-encoding", "")
    if coding.lower() not in {"", "identity"}:
        return f"Content-Encoding {coding[:80]!r} is not supported; send the body as it is."
    given = headers.get("content-type", "").lower()
    if not given:
        # A page on a foreign site can send this without asking first (no preflight), and where no
        # keys are checked that is all it needs. Programs that leave the type out send no origin.
        return "Content-Type must be application/json." if "origin" in headers else None
    if given in _JSON_TYPES or _is_json_in_utf8(given):
        return None
    return f"Content-Type must be application/json in UTF-8, not {given[:80]!r}."


def _is_json_in_utf8(content_type: str) -> bool:
    media_type, *parameters = content_type.split(";")
    pairs = [parameter.partition("=") for parameter in parameters]
    charsets = [value.strip().strip('"') for name, _, value in pairs if name.strip() == "charset"]
    return media_type.strip() == "application/json" and _UTF8.issuperset(charsets)


def response_headers(metadata: Iterable[tuple[str, str | bytes]]) -> Pairs:
    """The metadata of an answer that a client may see. No value can break out of its header line."""
    return tuple([
        (key, value)
        for key, value in metadata
        if key in _PASSED
        and isinstance(value, str)
        and value.isascii()
        and value.isprintable()
    ])  # fmt: skip
