"""The OpenAI dialect: transparent, but checked.

The request goes out as the caller wrote it, with `model` edited and usage asked for; the answer comes
back as the provider wrote it. Every body and frame is scanned once for UTF-8 and well-formed JSON; what
is read on the way (usage, finish reasons, errors) changes nothing.
"""

from router.providers.openai.exchange import OpenAIExchange

__all__ = ["OpenAIExchange"]
