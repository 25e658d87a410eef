"""What each family of Gemini models can carry: one table for the encoder and the documentation.

Sources: https://ai.google.dev/gemini-api/docs/thinking (budgets and levels),
https://ai.google.dev/gemini-api/docs/openai#thinking (what Google makes of `reasoning_effort`),
https://ai.google.dev/gemini-api/docs/function-calling#multimodal (media in results of functions), and
accepted requests among recorded traffic.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

_LEVELS: Final = ("LOW", "MEDIUM", "HIGH")
_ALL_LEVELS: Final = ("MINIMAL", *_LEVELS)


@dataclass(frozen=True, slots=True)
class Family:
    """One row. At most one of `levels` and `budget` is there; neither: the family does not think.

    `levels` are the values of `thinkingLevel`, weakest first. `budget` is the least and the most of
    `thinkingBudget`. `can_stop_thinking`: a budget of 0 turns it off. `has_media_results`: images and
    documents may stand inside the result of a function. `can_validate_calls`: the mode `VALIDATED`.
    """

    levels: tuple[str, ...] = ()
    budget: tuple[int, int] | None = None
    can_stop_thinking: bool = False
    has_media_results: bool = False
    can_validate_calls: bool = True


_SILENT = Family(can_validate_calls=False)
_FLASH_2_5 = Family(budget=(1, 24_576), can_stop_thinking=True)
_FLASH_LITE_2_5 = Family(budget=(512, 24_576), can_stop_thinking=True)
_PRO_2_5 = Family(budget=(128, 32_768))
_PRO_3 = Family(("LOW", "HIGH"), has_media_results=True)
_PRO_3_1 = Family(_LEVELS, has_media_results=True)
_FLASH_3 = Family(_ALL_LEVELS, has_media_results=True)

FAMILIES: Final[Mapping[str, Family]] = MappingProxyType({
    "gemini-1-": _SILENT,
    "gemini-2-0": _SILENT,
    "gemini-2-5-flash-image": _SILENT,
    "gemini-2-5-flash-preview-tts": _SILENT,
    "gemini-2-5-pro-preview-tts": _SILENT,
    "gemini-2-5-flash-lite": _FLASH_LITE_2_5,
    "gemini-2-5-flash": _FLASH_2_5,
    "gemini-2-5-pro": _PRO_2_5,
    "gemini-2-5": _FLASH_2_5,
    "gemini-3-pro": _PRO_3,
    "gemini-3-1-pro": _PRO_3_1,
    "gemini-3-flash": _FLASH_3,
    "gemini-3-1-flash": _FLASH_3,
    "gemini-3-5-flash": _FLASH_3,
    "gemini-flash": _FLASH_3,
    "gemini-pro-latest": _PRO_3_1,
    "gemini-pro": _SILENT,
    "gemma": _SILENT,
})  # fmt: skip
"""Families by the beginning of their models' names, dots as dashes; the first that fits counts."""

UNKNOWN_GEMINI: Final = Family(_LEVELS, has_media_results=True)
"""A Gemini that the table does not name is newer than the table."""

UNKNOWN: Final = _SILENT
"""Another model behind the same API, a tuned one for instance."""

_NAME = re.compile(r"(gemini|gemma)-.*")


def family_of(model: str) -> Family:
    """Return the family of a model by its name at the provider, `models/gemini-2.5-pro` for instance."""
    found = _NAME.search(model.lower().replace(".", "-"))
    if found is None:
        return UNKNOWN
    for prefix, family in FAMILIES.items():
        if found[0].startswith(prefix):
            return family
    return UNKNOWN_GEMINI
