"""Takes our credentials out of what providers send, should they echo them."""

import json
from collections.abc import Iterable
from typing import Final

from router.values import Secret

MIN_LENGTH: Final = 8
"""Characters. A shorter credential (`none`, `EMPTY`) is a placeholder, and masking it would spoil answers."""

_STARS: Final = "***"


_ESCAPED_BY_SOME: Final = ("<>&", "<>&='", "<>&'+")
"""What JSON writers made for web pages spell as `\\u003c`: Go's, Gson's, .NET's."""


def _escaped(text: str, chars: str, spec: str) -> str:
    return "".join(f"\\u{ord(char):{spec}}" if char in chars else char for char in text)


class Mask:
    """Replaces each of `secrets` by `***`, as plain text and as it stands in JSON strings."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        forms: set[str] = set()
        for secret in secrets:
            text = secret.reveal()
            if len(text) >= MIN_LENGTH:
                in_json = json.dumps(text)[1:-1]
                forms |= {text, in_json, in_json.replace("/", "\\/")}
                for chars in _ESCAPED_BY_SOME:
                    forms |= {_escaped(in_json, chars, spec) for spec in ("04x", "04X")}
        # The longest first: an escaped form contains no plain one, but a key may contain another.
        self._texts = tuple(sorted(forms, key=len, reverse=True))
        self._bytes = tuple(text.encode() for text in self._texts)

    def in_bytes(self, data: bytes) -> bytes:
        """Return `data` without the secrets; the same object if there are none in it."""
        for form in self._bytes:
            if form in data:
                data = data.replace(form, _STARS.encode())
        return data

    def is_clean(self, chunks: Iterable[bytes]) -> bool:
        """Return whether no secret stands in any of `chunks`."""
        for chunk in chunks:
            for form in self._bytes:
                if form in chunk:
                    return False
        return True

    def in_text(self, text: str) -> str:
        """Return `text` without the secrets."""
        for form in self._texts:
            text = text.replace(form, _STARS)
        return text
