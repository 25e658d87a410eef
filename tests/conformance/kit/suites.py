"""Which dialect an exchange is in; and where a check does not apply to one, the reason, as data.

OpenAI's and Anthropic's exchanges are checked by their suites in `test_corpus.py`, those of the other
dialects in `test_<dialect>_corpus.py`. Whichever test takes an exchange as its parameter counts for it in
the report, so a new dialect needs its test file and its line in `DIALECTS`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from tests.conformance.kit.anthropic import ANTHROPIC
from tests.conformance.kit.openai import OPENAI
from tests.conformance.kit.suite import Check, Suite, general_reason
from tests.support.corpus import Exchange, everything

SUITES: Final[Mapping[str, Suite]] = {
    "chat": OPENAI,
    "messages": ANTHROPIC,
}
"""Suites by the kind of exchange, for every provider that speaks it."""

DIALECTS: Final[Mapping[str, str]] = {
    "chat": "OpenAI chat completions",
    "messages": "Anthropic Messages",
    "generate_content": "Gemini generateContent",
    "converse": "Bedrock Converse",
    "chat_native": "Cohere v2 chat",
    "embeddings": "embeddings",
}
"""Kinds of exchanges that are spoken, and how they are called."""

NO_SUCH_ENDPOINT: Final[Mapping[str, str]] = {
    "completions": "legacy text completions: no endpoint of this gateway",
    "responses": "OpenAI's Responses API: no endpoint of this gateway",
    "responses_other": "OpenAI's Responses API: no endpoint of this gateway",
    "models": "model lists of providers: ours comes from MODEL_LIST_URL",
    "count_tokens": "token counting: no endpoint of this gateway",
    "rerank": "reranking: no endpoint of this gateway",
    "moderations": "moderation: no endpoint of this gateway",
    "images": "image generation: no endpoint of this gateway",
    "audio_speech": "speech synthesis: no endpoint of this gateway",
    "audio_transcriptions": "transcription: no endpoint of this gateway",
    "invoke": "Bedrock's InvokeModel, in a body of each vendor's own: Converse is spoken instead",
}
"""Why a kind of exchange is in no dialect, by kind."""

UNCHECKED: Final = "UNEXPLAINED: no test takes it, and no reason is given"


@dataclass(frozen=True)
class Exclusion:
    """Exchanges of a spoken kind that a check does not apply to. `checks` empty: none does."""

    reason: str
    holds: Callable[[Exchange], bool]
    checks: frozenset[Check] = frozenset()


EXCLUSIONS: Final = (
    Exclusion(
        "Ollama's own /api: Ollama is spoken to by its /v1",
        lambda e: e.provider == "ollama" and e.kind in ("chat_native", "embeddings"),
    ),
    Exclusion(
        "Cohere's v1 chat, another API: v2 is spoken",
        lambda e: e.kind == "chat_native" and not e.path.startswith("/v2/") and e.status == 200,
    ),
)
"""The rest of the reasons; the first that holds counts."""


def suite_of(exchange: Exchange) -> Suite | None:
    """Return the suite that checks an exchange in `test_corpus.py`; None where another test does."""
    return SUITES.get(exchange.kind)


def why_not(exchange: Exchange, check: Check) -> str | None:
    """Return why a check does not apply to an exchange; None where it does."""
    if exchange.kind not in DIALECTS:
        return NO_SUCH_ENDPOINT.get(exchange.kind, UNCHECKED)
    for exclusion in EXCLUSIONS:
        if exclusion.holds(exchange) and check in (exclusion.checks or Check):
            return exclusion.reason
    return general_reason(exchange, check)


def applicable(check: Check) -> Iterable[Exchange]:
    """Yield the exchanges with a suite that a check applies to."""
    return (e for e in everything() if suite_of(e) and why_not(e, check) is None)
