"""The request under way: what was asked, what is already encoded, and what could not be carried."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

from router.providers.capabilities import LIMITS
from router.providers.fields import Members
from router.providers.gemini.families import Family
from router.providers.names import Names
from router.values import Dialect

Part = dict[str, Any]
"""A part of a content as it goes out; values that only pass through are `msgspec.Raw`."""

MADE_ID: Final = "call_gemini_"
"""How the ids begin that we give to calls that Gemini gave none. They are ours: Gemini never sees them."""


class FunctionNames(Names):
    """Names of functions that Gemini takes: a letter or an underscore first, 64 characters at most.

    Source: https://ai.google.dev/api/caching#FunctionDeclaration.
    """

    def __init__(self) -> None:
        longest = LIMITS[Dialect.GEMINI].tool_name
        super().__init__("a-zA-Z0-9_.:-", longest)
        self._valid = re.compile(f"[a-zA-Z_][a-zA-Z0-9_.:-]{{0,{longest - 1}}}")
        self._invalid = re.compile(r"^[^a-zA-Z_]|[^a-zA-Z0-9_.:-]")


@dataclass
class Draft:
    """Filled by the encoder's parts in turn; `fields` are the caller's, `body` is the provider's.

    `generation` becomes `generationConfig`. `dropped` collects the names of fields that the target cannot
    honour. `is_on_vertex`: the few things that differ there.
    """

    fields: Members
    family: Family
    is_on_vertex: bool = False
    body: dict[str, Any] = field(default_factory=dict)
    generation: dict[str, Any] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    names: FunctionNames = field(default_factory=FunctionNames)
