"""For those who run the edge: is it alive, is it ready, what does it count."""

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST

from edge.handlers.base import BaseHandler
from edge.headers import call_metadata
from edge.readiness import States, ask_routers, can_serve
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
    """GET /readyz: 200 while a router answers that serves a list, else 503; says what is wrong."""

    async def answer(self) -> None:
        states = await ask_routers(self.context.check_health, ASK_SECONDS)
        is_draining = self.context.in_flight.is_draining
        is_ready = not is_draining and any(map(can_serve, states))
        found = find_degraded(states, is_draining=is_draining)
        status = "unavailable" if not is_ready else "degraded" if found else "ok"
        body = msgspec.json.encode({"status": status, "degraded": found})
        await self.send_json(200 if is_ready else 503, body, _NO_STORE)


def find_degraded(states: States, *, is_draining: bool) -> list[str]:
    """What does not work as it should, one sentence each; empty if all is well.

    Of several routers each is called by its place in the configured list: who asks needs no key, and
    addresses are nobody else's business.
    """
    answers = [state for state in states if state is not None]
    found = _standing({"The edge is stopping.": is_draining, "No router answers.": not answers})
    if len(states) == 1 or not answers:
        return [*found, *(sentence for state in answers for sentence in _of_router(state))]
    return found + [
        f"Router {number} of {len(states)}: {sentence}"
        for number, state in enumerate(states, 1)
        for sentence in _of_router(state)
    ]


def _of_router(state: RouterStatus | None) -> list[str]:
    if state is None:
        return ["No answer."]
    obstacles = {
        "The router is stopping.": state.draining,
        "No model list is served.": not state.serves_list,
    }
    return [*_standing(obstacles), *state.degraded]


def _standing(sentences: dict[str, bool]) -> list[str]:
    return [sentence for sentence, stands in sentences.items() if stands]


class MetricsHandler(_OperationsHandler):
    """GET /metrics: what was counted, in Prometheus' text format. Beyond loopback it takes a key."""

    async def answer(self) -> None:
        if self.context.config.is_beyond_loopback:
            await self._require_key()
        shown = await self.context.metrics.show()
        self.begin(200, _NO_STORE)
        self.set_header("content-type", CONTENT_TYPE_LATEST)
        await self.end(shown)

    async def _require_key(self) -> None:
        """Lets the router judge the credential by its cheapest call. Raises AioRpcError."""
        call = self.context.models.ListModels(
            ListModelsRequest(page_size=1),
            timeout=ASK_SECONDS,
            metadata=call_metadata(self.request.headers, self.request_id),
        )
        self.call = call
        await call
