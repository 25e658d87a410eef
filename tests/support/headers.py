"""Headers as handlers get them."""

from collections.abc import Mapping


def fields(headers: Mapping[str, str] | None = None) -> dict[str, str]:
    """A plain dictionary, names in lower case."""
    return {name.lower(): value for name, value in (headers or {}).items()}
