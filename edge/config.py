"""The edge's configuration: frozen values with their defaults. `launch` fills them from outside."""

import ipaddress
from dataclasses import dataclass

DEFAULT_MAX_BODY_BYTES = 64 * 1024 * 1024
"""Images and documents travel inline, base64: a smaller limit refuses what providers accept."""

MESSAGE_MARGIN_BYTES = 1024 * 1024
"""What a gRPC message may hold above the body limit (contract: the body limit plus 1 MiB)."""


@dataclass(frozen=True, slots=True)
class EdgeConfig:
    """What an edge needs to know. Times are in seconds.

    `router_target` is a gRPC target string. `total_timeout` bounds each call.
    `cors_origins` are exact origins, or `*` for any. `router_wait` is how long a start beyond loopback
    waits for a router that can say whether it checks keys.
    """

    http_host: str = "127.0.0.1"
    http_port: int = 8080
    router_target: str = "127.0.0.1:50051"
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES
    total_timeout: float = 600.0
    cors_origins: tuple[str, ...] = ()
    drain_seconds: float = 30.0
    router_wait: float = 5.0

    @property
    def is_beyond_loopback(self) -> bool:
        """Whether others than this machine can reach the HTTP port; a name is not looked up."""
        if self.http_host.lower() == "localhost":
            return False
        try:
            return not ipaddress.ip_address(self.http_host.strip("[]")).is_loopback
        except ValueError:
            return True
