"""For those who run the edge: is it alive, is it ready, what does it count."""

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from edge.handlers.base import BaseHandler
from edge.headers import call_metadata
from edge.readiness import ask_router
from trunkline.v1.model_service_pb2 import ListModelsRequest
from trunkline.v1.status_pb2 import RouterStatus

ASK_SECONDS = 2.0
"""How long a router may take to say how it is, or whether it knows a key."""

_NO_STORE = (("cache-control", "no-store"),)


class _OperationsHandler(BaseHandler):
    """What must be seen above all of an edge that has too much to do."""

    is_counted = False


class HealthHandler(_OperationsHandler):
    """GET /healthz: the process answers."""

    async def answer(self) -> None:
        await self.send_json(200, b'{"status":"ok"}', _NO_STORE)


class ReadyHandler(_OperationsHandler):
    """GET /readyz: 200 while a list is served and the router answers, else 503; says what is wrong."""

    async def answer(self) -> None:
        state = await ask_router(self.context.check_health, ASK_SECONDS)
        reasons = find_obstacles(state, is_draining=self.context.in_flight.is_draining)
        degraded = list(state.degraded) if state else []
        status = "unavailable" if reasons else "degraded" if degraded else "ok"
        body = {"status": status, "degraded": [*reasons, *degraded]}
        await self.send_json(503 if reasons else 200, msgspec.json.encode(body), _NO_STORE)


def find_obstacles(state: RouterStatus | None, *, is_draining: bool) -> list[str]:
    """Why no request can be served, one sentence each; empty if requests can be."""
    if state is None:
        obstacles = {"The edge is stopping.": is_draining, "No router answers.": True}
    else:
        obstacles = {
            "The edge is stopping.": is_draining,
            "The router is stopping.": state.draining,
            "No model list is served.": not state.serves_list,
        }
    return [sentence for sentence, stands in obstacles.items() if stands]


class MetricsHandler(_OperationsHandler):
    """GET /metrics: the registry in Prometheus' text format. Beyond loopback it takes a key."""

    async def answer(self) -> None:
        if self.context.config.is_beyond_loopback:
            await self._require_key()
        self.begin(200, _NO_STORE)
        self.set_header("content-type", CONTENT_TYPE_LATEST)
        await self.end(generate_latest(self.context.metrics.registry))

    async def _require_key(self) -> None:
        """Lets the router judge the credential by its cheapest call. Raises AioRpcError."""
        call = self.context.models.ListModels(
            ListModelsRequest(page_size=1),
            timeout=ASK_SECONDS,
            metadata=call_metadata(self.request.headers, self.request_id),
        )
        self.call = call
        await call
