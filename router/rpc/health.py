"""The standard health service, which also tells edges what a router is about.

`grpc.health.v1.Health` needs no credential. Each answer of `Check` carries a `RouterStatus` in its
trailing metadata: whether keys are checked, and what is degraded.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health_aio

from trunkline.v1 import status_pb2

STATUS_KEY: Final = "trunkline-status-bin"

SERVING: Final = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING


class HealthService(health_aio.HealthServicer):
    """Serves while a model list is served and the router is not draining."""

    def __init__(self, status: Callable[[], status_pb2.RouterStatus]) -> None:
        super().__init__()
        self._router_status = status
        self._watches_end = asyncio.Event()

    def end_watches(self) -> None:
        """End the calls of those who watch: they have no end of their own, and a server waits for them."""
        self._watches_end.set()

    async def Check(self, request: Any, context: Any) -> Any:
        """Answer as the standard says, with the router's status beside."""
        context.set_trailing_metadata(((STATUS_KEY, self._router_status().SerializeToString()),))
        return await super().Check(request, context)

    async def Watch(self, request: Any, context: Any) -> None:
        """Answer as the standard says, until the watches end."""
        watching = asyncio.create_task(super().Watch(request, context), name="watch-health")
        ending = asyncio.create_task(self._watches_end.wait(), name="await-end-of-watches")
        try:
            await asyncio.wait((watching, ending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            watching.cancel()
            ending.cancel()
            await asyncio.gather(watching, ending, return_exceptions=True)
