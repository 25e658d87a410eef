"""The ports of each command, and what is said of one that cannot be had."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from launch.config import Config
from router.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tier listens. `name` stands in its variables; a port of None is not asked for."""

    name: str
    host: Callable[[Config], str]
    port: Callable[[Config], int | None]


HTTP: Final = Place("HTTP", lambda c: c.edge.http_host, lambda c: c.edge.http_port)
GRPC: Final = Place("GRPC", lambda c: c.router.grpc_host, lambda c: c.router.grpc_port)
METRICS: Final = Place("METRICS", lambda c: c.router.grpc_host, lambda c: c.metrics_port)

OF_COMMAND: Final = {"serve": (HTTP, GRPC), "router": (GRPC, METRICS), "edge": (HTTP,)}


def cannot_listen(place: Place, config: Config, exc: OSError) -> ConfigError:
    """Return the error for a port that cannot be had."""
    reason = exc.strerror or str(exc)
    return ConfigError(
        f"TRUNKLINE_{place.name}_PORT",
        f"{place.host(config)}:{place.port(config)}",
        f"an address that is free to listen on ({reason})",
    )
