"""The standard health service, which also tells edges what a router is about.

`grpc.health.v1.Health` needs no credential. Each answer of `Check` carries a `RouterStatus` in its
trailing metadata: whether keys are checked, and what is degraded.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from trunkline.v1 import status_pb2

STATUS_KEY: Final = "trunkline-status-bin"

SERVING: Final = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING
UNKNOWN: Final = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class HealthService(health_pb2_grpc.HealthServicer):
    """Serves while a model list is served and the router is not draining.

    It has the methods of the health package's servicer and is none: in that one a watcher waits for the
    other, and some were never told of a stop. `watchers` counts those who watch.
    """

    def __init__(self, status: Callable[[], status_pb2.RouterStatus]) -> None:
        self._router_status = status
        self._words: dict[str, Any] = {}
        self._changed = asyncio.Event()
        self._is_stopping = False
        self._is_over = False
        self.watchers = 0

    async def set(self, service: str, word: Any) -> None:
        """Tell how a service is; without effect once the router is stopping."""
        if not self._is_stopping:
            self._words[service] = word
            self._wake()

    async def enter_graceful_shutdown(self) -> None:
        """Tell that no service is served any more, for good."""
        self._is_stopping = True
        self._words = dict.fromkeys(self._words, NOT_SERVING)
        self._wake()

    def end_watches(self) -> None:
        """End the calls of those who watch: they have no end of their own, and a server waits for them."""
        self._is_over = True
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def Check(self, request: Any, context: Any) -> Any:
        """Answer as the standard says, with the router's status beside."""
        context.set_trailing_metadata(((STATUS_KEY, self._router_status().SerializeToString()),))
        if request.service not in self._words:
            await context.abort(grpc.StatusCode.NOT_FOUND)
        return health_pb2.HealthCheckResponse(status=self._words[request.service])

    async def Watch(self, request: Any, context: Any) -> None:
        """Answer as the standard says, until the watches end; the last word is said before."""
        told = None
        self.watchers += 1
        try:
            while True:
                changed = self._changed
                word = self._words.get(request.service, UNKNOWN)
                if word != told:
                    told = word
                    await context.write(health_pb2.HealthCheckResponse(status=word))
                elif self._is_over:
                    return
                else:
                    await changed.wait()
        finally:
            self.watchers -= 1
