"""What each family of models can carry on Bedrock: one table for the encoder and the documentation.

Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-supported-models-features.html,
…/structured-output.html (schemas and strict tools), …/API_runtime_ToolChoice.html, …/model-parameters.html
(top_k, reasoning), and accepted requests among recorded traffic, which come first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote

from router.providers.anthropic import families as claudes
from router.values import Deployment


class Effort(StrEnum):
    """How a family is told how much to reason."""

    NONE = "none"
    CLAUDE = "thinking"
    NOVA = "reasoningConfig"
    OPENAI = "reasoning_effort"


@dataclass(frozen=True, slots=True)
class Family:
    """One row.

    `claude` is the row of Anthropic's own table, for models of theirs. `top_k` is where that parameter
    stands in `additionalModelRequestFields`; empty: nowhere. `has_json_schema`: `outputConfig.textFormat`
    and `strict` tools are native. `tool_choices` are those that the model takes.
    """

    claude: claudes.Family | None = None
    effort: Effort = Effort.NONE
    top_k: tuple[str, ...] = ()
    has_json_schema: bool = False
    tool_choices: frozenset[str] = frozenset({"auto", "any", "tool"})


_NONE: Final[frozenset[str]] = frozenset()
_AUTO: Final = frozenset({"auto"})
_AUTO_ANY: Final = frozenset({"auto", "any"})

_CLAUDE = Family(effort=Effort.CLAUDE, top_k=("top_k",))
_NOVA = Family(top_k=("inferenceConfig", "topK"))
_MISTRAL = Family(top_k=("top_k",), tool_choices=_AUTO_ANY)
_OPEN_WEIGHT = Family(has_json_schema=True, tool_choices=_AUTO_ANY)

FAMILIES: Final[Mapping[str, Family]] = MappingProxyType({
    "anthropic.claude-3-sonnet": replace(_CLAUDE, has_json_schema=True),  # recorded
    "anthropic.claude-opus-4-1": _CLAUDE,
    "anthropic.claude": _CLAUDE,
    "amazon.nova-2": replace(_NOVA, effort=Effort.NOVA),
    "amazon.nova": _NOVA,
    "amazon.titan": Family(tool_choices=_NONE),
    "ai21.": Family(tool_choices=_AUTO),
    "cohere.": Family(top_k=("k",), tool_choices=_AUTO),
    "deepseek.r1": Family(tool_choices=_NONE),
    "deepseek.": _OPEN_WEIGHT,
    "google.": _OPEN_WEIGHT,
    "meta.": Family(tool_choices=_AUTO),
    "minimax.": _OPEN_WEIGHT,
    "mistral.mistral-7b": replace(_MISTRAL, tool_choices=_NONE),
    "mistral.mixtral": replace(_MISTRAL, tool_choices=_NONE),
    "mistral.mistral-large-2": _MISTRAL,
    "mistral.mistral-small-2": _MISTRAL,
    "mistral.pixtral": _MISTRAL,
    "mistral.": replace(_MISTRAL, has_json_schema=True),
    "moonshot": _OPEN_WEIGHT,
    "nvidia.": _OPEN_WEIGHT,
    "openai.": replace(_OPEN_WEIGHT, effort=Effort.OPENAI),
    "qwen.": _OPEN_WEIGHT,
    "writer.": Family(tool_choices=_AUTO),
    "zai.": _OPEN_WEIGHT,
})  # fmt: skip
"""Families by what stands in their models' ids; the first that matches counts."""

_KEEPS_OWN_SCHEMA: Final = ("anthropic.claude-3-sonnet", "anthropic.claude-opus-4-1")
"""Claudes whose native schema on Bedrock is not what Anthropic's own table says."""

UNKNOWN: Final = replace(_OPEN_WEIGHT)
"""A vendor that the table does not name is newer than the table."""


def family_of(model: str) -> Family:
    """Return the family of a model by its id, whatever region or ARN stands before it."""
    name = model.lower()
    for part, family in FAMILIES.items():
        if part in name:
            if family.claude is None and family.effort is Effort.CLAUDE:
                return _claude(name, family, keeps_schema=part in _KEEPS_OWN_SCHEMA)
            return family
    return _claude(name, _CLAUDE, keeps_schema=False) if "claude-" in name else UNKNOWN


def _claude(name: str, family: Family, *, keeps_schema: bool) -> Family:
    own = claudes.family_of(name)
    has_schema = family.has_json_schema if keeps_schema else own.has_json_schema
    return replace(family, claude=own, has_json_schema=has_schema)


def family_at(deployment: Deployment) -> Family:
    """Return the family of the model that a deployment's path names, else of its listed name.

    An application's own inference profile (an ARN) says nothing of the model behind it.
    """
    named = model_in(deployment.path)
    is_opaque = named is None or family_of(named) is UNKNOWN
    return family_of(deployment.upstream_model if is_opaque else named or "")


def model_in(path: str) -> str | None:
    """Return the model id in `/model/<id>/converse`, decoded; None where there is none."""
    head, _, _ = path.partition("?")
    parts = head.split("/")
    if "model" not in parts[:-1]:
        return None
    return unquote(parts[parts.index("model") + 1])
