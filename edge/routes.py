"""Which handler answers which path, and how a request gets into it."""

import asyncio
import re
from typing import Any, Final, NamedTuple, cast

from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
)
from tornado.web import Application, RequestHandler

from edge.handlers import (
    BaseHandler,
    ChatHandler,
    EdgeContext,
    EmbeddingsHandler,
    ExplainHandler,
    HealthHandler,
    MetricsHandler,
    ModelsHandler,
    NotFoundHandler,
    ReadyHandler,
    UnknownHandler,
)


class Route(NamedTuple):
    """One row of the route table. `path` is a template as in `google.api.http`."""

    method: str
    path: str
    handler: type[BaseHandler]


ROUTES: Final = (
    Route("POST", "/v1/chat/completions", ChatHandler),
    Route("POST", "/v1/embeddings", EmbeddingsHandler),
    Route("GET", "/v1/models", ModelsHandler),
    Route("GET", "/v1/models/{id=**}", ModelsHandler),
    Route("POST", "/v1/route:explain", ExplainHandler),
    Route("GET", "/healthz", HealthHandler),
    Route("GET", "/readyz", ReadyHandler),
    Route("GET", "/metrics", MetricsHandler),
)

_ANY_METHOD = frozenset(RequestHandler.SUPPORTED_METHODS)


class Request(NamedTuple):
    """What handlers ask of a request. Tornado's own takes apart what nobody asks for."""

    method: str
    path: str
    version: str
    headers: HTTPHeaders
    connection: HTTPConnection


Found = tuple[type[BaseHandler], dict[str, Any]]
"""A handler, and what it is told besides the request."""


class Routes:
    """The handlers of one edge. Lives as long as the edge."""

    def __init__(self, context: EdgeContext) -> None:
        # Tornado's handlers want one; it has no routes, and nothing of it is asked for.
        self._application = Application(log_function=lambda _: None)
        rows = {
            route.path: (
                route.handler,
                {"context": context, "route": route.path, "methods": _methods(route.path)},
            )
            for route in ROUTES
        }
        none = {"context": context, "route": "none", "methods": _ANY_METHOD}
        self._fixed: dict[str, Found] = {p: row for p, row in rows.items() if "{" not in p}
        self._patterns: list[tuple[re.Pattern[str], Found]] = [
            *((re.compile(path_pattern(p)), row) for p, row in rows.items() if "{" in p),
            (re.compile(r"/v1/.*"), (UnknownHandler, none)),
            (re.compile(r".*"), (NotFoundHandler, none)),
        ]

    def begin(self, connection: HTTPConnection) -> HTTPMessageDelegate:
        """What takes the next request of a connection."""
        return _Exchange(self, connection)

    def handler(self, request: Request) -> BaseHandler:
        """The handler that answers `request`, made for it."""
        found = self._fixed.get(request.path) or next(
            found for pattern, found in self._patterns if pattern.fullmatch(request.path)
        )
        return found[0](self._application, cast("HTTPServerRequest", request), **found[1])


class _Exchange(HTTPMessageDelegate):
    """Takes one request into its handler, which is asked for the answer when all of it is there.

    As Tornado does it for handlers that take bodies by pieces, without the task and the two futures that
    it has for the way between the head and the end.
    """

    def __init__(self, routes: Routes, connection: HTTPConnection) -> None:
        self._routes = routes
        self._connection = connection
        self._handler: BaseHandler | None = None

    def headers_received(self, start_line: Any, headers: HTTPHeaders) -> Any:
        assert isinstance(start_line, RequestStartLine)  # noqa: S101 (the other kind is for clients)
        method, target, version = start_line
        request = Request(method, target.partition("?")[0], version, headers, self._connection)
        self._handler = handler = self._routes.handler(request)
        return handler.prepare()

    def data_received(self, chunk: bytes) -> Any:
        return self._taking().data_received(chunk)

    def finish(self) -> None:
        handler = self._taking()
        handler.task = asyncio.create_task(handler.run(), name="request")

    def on_connection_close(self) -> None:
        if self._handler is not None:
            self._handler.on_connection_close()

    def _taking(self) -> BaseHandler:
        assert self._handler is not None  # noqa: S101 (a body comes behind its head)
        return self._handler


def path_pattern(template: str) -> str:
    """The regular expression for a path template; `{name=**}` is one or more of anything."""
    literals = re.split(r"\{\w+=\*\*\}", template)
    return ".+".join(map(re.escape, literals))


def _methods(path: str) -> frozenset[str]:
    methods = {route.method for route in ROUTES if route.path == path}
    # What can be read can be asked for without its body.
    return frozenset(methods | {"HEAD"} if "GET" in methods else methods)
