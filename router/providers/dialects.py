"""The dialects that are spoken, and the adapter of each. A new dialect is one file and one line here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from router.providers.adapter import Adapter
from router.providers.anthropic import anthropic_exchange
from router.providers.openai import OpenAIExchange
from router.values import Dialect

ADAPTERS: Final[Mapping[Dialect, Adapter]] = MappingProxyType({
    Dialect.OPENAI: OpenAIExchange,
    Dialect.ANTHROPIC: anthropic_exchange,
})  # fmt: skip
