"""What each family of Cohere's models can carry: one table for the encoder and the documentation.

Sources: https://docs.cohere.com/docs/models, …/docs/reasoning, …/docs/structured-outputs, and answers
among recorded traffic.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Family:
    """One row. `thinks`: takes `thinking`, and answers with it unless told not to."""

    thinks: bool = False


_PLAIN = Family()
_THINKING = Family(thinks=True)

FAMILIES: Final[Mapping[str, Family]] = MappingProxyType({
    "command-a-reasoning": _THINKING,
    "command-a-plus": _THINKING,
    "command-a-03-2025": _PLAIN,
    "command-a-vision": _PLAIN,
    "command-a-translate": _PLAIN,
    "command-r": _PLAIN,
    "command-light": _PLAIN,
    "command-nightly": _PLAIN,
    "c4ai-": _PLAIN,
    "aya-": _PLAIN,
    "tiny-aya": _PLAIN,
})  # fmt: skip
"""Families by the beginning of their models' names."""

UNKNOWN: Final = _THINKING
"""A model that the table does not name is newer than the table."""


def family_of(model: str) -> Family:
    """Return the family of a model by its name at the provider; a path before the name does not count."""
    name = model.lower().rpartition("/")[2].removeprefix("cohere.")
    return next((family for start, family in FAMILIES.items() if name.startswith(start)), UNKNOWN)
