"""The request under way: what was asked, what is already encoded, and what could not be carried."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

from router.providers.bedrock.families import Family
from router.providers.fields import Members
from router.providers.names import COMMON_CHARACTERS, Names

Block = dict[str, Any]
"""A content block as it goes out; values that only pass through are `msgspec.Raw`."""

_MAX_NAME: Final = 64
_MAX_TITLE: Final = 200
_NOT_IN_TITLE: Final = re.compile(r"[^a-zA-Z0-9 ()\[\]-]+")
_SPACES: Final = re.compile(r" {2,}")


class Titles:
    """Names of documents, which Bedrock demands, in the characters that it takes; none stands twice."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def for_file(self, name: str) -> str:
        """Return the title for a file called `name`; a file without name is just a document."""
        title = _SPACES.sub(" ", _NOT_IN_TITLE.sub("-", name)).strip()[:_MAX_TITLE] or "document"
        base, number = title, 1
        while title in self._used:
            number += 1
            suffix = f" {number}"
            title = base[: _MAX_TITLE - len(suffix)] + suffix
        self._used.add(title)
        return title


@dataclass
class Draft:
    """Filled by the encoder's parts in turn; `fields` are the caller's, `body` is the provider's.

    `additional` becomes `additionalModelRequestFields`. `dropped` collects the names of fields that the
    target cannot honour. `json_tool` names the tool that stands in for `response_format` where the family
    has no native schema.
    """

    fields: Members
    family: Family
    body: dict[str, Any] = field(default_factory=dict)
    additional: dict[str, Any] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    tool_names: Names = field(default_factory=lambda: Names(COMMON_CHARACTERS, _MAX_NAME))
    tool_ids: Names = field(default_factory=lambda: Names(r"a-zA-Z0-9_.:\-", _MAX_NAME))
    titles: Titles = field(default_factory=Titles)
    json_tool: str | None = None
