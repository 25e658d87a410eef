"""Frozen values that every layer of the router shares. Imports nothing of ours.

Those that a long list has by the hundred thousand are structs that the garbage collector does not look at
(`gc=False`): they hold no cycles, and looking at them all would stop the event loop.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import msgspec


class Secret:
    """A credential. Its text comes out by `reveal()` alone: never by `repr`, `str` or formatting."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the credential; for the line of code that sends or compares it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __bool__(self) -> bool:
        return bool(self._text)


class Dialect(StrEnum):
    """The language that a provider speaks at an address; the names are those of `…__DIALECT`."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    GEMINI = "gemini"
    BEDROCK = "bedrock"
    COHERE = "cohere"
    VOYAGE = "voyage"


class Endpoint(StrEnum):
    """What callers can ask a model for."""

    CHAT = "chat"
    EMBEDDINGS = "embeddings"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a completion used. `prompt_tokens` includes cached ones, `completion_tokens` reasoning."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0


_EXACT: Final = Context(prec=128)
"""More digits than a price (64 at most) times a count of tokens can have."""


class Price(msgspec.Struct, frozen=True, gc=False):
    """US dollars per 1,000 tokens, exact."""

    prompt_1k: Decimal
    completion_1k: Decimal

    def cost(self, usage: Usage) -> Decimal:
        """Return the cost of `usage` in US dollars, exact."""
        prompt = _EXACT.multiply(Decimal(usage.prompt_tokens), self.prompt_1k)
        completion = _EXACT.multiply(Decimal(usage.completion_tokens), self.completion_1k)
        return _EXACT.scaleb(_EXACT.add(prompt, completion), -3)


NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class Signer(StrEnum):
    """A credential chain of a cloud, used where a provider has no key of its own."""

    AWS = "aws"
    GOOGLE = "google"
    ENTRA = "entra"


@dataclass(frozen=True, slots=True)
class Provider:
    """How to reach a provider: its preset as changed by the configuration.

    `key_variable` names the environment variable that `api_key` is looked for in; None if the provider
    needs no key. `key_header` is the header that takes the key where it is not the dialect's own.
    `signer` authorizes requests where there is no key. `base_url` has no slash at its end. `spare_keys`
    take turns with `api_key`. `secrets` are what must never come back from it: its keys and the values of
    configured headers. `max_concurrency` bounds the calls under way at each of its deployments.
    """

    name: str
    base_url: str
    api_key: Secret | None = None
    key_variable: str | None = None
    dialect: Dialect | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS, repr=False)
    volunteers_usage: bool = False
    whole_handle: bool = False
    key_header: str | None = None
    signer: Signer | None = None
    secrets: tuple[Secret, ...] = ()
    max_concurrency: int | None = None
    spare_keys: tuple[Secret, ...] = field(default=(), repr=False)

    @property
    def missing_variable(self) -> str | None:
        """The variable that its key is missing from; None if it can be called."""
        return self.key_variable if self.api_key is None and self.signer is None else None


class Deployment(msgspec.Struct, frozen=True, gc=False):
    """One place where a model runs: a row of the list, resolved against the provider's configuration.

    `path` is sent verbatim, its query included, after the provider's `base_url`. `price` is None where
    the row is unpriced: then no cost is claimed. `spares` are the same deployment with each further key of
    its provider. `target` names the place, whatever row or key leads there; it is never stated.
    """

    model: str
    upstream_model: str
    provider: Provider
    dialect: Dialect
    endpoint: Endpoint
    path: str
    price: Price | None = None
    weight: float = 1.0
    priority: int = 0
    context_window: int | None = None
    max_output_tokens: int | None = None
    spares: "tuple[Deployment, ...]" = ()
    target: str = ""

    def __post_init__(self) -> None:
        target = f"{self.url}#{self.upstream_model}"
        msgspec.structs.force_setattr(self, "target", target)

    @property
    def url(self) -> str:
        """The address that a unary call is sent to."""
        return self.provider.base_url + self.path
