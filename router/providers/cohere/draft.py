"""The request under way: what was asked, what is already encoded, and what could not be carried."""

from dataclasses import dataclass, field
from typing import Any

from router.providers.cohere.families import Family
from router.providers.fields import Members

Block = dict[str, Any]
"""An object as it goes out; values that only pass through are `msgspec.Raw`."""


@dataclass
class Draft:
    """Filled by the encoder's parts in turn; `fields` are the caller's, `body` is the provider's.

    `dropped` collects the names of fields that the target cannot honour, `documents` the files among the
    messages, which Cohere has a list of their own for.
    """

    fields: Members
    family: Family
    body: dict[str, Any] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    documents: list[Any] = field(default_factory=list)
