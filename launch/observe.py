"""A small HTTP port for a router that runs alone: what an edge would serve of the process.

`/healthz`, `/readyz` and `/metrics`, with the answers that an edge gives. Beyond loopback `/metrics` needs
one of the router's keys, as it does at an edge.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import CONTENT_TYPE_LATEST
from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from edge.listening import open_sockets
from edge.metrics import Show
from router.errors import UnauthenticatedError
from router.values import Secret
from trunkline.v1.status_pb2 import RouterStatus


@dataclass(frozen=True, slots=True)
class Observed:
    """What is shown. `check` accepts a credential or raises; None where none is needed.

    With `reuse_port` other workers listen on the same port.
    """

    status: Callable[[], RouterStatus]
    show: Show
    check: Callable[[Secret | None], None] | None
    reuse_port: bool = False


class _Handler(RequestHandler):
    def initialize(self, observed: Observed) -> None:
        self.observed = observed

    def set_default_headers(self) -> None:
        self.clear_header("server")

    def send_json(self, status: int, value: object) -> None:
        self.set_status(status)
        self.set_header("content-type", "application/json")
        _ = self.finish(json.dumps(value))


class _Health(_Handler):
    def get(self) -> None:
        self.send_json(200, {"status": "ok"})


class _Ready(_Handler):
    def get(self) -> None:
        state = self.observed.status()
        degraded = list(state.degraded)
        if state.draining or not state.serves_list:
            self.send_json(503, {"status": "unavailable", "degraded": degraded})
        else:
            self.send_json(200, {"status": "degraded" if degraded else "ok", "degraded": degraded})


class _Metrics(_Handler):
    async def get(self) -> None:
        given = self.request.headers.get("authorization")
        try:
            if self.observed.check:
                self.observed.check(Secret(given) if given else None)
        except UnauthenticatedError as exc:
            fields = {"type": "invalid_request_error", "param": None, "code": "invalid_api_key"}
            self.send_json(401, {"error": {"message": exc.message, **fields}})
            return
        self.set_header("content-type", CONTENT_TYPE_LATEST)
        _ = self.finish(await self.observed.show())


class _NotFound(_Handler):
    def prepare(self) -> None:
        fields = {"type": "invalid_request_error", "param": None, "code": None}
        self.send_json(404, {"error": {"message": "There is nothing at this URL.", **fields}})


async def listen(host: str, port: int, observed: Observed) -> tuple[HTTPServer, int]:
    """Listen; return the server, which the caller stops, and its port.

    Raises:
        OSError: if the port cannot be had.

    """
    routes = [("/healthz", _Health), ("/readyz", _Ready), ("/metrics", _Metrics)]
    arguments = {"observed": observed}
    application = Application(
        [(path, handler, arguments) for path, handler in routes],
        default_handler_class=_NotFound,
        default_handler_args=arguments,
        log_function=lambda _: None,
    )
    server = HTTPServer(application)
    sockets = await open_sockets(host, port, reuse_port=observed.reuse_port)
    server.add_sockets(sockets)
    return server, int(sockets[0].getsockname()[1])
