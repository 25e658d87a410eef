"""What each dialect can carry of an OpenAI request: one table for adapters, strict mode and documentation.

OpenAI's own dialect has no column: there everything passes as the caller wrote it. What a family of models
can carry beside its dialect stands in the dialect's `families.py`; where that, or a value's range, decides,
the word here is `ADAPTED`.

Adapters ask `Carrier`: which fields have a reader (`reads`), which pass as they are (`native`), and which
are left out and reported (`left_out`): these are what `x-trunkline-dropped-params` names and what strict
mode refuses. `docs/fidelity.md` is generated from the same rows, and a test holds every adapter to them:
for each row and dialect it encodes a request and looks at what became of it.

To add a dialect: its name to `_COLUMNS`, a word in that column to each row, its own fields to `NATIVE`,
its numbers to `LIMITS`, and a model and a path to `tests/router/providers/test_capabilities.py`.

Sources: https://platform.openai.com/docs/api-reference/chat/create and those named by the adapters.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

import msgspec

from router.providers import fields
from router.providers.fields import Members
from router.values import Dialect


class Way(StrEnum):
    """What becomes of a request's field or content."""

    CARRIED = "carried"
    ADAPTED = "adapted"
    REPORTED = "reported"
    REFUSED = "refused"


MEANING: Final[Mapping[Way, str]] = MappingProxyType(
    {
        Way.CARRIED: "the provider is told the same",
        Way.ADAPTED: "told in the provider's own terms; what goes beyond them, or the model, is reported",
        Way.REPORTED: "left out and named in `x-trunkline-dropped-params`; a 400 in strict mode",
        Way.REFUSED: "a 400 that names it: content does not vanish",
    }
)

C, A, R, X = Way.CARRIED, Way.ADAPTED, Way.REPORTED, Way.REFUSED

_COLUMNS: Final = (Dialect.ANTHROPIC, Dialect.GEMINI, Dialect.BEDROCK, Dialect.COHERE)

Row = Mapping[Dialect, Way]


def _table(*rows: tuple[str, Way, Way, Way, Way]) -> Mapping[str, Row]:
    return MappingProxyType(
        {name: MappingProxyType(dict(zip(_COLUMNS, ways, strict=True))) for name, *ways in rows}
    )


PARAMETERS: Final = _table(
    #                           Anthropic  Gemini  Bedrock  Cohere
    ("audio",                           R,      A,       R,      R),
    ("frequency_penalty",               R,      C,       R,      A),
    ("function_call",                   R,      R,       R,      R),
    ("functions",                       R,      R,       R,      R),
    ("logit_bias",                      R,      R,       R,      R),
    ("logprobs",                        R,      C,       R,      C),
    ("max_completion_tokens",           C,      C,       C,      C),
    ("max_tokens",                      C,      C,       C,      C),
    ("messages",                        A,      A,       A,      A),
    ("metadata",                        A,      R,       A,      R),
    ("modalities",                      R,      A,       R,      R),
    ("model",                           C,      C,       C,      C),
    ("n",                               X,      C,       X,      X),
    ("parallel_tool_calls",             C,      A,       A,      R),
    ("prediction",                      R,      R,       R,      R),
    ("presence_penalty",                R,      C,       R,      A),
    ("prompt_cache_key",                R,      R,       R,      R),
    ("prompt_cache_retention",          R,      R,       R,      R),
    ("reasoning_effort",                A,      A,       A,      A),
    ("response_format",                 A,      A,       A,      A),
    ("safety_identifier",               A,      R,       R,      R),
    ("seed",                            R,      C,       R,      C),
    ("service_tier",                    A,      A,       A,      R),
    ("stop",                            A,      C,       A,      C),
    ("store",                           R,      R,       R,      R),
    ("stream",                          C,      C,       C,      C),
    ("stream_options",                  C,      C,       C,      C),
    ("temperature",                     A,      C,       A,      C),
    ("tool_choice",                     A,      A,       A,      A),
    ("tools",                           A,      A,       A,      A),
    ("top_k",                           A,      C,       A,      C),
    ("top_logprobs",                    R,      C,       R,      R),
    ("top_p",                           A,      C,       A,      A),
    ("user",                            A,      R,       R,      R),
    ("verbosity",                       R,      R,       R,      R),
    ("web_search_options",              R,      A,       R,      R),
)  # fmt: skip
"""Fields of a request. A field that no row names is native to the dialect or reported."""

CONTENT: Final = _table(
    #                                        Anthropic  Gemini  Bedrock  Cohere
    ("text",                                         C,      C,       C,      C),
    ("image, as data",                               C,      C,       C,      C),
    ("image, by address",                            C,      C,       X,      C),
    ("audio",                                        X,      C,       C,      X),
    ("file: PDF, as data",                           C,      A,       C,      X),
    ("file: plain text, as data",                    C,      A,       C,      A),
    ("file, by address",                             C,      C,       X,      X),
    ("file, by the provider's id",                   C,      X,       X,      X),
    ("video, by address",                            X,      C,       X,      X),
    ("video, as data",                               X,      C,       C,      X),
    ("a part that nobody knows",                     X,      X,       X,      X),
)  # fmt: skip
"""Parts of a user's message."""

NO_EFFECT: Final[Mapping[str, tuple[Any, ...]]] = MappingProxyType(
    {
        "frequency_penalty": (0,),
        "presence_penalty": (0,),
        "logprobs": (False,),
        "top_logprobs": (0,),
        "parallel_tool_calls": (True,),
        "store": (False,),
        "modalities": (["text"],),
        "verbosity": ("medium",),
        "service_tier": ("auto", "default"),
    }
)
"""Values that ask for what is done anyway: where the field is not carried, nothing is lost without them."""

_ASK_BY_PRESENCE: Final = frozenset({"web_search_options"})
"""Fields that ask for something even as an empty object."""

NATIVE: Final[Mapping[Dialect, tuple[str, ...]]] = MappingProxyType({
    Dialect.ANTHROPIC: (
        "thinking", "output_config", "cache_control", "container", "context_management", "mcp_servers",
        "diagnostics", "inference_geo", "speed",
    ),
    # Each also in Gemini's own camel case, which callers of its REST API write; `thinking` is Anthropic's.
    Dialect.GEMINI: (
        "safety_settings", "safetySettings", "cached_content", "cachedContent", "labels", "thinking",
        "thinking_config", "thinkingConfig", "speech_config", "speechConfig", "image_config",
        "imageConfig", "media_resolution", "mediaResolution", "audio_timestamp", "audioTimestamp",
        "response_modalities", "responseModalities", "generation_config", "generationConfig",
        "tool_config", "toolConfig", "extra_body",
    ),
    # The last two are Anthropic's, for its models alone.
    Dialect.BEDROCK: (
        "guardrailConfig", "additionalModelResponseFieldPaths", "promptVariables", "requestMetadata",
        "performanceConfig", "serviceTier", "inferenceConfig", "outputConfig",
        "additionalModelRequestFields", "thinking", "anthropic_beta",
    ),
    Dialect.COHERE: (
        "thinking", "safety_mode", "citation_options", "strict_tools", "priority", "documents", "k", "p",
    ),
})  # fmt: skip
"""Fields of a dialect's own; a caller who sends them means them, and they pass as they are."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Numbers of a dialect, whatever the model.

    `images` are the media types that it takes. `tool_name` bounds names of tools, which are changed to fit
    and changed back in the answer. `temperature` is the most that it takes; more is lowered and reported.
    """

    images: frozenset[str]
    tool_name: int
    temperature: float


LIMITS: Final[Mapping[Dialect, Limits]] = MappingProxyType({
    Dialect.ANTHROPIC: Limits(
        images=frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"}),
        tool_name=128,
        temperature=1,
    ),
    Dialect.GEMINI: Limits(
        images=frozenset({"image/jpeg", "image/png", "image/webp", "image/heic", "image/heif"}),
        tool_name=64,
        temperature=2,
    ),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Carrier:
    """What one dialect carries, as its adapter asks for it."""

    dialect: Dialect

    @property
    def limits(self) -> Limits:
        return LIMITS[self.dialect]

    @property
    def native(self) -> tuple[str, ...]:
        """Names of fields that pass as they are."""
        return NATIVE[self.dialect]

    def reads(self, name: str) -> bool:
        """Whether the adapter has a reader for a field; it reports what it cannot carry."""
        row = PARAMETERS.get(name)
        return row is not None and row[self.dialect] is not Way.REPORTED

    def left_out(self, asked: Members) -> Iterator[str]:
        """Yield the names of the caller's fields that are neither read nor native, and say something."""
        for name, value in asked.items():
            if self.reads(name) or name in self.native or _says_nothing(name, value):
                continue
            if name in NO_EFFECT and fields.anything(value, name) in NO_EFFECT[name]:
                continue
            yield name


def _says_nothing(name: str, value: msgspec.Raw) -> bool:
    return bytes(value) == b"null" if name in _ASK_BY_PRESENCE else fields.says_nothing(value)
