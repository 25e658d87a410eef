"""The edge's configuration: frozen values with their defaults. `launch` fills them from outside."""

import ipaddress
from dataclasses import dataclass

DEFAULT_MAX_BODY_BYTES = 64 * 1024 * 1024
"""Images and documents travel inline, base64: a smaller limit refuses what providers accept."""

MESSAGE_MARGIN_BYTES = 1024 * 1024
"""What a gRPC message may hold above the body limit (contract: the body limit plus 1 MiB)."""


@dataclass(frozen=True, slots=True)
class EdgeLimits:
    """What one edge process takes on at once, and how long it waits for a client. Times are in seconds.

    `requests` are those being answered. `connections` are open ones, idle or not; never more than the
    process may have descriptors for. `held_bytes` are those of request bodies in memory, as they came.
    `header_bytes` bounds the head of one request.
    """

    requests: int = 4096
    """Streams are mostly silent: one process carries some thousands, and answers late beyond that."""

    connections: int = 16_384
    """An idle one costs some ten KiB: all of them less than 256 MiB."""

    held_bytes: int = 1024 * 1024 * 1024
    """Sixteen of the largest bodies. In one process with a router each is held a little more than twice."""

    header_bytes: int = 32 * 1024
    """What nginx takes with its default buffers."""

    header_seconds: float = 120.0
    """From the last answer, or the first byte of the connection, to the end of a request's head: longer
    than balancers (60) and SDKs keep their connections."""

    body_seconds: float = 300.0
    """For a whole request body: the largest one at 2 Mbit/s."""

    stall_seconds: float = 300.0
    """For a client that takes nothing at all of its answer."""


@dataclass(frozen=True, slots=True)
class EdgeConfig:
    """What an edge needs to know. Times are in seconds.

    `router_target` is a gRPC target string. `total_timeout` bounds each call.
    `cors_origins` are exact origins, or `*` for any. `router_wait` is how long a start beyond loopback
    waits for a router that can say whether it checks keys. A router is asked for a sign of life after
    `keepalive_time` without any (gRPC asks once a second at most), and counts as lost when it gives none
    within `keepalive_timeout`. With `reuse_port` other workers listen on the same port.
    """

    http_host: str = "127.0.0.1"
    http_port: int = 8080
    router_target: str = "127.0.0.1:50051"
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES
    total_timeout: float = 600.0
    cors_origins: tuple[str, ...] = ()
    drain_seconds: float = 30.0
    router_wait: float = 5.0
    limits: EdgeLimits = EdgeLimits()
    keepalive_time: float = 10.0
    keepalive_timeout: float = 5.0
    reuse_port: bool = False

    @property
    def is_beyond_loopback(self) -> bool:
        """Whether others than this machine can reach the HTTP port; a name is not looked up."""
        if self.http_host.lower() == "localhost":
            return False
        try:
            return not ipaddress.ip_address(self.http_host.strip("[]")).is_loopback
        except ValueError:
            return True
