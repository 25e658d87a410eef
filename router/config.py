"""The router's configuration: frozen values with their defaults. `launch` fills them from outside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from router.values import Dialect, Secret

DEFAULT_MAX_BODY_BYTES = 64 * 1024 * 1024
"""Images and documents travel inline, base64: a smaller limit refuses what providers accept."""

MESSAGE_MARGIN_BYTES = 1024 * 1024
"""What a gRPC message may hold above the body limit: the typed form of a body is a little larger."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `connect` bounds the connection, `first_token` the wait for generated content, `idle` the
    silence between two reads after it, `total` the whole call.
    """

    connect: float = 5.0
    first_token: float = 120.0
    idle: float = 60.0
    total: float = 600.0


@dataclass(frozen=True, slots=True)
class ModelListConfig:
    """Where the model list comes from. `source` None is the bundled list."""

    source: str | None = None
    refresh_seconds: float = 60.0
    authorization: Secret | None = None


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """What the configuration says of one provider; None leaves the preset's value."""

    base_url: str | None = None
    api_key: Secret | None = None
    dialect: Dialect | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)


@dataclass(frozen=True, slots=True)
class ProvidersConfig:
    """All that provider resolution needs. `named` is keyed by the NAME of the variables (`MY_VLLM`).

    `preset_keys` holds the values of the key variables that presets name (`OPENAI_API_KEY`),
    `preset_base_urls` the addresses, by preset, that variables of the vendors' own tell (`AWS_REGION`).
    """

    named: Mapping[str, ProviderSettings] = field(default_factory=lambda: MappingProxyType({}))
    upstream_base_url: str | None = None
    upstream_api_key: Secret | None = None
    preset_keys: Mapping[str, Secret] = field(default_factory=lambda: MappingProxyType({}))
    preset_base_urls: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class RouterConfig:
    """The whole of it."""

    state_dir: Path
    grpc_host: str = "127.0.0.1"
    grpc_port: int = 50051
    model_list: ModelListConfig = field(default_factory=ModelListConfig)
    providers: ProvidersConfig = field(default_factory=ProvidersConfig)
    api_keys: tuple[Secret, ...] = ()
    timeouts: Timeouts = field(default_factory=Timeouts)
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES
    drain_seconds: float = 30.0
