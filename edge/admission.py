"""What the edge takes on at once: requests, connections, bytes of bodies. Beyond it, it refuses.

A bound that is reached costs those who come last, and at once: what is being answered goes on. Who is
refused can come back; a process without memory or descriptors answers nobody.
"""

from collections.abc import Callable

from edge.config import EdgeLimits
from edge.metrics import EdgeMetrics

RESERVED_DESCRIPTORS = 128
"""For what is no connection of a client or to a provider: sockets that listen, pipes, files, libraries."""


class Budget:
    """So much of something at once. Whoever took something gives it back."""

    def __init__(self, limit: int, on_refused: Callable[[], None]) -> None:
        self.limit = limit
        self.taken = 0
        self._on_refused = on_refused

    def __repr__(self) -> str:
        return f"<Budget {self.taken}/{self.limit}>"

    def take(self, amount: int = 1) -> bool:
        """Takes `amount` if there is as much left; False, and counted as a refusal, if there is not."""
        if not self.has_room(amount):
            return False
        self.taken += amount
        return True

    def has_room(self, amount: int) -> bool:
        """Whether `amount` is left; counted as a refusal if it is not."""
        is_left = self.taken + amount <= self.limit
        if not is_left:
            self._on_refused()
        return is_left

    def give(self, amount: int = 1) -> None:
        self.taken -= amount


class Admission:
    """The budgets of one edge. Lives as long as the edge.

    `descriptors` is how many the process may have open.
    """

    def __init__(self, limits: EdgeLimits, descriptors: int, metrics: EdgeMetrics) -> None:
        def budget(name: str, limit: int) -> Budget:
            return Budget(limit, lambda: metrics.refuse(name))

        self.requests = budget("requests", 0)
        self.connections = budget("connections", 0)
        self.held_bytes = budget("held_bytes", 0)
        self._descriptors = descriptors
        self._metrics = metrics
        self.follow(limits)

    def follow(self, limits: EdgeLimits) -> None:
        """Goes by these limits from now on; what is open stays open."""
        self.requests.limit = limits.requests
        self.connections.limit = connection_limit(limits, self._descriptors)
        self.held_bytes.limit = limits.held_bytes

    def __repr__(self) -> str:
        return (
            f"<Admission requests={self.requests} connections={self.connections}"
            f" held_bytes={self.held_bytes}>"
        )

    def count_stalled(self) -> None:
        """Counts a client that was cut because it took nothing of its answer."""
        self._metrics.refuse("stall_seconds")


def connection_limit(limits: EdgeLimits, descriptors: int) -> int:
    """How many connections may be open.

    Each request in flight may need a second descriptor, for its provider: as many are left free, or, where
    there are few, every other one.
    """
    usable = max(descriptors - RESERVED_DESCRIPTORS, 2)
    return min(limits.connections, max(usable - limits.requests, usable // 2))
