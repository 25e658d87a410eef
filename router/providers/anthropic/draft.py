"""The request under way: what was asked, what is already encoded, and what could not be carried."""

from dataclasses import dataclass, field
from typing import Any

from router.providers.anthropic.families import Family
from router.providers.fields import Members
from router.providers.names import Names

Block = dict[str, Any]
"""A content block as it goes out; values that only pass through are `msgspec.Raw`."""


@dataclass
class Draft:
    """Filled by the encoder's parts in turn; `fields` are the caller's, `body` is the provider's.

    `dropped` collects the names of fields that the target cannot honour. `json_tool` names the tool that
    stands in for `response_format` where the family has no native schema.
    """

    fields: Members
    family: Family
    body: dict[str, Any] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    tool_names: Names = field(default_factory=Names)
    tool_ids: Names = field(default_factory=Names)
    json_tool: str | None = None
