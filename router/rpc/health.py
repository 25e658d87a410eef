"""The standard health service, which also tells edges what a router is about.

`grpc.health.v1.Health` needs no credential. Each answer of `Check` carries a `RouterStatus` in its
trailing metadata: whether keys are checked, and what is degraded.
"""

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

    async def Check(self, request: Any, context: Any) -> Any:
        """Answer as the standard says, with the router's status beside."""
        context.set_trailing_metadata(((STATUS_KEY, self._router_status().SerializeToString()),))
        return await super().Check(request, context)
