"""What each family of Claude models can carry: one table for the encoder and the documentation.

Sources: https://platform.claude.com/docs/en/about-claude/models/overview (most output tokens),
…/build-with-claude/adaptive-thinking, …/effort, …/structured-outputs,
…/mid-conversation-system-messages, and accepted requests among recorded traffic. A list row's own
`max_output_tokens` comes before the table's.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Thinking(StrEnum):
    """How a family is asked to think."""

    NONE = "none"
    BUDGET = "budget"
    ADAPTIVE = "adaptive"
    ALWAYS = "always"


class Sampling(StrEnum):
    """Which of `temperature` and `top_p` a family takes: both, one at a time, or the defaults alone."""

    BOTH = "both"
    ONE = "one"
    FIXED = "fixed"


_UP_TO_HIGH = ("low", "medium", "high")
_WITHOUT_XHIGH = (*_UP_TO_HIGH, "max")
_ALL = (*_UP_TO_HIGH, "xhigh", "max")


@dataclass(frozen=True, slots=True)
class Family:
    """One row. `efforts` are the values of `output_config.effort`, weakest first.

    `has_json_schema`: `output_config.format` is native. `takes_system_anywhere`: a `system` message may
    stand after a user turn. `can_force_tools`: `tool_choice` `any` and `tool` are accepted.
    """

    max_output_tokens: int
    thinking: Thinking = Thinking.NONE
    efforts: tuple[str, ...] = ()
    sampling: Sampling = Sampling.BOTH
    has_json_schema: bool = False
    takes_system_anywhere: bool = False
    can_force_tools: bool = True


def _adaptive(
    *,
    thinking: Thinking = Thinking.ADAPTIVE,
    takes_system_anywhere: bool = True,
    can_force_tools: bool = True,
) -> Family:
    """Return a family from Opus 4.7 on: they share all but these."""
    return Family(
        128_000, thinking, _ALL, Sampling.FIXED, has_json_schema=True,
        takes_system_anywhere=takes_system_anywhere, can_force_tools=can_force_tools,
    )  # fmt: skip


_CLAUDE_3 = Family(4_096)
_CLAUDE_3_5 = Family(8_192)
_OPUS_4 = Family(32_000, Thinking.BUDGET)
_SONNET_4 = Family(64_000, Thinking.BUDGET)
_OPUS_4_1 = Family(32_000, Thinking.BUDGET, sampling=Sampling.ONE, has_json_schema=True)
_CLAUDE_4_5 = Family(64_000, Thinking.BUDGET, sampling=Sampling.ONE, has_json_schema=True)
_CLAUDE_4_6 = Family(128_000, Thinking.ADAPTIVE, _WITHOUT_XHIGH, Sampling.ONE, has_json_schema=True)
_ALWAYS = _adaptive(thinking=Thinking.ALWAYS)
_UNFORCED = _adaptive(thinking=Thinking.ALWAYS, can_force_tools=False)

FAMILIES: Final[Mapping[str, Family]] = MappingProxyType({
    "claude-3-haiku": _CLAUDE_3,
    "claude-3-sonnet": _CLAUDE_3,
    "claude-3-opus": _CLAUDE_3,
    "claude-3-5-sonnet": _CLAUDE_3_5,
    "claude-3-5-haiku": _CLAUDE_3_5,
    "claude-3-7-sonnet": _SONNET_4,
    "claude-opus-4": _OPUS_4,
    "claude-opus-4-0": _OPUS_4,
    "claude-sonnet-4": _SONNET_4,
    "claude-sonnet-4-0": _SONNET_4,
    "claude-opus-4-1": _OPUS_4_1,
    "claude-opus-4-5": _CLAUDE_4_5,
    "claude-sonnet-4-5": _CLAUDE_4_5,
    "claude-haiku-4-5": _CLAUDE_4_5,
    "claude-opus-4-6": _CLAUDE_4_6,
    "claude-sonnet-4-6": _CLAUDE_4_6,
    "claude-opus-4-7": _adaptive(takes_system_anywhere=False),
    "claude-opus-4-8": _adaptive(),
    "claude-opus-5": _adaptive(),
    "claude-opus-5-5": _ALWAYS,
    "claude-sonnet-5": _adaptive(),
    "claude-sonnet-5-5": _adaptive(),
    "claude-haiku-5-5": _adaptive(),
    "claude-fable-5": _ALWAYS,
    "claude-fable-5-1": _UNFORCED,
    "claude-fable-5-2": _UNFORCED,
    "claude-mythos-preview": _adaptive(thinking=Thinking.ALWAYS, takes_system_anywhere=False),
    "claude-mythos-5": _ALWAYS,
    "claude-mythos-5-1": _UNFORCED,
    "claude-mythos-5-2": _UNFORCED,
})  # fmt: skip
"""Families by the beginning of their models' names, version included."""

UNKNOWN_CLAUDE: Final = Family(4_096, Thinking.ADAPTIVE, _UP_TO_HIGH, has_json_schema=True)
"""A Claude that the table does not name is newer than the table."""

UNKNOWN: Final = Family(4_096, Thinking.BUDGET)
"""Another vendor's model behind the Messages API: what the API could do from its beginning."""

# A one- or two-digit number after the name is a further version, so another family; a date is not.
_REST = re.compile(r"(?!-\d{1,2}(?!\d))(?:[-@:].*)?")


def family_of(model: str) -> Family:
    """Return the family of a model by its name at the provider.

    Spellings of other platforms count too: `anthropic/claude-opus-4.5`, `claude-opus-4-5@20251101`,
    `us.anthropic.claude-opus-4-1-20250805-v1:0`.
    """
    name = model.lower().replace(".", "-")
    start = name.find("claude-")
    if start < 0:
        return UNKNOWN
    name = name[start:]
    for prefix, family in FAMILIES.items():
        if name.startswith(prefix) and _REST.fullmatch(name, len(prefix)):
            return family
    return UNKNOWN_CLAUDE
