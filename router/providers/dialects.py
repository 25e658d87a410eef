"""The dialects that are spoken, and the adapter of each. A new dialect is one file and one line here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from router.providers.adapter import Adapter, Embedder
from router.providers.anthropic import anthropic_exchange
from router.providers.bedrock import bedrock_exchange
from router.providers.cohere import cohere_exchange
from router.providers.embedding import (
    CohereEmbedding,
    GeminiEmbedding,
    OpenAIEmbedding,
    VoyageEmbedding,
    bedrock_embedding,
)
from router.providers.gemini import gemini_exchange
from router.providers.openai import OpenAIExchange
from router.values import Dialect, Endpoint

ADAPTERS: Final[Mapping[Dialect, Adapter]] = MappingProxyType({
    Dialect.OPENAI: OpenAIExchange,
    Dialect.ANTHROPIC: anthropic_exchange,
    Dialect.GEMINI: gemini_exchange,
    Dialect.BEDROCK: bedrock_exchange,
    Dialect.COHERE: cohere_exchange,
})  # fmt: skip

EMBEDDERS: Final[Mapping[Dialect, Embedder]] = MappingProxyType({
    Dialect.OPENAI: OpenAIEmbedding,
    Dialect.GEMINI: GeminiEmbedding,
    Dialect.BEDROCK: bedrock_embedding,
    Dialect.COHERE: CohereEmbedding,
    Dialect.VOYAGE: VoyageEmbedding,
})  # fmt: skip

SPOKEN: Final[Mapping[Endpoint, frozenset[Dialect]]] = MappingProxyType({
    Endpoint.CHAT: frozenset(ADAPTERS),
    Endpoint.EMBEDDINGS: frozenset(EMBEDDERS),
})  # fmt: skip
"""The dialects that each endpoint can be asked for in."""
