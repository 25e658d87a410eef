"""The request under way: what was asked, what is already encoded, and what could not be carried."""

import re
from dataclasses import dataclass, field
from typing import Any

from router.providers.anthropic.families import Family
from router.providers.anthropic.fields import Members

Block = dict[str, Any]
"""A content block as it goes out; values that only pass through are `msgspec.Raw`."""

_VALID = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_INVALID = re.compile(r"[^a-zA-Z0-9_-]")
_MAX_LENGTH = 128


class Names:
    """Names that the provider takes for names that the caller gave, and back; lives as long as one call.

    Anthropic takes `^[a-zA-Z0-9_-]{1,128}$` for the names and ids of tools
    (https://platform.claude.com/docs/en/agents-and-tools/tool-use/define-tools).
    """

    def __init__(self) -> None:
        self._sent: dict[str, str] = {}
        self._told: dict[str, str] = {}
        self._last: dict[str, int] = {}

    def sent(self, told: str) -> str:
        """Return what the provider is to be sent for a name of the caller's; no two names share one."""
        if told not in self._sent:
            name = told if _VALID.fullmatch(told) else _INVALID.sub("_", told)[:_MAX_LENGTH] or "_"
            name = self.unused(name)
            self._sent[told] = name
            self._told[name] = told
        return self._sent[told]

    def unused(self, name: str) -> str:
        """Return `name`, or one like it if that is taken."""
        base = name
        while name in self._told:
            self._last[base] = self._last.get(base, 1) + 1
            suffix = f"_{self._last[base]}"
            name = base[: _MAX_LENGTH - len(suffix)] + suffix
        return name

    def told(self, sent: str) -> str:
        """Return the caller's own name for what the provider said."""
        return self._told.get(sent, sent)


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
