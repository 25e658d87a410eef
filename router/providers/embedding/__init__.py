"""Embeddings: one adapter for each dialect that has them.

Primitives::

    form       what all answers are put into: OpenAI's list of vectors, as numbers or in base64
    Embedder   an `EmbeddingRequest` and a deployment in, a `UnaryExchange` out

`openai` passes bytes; `cohere`, `gemini`, `voyage` and `bedrock` translate. An embedder sends one request:
where a model takes one text at a time, several are a 400 and not several bills. Token ids, which are one
vendor's own, are refused where the target takes texts alone.
"""

from router.providers.embedding.bedrock import bedrock_embedding
from router.providers.embedding.cohere import CohereEmbedding
from router.providers.embedding.gemini import GeminiEmbedding
from router.providers.embedding.openai import OpenAIEmbedding
from router.providers.embedding.voyage import VoyageEmbedding

__all__ = [
    "CohereEmbedding",
    "GeminiEmbedding",
    "OpenAIEmbedding",
    "VoyageEmbedding",
    "bedrock_embedding",
]
