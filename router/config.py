"""The router's configuration: frozen values with their defaults. `launch` fills them from outside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
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


class Balancing(StrEnum):
    """How calls are spread over the deployments of one priority."""

    PEAK_EWMA = "peak_ewma"
    LEAST_IN_FLIGHT = "least_in_flight"
    WEIGHTED_RANDOM = "weighted_random"


@dataclass(frozen=True, slots=True)
class Fallbacks:
    """Models to go on with, in their order, when those asked for cannot answer; by the kind of failure."""

    general: tuple[str, ...] = ()
    context_window: tuple[str, ...] = ()
    content_policy: tuple[str, ...] = ()


NO_FALLBACKS = Fallbacks()

ANY_MODEL = "*"
"""The key in `Policy.fallbacks` that stands for every model without a row of its own."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How calls are routed. A call keeps the policy that was in force when it began.

    `retries` is how often a call may go back to deployments that failed it, `retry_backoff` the most seconds
    before the first time. `fallbacks` is keyed by model.
    """

    timeouts: Timeouts = field(default_factory=Timeouts)
    retries: int = 2
    retry_backoff: float = 0.5
    balancing: Balancing = Balancing.PEAK_EWMA
    fallbacks: Mapping[str, Fallbacks] = field(default_factory=lambda: MappingProxyType({}))

    def fallbacks_of(self, *names: str) -> Fallbacks:
        """Return where calls of a model may go besides it; `names` are its id and its aliases."""
        if not self.fallbacks:
            return NO_FALLBACKS
        own = (self.fallbacks[name] for name in names if name in self.fallbacks)
        return next(own, None) or self.fallbacks.get(ANY_MODEL) or NO_FALLBACKS

    def named_models(self) -> set[str]:
        """Return every model that `fallbacks` names."""
        rows = self.fallbacks.values()
        targets = (
            name
            for row in rows
            for name in (*row.general, *row.context_window, *row.content_policy)
        )
        return {*self.fallbacks, *targets} - {ANY_MODEL}


@dataclass(frozen=True, slots=True)
class AdmissionConfig:
    """How many calls are answered at once, and how many more may wait for their turn.

    `concurrency` and `queue` bound the process, `deployment_queue` the calls that wait for room at one
    deployment of a provider that has a `max_concurrency`.
    """

    concurrency: int = 4096
    queue: int = 512
    deployment_queue: int = 64


@dataclass(frozen=True, slots=True)
class ModelListConfig:
    """Where the model list comes from. `source` None is the bundled list."""

    source: str | None = None
    refresh_seconds: float = 60.0
    authorization: Secret | None = None


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """What the configuration says of one provider; None leaves the preset's value.

    `api_keys` take turns; a single `api_key` is the first of them.
    """

    base_url: str | None = None
    api_key: Secret | None = None
    api_keys: tuple[Secret, ...] = ()
    max_concurrency: int | None = None
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
    """The whole of it. With `reuse_port` other workers listen on the same port."""

    state_dir: Path
    grpc_host: str = "127.0.0.1"
    grpc_port: int = 50051
    model_list: ModelListConfig = field(default_factory=ModelListConfig)
    providers: ProvidersConfig = field(default_factory=ProvidersConfig)
    api_keys: tuple[Secret, ...] = ()
    policy: Policy = field(default_factory=Policy)
    admission: AdmissionConfig = field(default_factory=AdmissionConfig)
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES
    drain_seconds: float = 30.0
    reuse_port: bool = False
