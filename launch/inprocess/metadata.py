"""Metadata as it would have travelled: what the wire refuses is refused, text and bytes come out right."""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

import grpc

_KEY: Final = re.compile(r"[0-9a-z_.-]+")

_MAX_KNOWN: Final = 256
_known: Final[set[str]] = set()
"""Legal keys of text that were met: a process uses a dozen of them, over and over."""


class Metadatum(NamedTuple):
    """One pair; `value` is bytes where the key ends in `-bin`, else printable ASCII."""

    key: str
    value: str | bytes


Metadata = tuple[Metadatum, ...]


def checked(pairs: Iterable[tuple[str, str | bytes]] | None) -> Metadata:
    """Return `pairs` as the other side reads them.

    Raises:
        grpc.aio.InternalError: if a key or a value could not be sent
            (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).

    """
    # The common case in one expression: this stands in the way of each call, three times.
    return tuple(
        [
            _metadatum(Metadatum, (key, value))
            if key in _known and value.__class__ is str and value.isascii() and value.isprintable()
            else _checked(key, value)
            for key, value in pairs or ()
        ]
    )


_metadatum: Final = tuple.__new__


def _checked(key: str, value: str | bytes) -> Metadatum:
    if not _KEY.fullmatch(key):
        raise grpc.aio.InternalError(f"Invalid metadata: {key!r} is no key.")
    if key.endswith("-bin"):
        if not isinstance(value, bytes):
            raise grpc.aio.InternalError(f"Invalid metadata: the value of {key!r} must be bytes.")
        return Metadatum(key, value)
    if len(_known) < _MAX_KNOWN:
        _known.add(key)
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if not (text.isascii() and text.isprintable()):
        raise grpc.aio.InternalError(f"Invalid metadata: the value of {key!r} is not printable.")
    return Metadatum(key, text)
