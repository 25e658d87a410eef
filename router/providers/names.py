"""Names of tools and ids of calls that a provider takes, for those that the caller gave; and back."""

import re
from typing import Final

COMMON_CHARACTERS: Final = "a-zA-Z0-9_-"
"""What providers take in names of tools, as the inside of a character class."""


class Names:
    """Names that the provider takes for names that the caller gave, and back; lives as long as one call.

    The defaults are Anthropic's `^[a-zA-Z0-9_-]{1,128}$`
    (https://platform.claude.com/docs/en/agents-and-tools/tool-use/define-tools).
    """

    def __init__(self, characters: str = COMMON_CHARACTERS, max_length: int = 128) -> None:
        self._valid = re.compile(f"[{characters}]{{1,{max_length}}}")
        self._invalid = re.compile(f"[^{characters}]")
        self._max_length = max_length
        self._sent: dict[str, str] = {}
        self._told: dict[str, str] = {}
        self._last: dict[str, int] = {}

    def sent(self, told: str) -> str:
        """Return what the provider is to be sent for a name of the caller's; no two names share one."""
        if told not in self._sent:
            is_valid = self._valid.fullmatch(told)
            name = told if is_valid else self._invalid.sub("_", told)[: self._max_length] or "_"
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
            name = base[: self._max_length - len(suffix)] + suffix
        return name

    def told(self, sent: str) -> str:
        """Return the caller's own name for what the provider said."""
        return self._told.get(sent, sent)
