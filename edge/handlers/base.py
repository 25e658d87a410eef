"""What every handler shares: one way in, one way out.

Strategy: `prepare` is called when the headers are there, `data_received` for each piece of the body, and
`run` when all of it is there. In `run` ends everything that can go wrong: the request is answered once, by
`answer` or by `fail`.

A refusal that the headers alone justify still waits for a small body, because an answer in front of
an unread body costs the connection. In front of a large one the answer goes out at once and the rest is
read and dropped for a while: closing at once would reset the connection, and the client might never
read why.

`on_connection_close` cancels whatever RPC runs (`call`), which cancels the upstream request.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import grpc
import structlog
from tornado.httputil import (
    HTTPHeaders,
    HTTPServerRequest,
    ResponseStartLine,
    format_timestamp,
)
from tornado.iostream import StreamClosedError
from tornado.web import Application, RequestHandler

from edge.admission import Admission
from edge.config import EdgeConfig
from edge.connection import ClientConnection
from edge.cors import CorsPolicy
from edge.deadlines import Deadlines
from edge.headers import Pairs, request_id
from edge.inflight import InFlight
from edge.metrics import CLIENT_GONE, EdgeMetrics
from edge.readiness import Check
from edge.status import HttpFailure, from_rpc_error, refusal
from trunkline.v1.forward_service_pb2_grpc import ForwardServiceStub
from trunkline.v1.model_service_pb2_grpc import ModelServiceStub

_log = structlog.get_logger("trunkline.edge")

DISCARD_BYTES = 1024 * 1024
"""A refused request's body up to this size is read, so that the connection can be used again."""

LINGER_BYTES = 256 * 1024 * 1024
LINGER_SECONDS = 5.0
"""How much, and for how long, is read and dropped after an answer in front of an unread body."""

_INTERNAL = refusal("INTERNAL", "The gateway failed to answer the request.")
_BUSY = refusal("OVERLOADED", "The gateway has too much to do at the moment.")
_MISFRAMED = refusal("INVALID_REQUEST", "HTTP/1.0 has no Transfer-Encoding.")
_AWAY = refusal("NO_HEALTHY_DEPLOYMENT", "The gateway is stopping.")


@dataclass(slots=True)
class EdgeContext:
    """What handlers work with. One for all requests; lives as long as the edge.

    `config` and `cors` are replaced when the edge is configured anew. `bodies` bounds how long one may take
    to come. `check_health` asks each router by itself.
    """

    config: EdgeConfig
    cors: CorsPolicy
    in_flight: InFlight
    metrics: EdgeMetrics
    admission: Admission
    bodies: Deadlines
    forward: ForwardServiceStub
    models: ModelServiceStub
    check_health: tuple[Check, ...]


class BaseHandler(RequestHandler):
    """Answers one request. Subclasses implement `answer`, and `find_refusal` where headers can be wrong.

    `route` is the path template of the route, or what to call none; `methods` are those it has. `length` is
    the Content-Length; 0 if there is none. `task` is that of `run`.
    """

    # Beyond thirty names the dictionary takes four times as much, and Tornado has a dozen in it.
    __slots__ = (
        "_body",
        "_held",
        "_is_admitted",
        "_is_dispatched",
        "_is_gone",
        "_is_settled",
        "_linger",
        "_received",
        "_refusal",
        "_started",
        "call",
        "connection",
        "context",
        "is_committed",
        "length",
        "methods",
        "request_id",
        "route",
        "task",
    )

    body_limit = DISCARD_BYTES

    is_counted = True
    """Whether it is one of the requests that an edge takes on so many of at once."""

    keeps_body = False
    """Whether `answer` takes the body; otherwise it is read and dropped."""

    asks_router_first = False
    """Whether the router hears of a wrong method or path: where keys are checked, only who has one may
    know."""

    def __init__(self, application: Application, request: HTTPServerRequest, **told: Any) -> None:
        # As Tornado does, without what only templates need.
        self.application = application
        self.request = request
        self._headers_written = self._finished = False
        self.clear()
        self.connection = cast("ClientConnection", request.connection)
        self.connection.set_close_callback(self.on_connection_close)
        self.initialize(**told)

    def initialize(self, context: EdgeContext, route: str, methods: frozenset[str]) -> None:
        self.context = context
        self.route = route
        self.methods = methods
        self.request_id = request_id(self.request.headers)
        self.length = int(self.request.headers.get("content-length", 0))
        self.is_committed = False
        self.task: asyncio.Task[None] | None = None
        self._transforms = []  # by which Tornado would change what is written
        self._body: bytes | bytearray = b""
        self._received = 0
        self._held = 0
        self._is_admitted = False
        self._refusal: HttpFailure | None = None
        self._linger: asyncio.TimerHandle | None = None
        self.call: grpc.aio.RpcContext | None = None
        self._is_dispatched = False
        self._is_gone = False
        self._is_settled = False
        self._started = time.perf_counter()
        context.in_flight.add(self)
        context.metrics.begin()
        if self._has_body():
            context.bodies.begin(self.connection)

    # What subclasses provide

    async def answer(self) -> None:
        """Answers the request. May raise AioRpcError."""
        raise NotImplementedError

    def find_refusal(self) -> HttpFailure | None:
        """Why the request is refused for its headers; None if it is not."""
        return None

    async def refuse_method(self) -> None:
        """Answers a method that there is not; only asked where the router hears of it first."""
        raise NotImplementedError

    # The way in

    def clear(self) -> None:
        # As Tornado does, without the headers that no answer of ours has, and without writing out the
        # date of a second more than once. All names are in lower case, so that a dictionary will do.
        self._headers = cast("HTTPHeaders", {"date": _date(int(time.time()))})
        self._write_buffer: list[bytes] = []
        self._status_code = 200
        self._reason = "OK"

    def prepare(self) -> Awaitable[None] | None:
        try:
            self._refusal = self._find_early_refusal()
        except Exception:  # noqa: BLE001 - nothing unforeseen ends in silence
            self._log_fault()
            self._refusal = _INTERNAL
        if self._refusal is None:
            return None
        # Who asks before it sends its body sends none now: the answer is the end of it.
        if "expect" in self.request.headers or self._is_misframed():
            return self._refuse_and_close(self._refusal)
        if self.length > DISCARD_BYTES or self._refusal.status == 413 or self._must_not_wait():
            return self._refuse_early(self._refusal)
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        self._received += len(chunk)
        if self._linger is not None:
            if self._received > LINGER_BYTES:
                self.connection.close()
            return None
        if self._refusal is None:
            self._refusal = self._find_overrun(len(chunk))
            if self._refusal is None:
                self._keep(chunk)
                return None
            self._let_go()
        if self._must_not_wait() or self._received > min(DISCARD_BYTES, self.body_limit):
            return self._refuse_early(self._refusal)
        return None

    def take_body(self) -> bytes:
        """The whole request body; can be taken once."""
        body, self._body = self._body, b""
        return bytes(body)

    def _find_overrun(self, more: int) -> HttpFailure | None:
        """Why no more of the body is taken; None if `more` bytes are, which are counted then."""
        if self._received > self.body_limit:
            return self._too_large()
        if self.keeps_body:
            if not self.context.admission.held_bytes.take(more):
                return _BUSY
            self._held += more
        return None

    def _let_go(self) -> None:
        self._body = b""
        self.context.admission.held_bytes.give(self._held)
        self._held = 0

    def _keep(self, chunk: bytes) -> None:
        if not self.keeps_body:
            return
        # Most bodies come in one piece, which is kept as it is. Pieces are joined as they come: a list
        # of them would cost a multiple of the limit if each held one byte.
        if not self._body:
            self._body = chunk
            return
        if isinstance(self._body, bytes):
            self._body = bytearray(self._body)
        self._body += chunk

    def _find_early_refusal(self) -> HttpFailure | None:
        if not self._enter():
            return _BUSY
        if self._is_misframed():
            return _MISFRAMED
        return None if self._is_preflight() else self._judge_headers()

    def _judge_headers(self) -> HttpFailure | None:
        method = self.request.method
        # Who sends a large body learns at once that it is for nothing.
        asks_router = self.asks_router_first and self.length <= DISCARD_BYTES
        if method not in self.methods and not asks_router:
            return refusal("METHOD_NOT_ALLOWED", f"Method {method} is not allowed here.")
        found = self.find_refusal()
        if found is None and self.length > self.body_limit:
            return self._too_large()
        if found is None and self.keeps_body:
            # Who would not find room learns it before sending; what is sent is counted as it comes.
            budget = self.context.admission.held_bytes
            return None if budget.has_room(self.length) else _BUSY
        return found

    def _enter(self) -> bool:
        """Takes the request on, if that is still possible; `_settle` gives its place back."""
        self._is_admitted = self.is_counted and self.context.admission.requests.take()
        return self._is_admitted or not self.is_counted

    def _must_not_wait(self) -> bool:
        """Whether the answer goes out in front of the body, however small it is: there is no room for it."""
        return self._refusal is _BUSY and self._has_body()

    def _has_body(self) -> bool:
        return self.length > 0 or "transfer-encoding" in self.request.headers

    def _too_large(self) -> HttpFailure:
        return refusal(
            "PAYLOAD_TOO_LARGE", f"The request body is over the limit of {self.body_limit} bytes."
        )

    def _is_misframed(self) -> bool:
        """Whether an old proxy in front of us would see the end of the body elsewhere than we do."""
        return self.request.version == "HTTP/1.0" and "transfer-encoding" in self.request.headers

    def _is_preflight(self) -> bool:
        return self.context.cors.is_preflight(self.request.method, self.request.headers)

    async def run(self) -> None:
        """Answers the request, all of which is there."""
        self._is_dispatched = True
        self.context.bodies.end(self.connection)
        try:
            if not self._is_gone:
                await self._answer_once()
        except StreamClosedError:
            # The client left while its answer was written; whoever makes the rest of it may stop.
            self._is_gone = True
            self.cancel_call()
        except asyncio.CancelledError:
            # Cancelling the call for a client that left comes out here; anything else goes on up.
            if not self._is_gone:
                raise
        except Exception:  # noqa: BLE001 - as below, where not even a failure could be told
            self._log_fault()
            self.connection.close()
        finally:
            self._settle()

    async def _answer_once(self) -> None:
        try:
            if self._linger is not None:
                # Answered already, and now the body is in.
                await self.end()
            elif self._refusal is not None:
                await self.fail(self._refusal)
            elif self._is_preflight():
                await self._answer_preflight()
            elif self.request.method not in self.methods:
                await self.refuse_method()
            else:
                await self.answer()
        except grpc.aio.AioRpcError as exc:
            await self.fail(from_rpc_error(exc, is_committed=self.is_committed))
        except StreamClosedError:
            raise
        except asyncio.CancelledError:
            if self._is_gone or _is_task_cancelled():
                raise
            # The channel was closed under the call.
            await self.fail(_AWAY)
        except Exception:  # noqa: BLE001 - the outermost one: nothing unforeseen ends in silence
            self._log_fault()
            await self._fail_amid()

    # The way out

    def begin(self, status: int, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Sets status and headers of the answer; `headers` win over the usual ones. All are printable."""
        self.set_status(status)
        own = self._headers
        own["x-request-id"] = self.request_id
        own.update(self.context.cors.headers(self.request.headers.get("origin")))
        if self.context.in_flight.is_draining:
            own["connection"] = "close"
        own.update(headers)

    async def end(self, body: bytes | None = None) -> None:
        """Sends what is left of the answer and waits until it has left."""
        await self.finish(body)
        if self.context.in_flight.is_draining:  # which may have begun behind the head
            self.connection.close()

    async def send_json(self, status: int, body: bytes, headers: Pairs = ()) -> None:
        """Answers with a JSON body."""
        self.begin(status, headers)
        self.set_header("content-type", "application/json")
        await self.end(body)

    async def fail(self, failure: HttpFailure) -> None:
        """Answers with a failure."""
        self._log_failure(failure)
        self._begin_failure(failure)
        await self.end(failure.body)

    def finish(self, chunk: bytes | None = None) -> "asyncio.Future[None]":  # type: ignore[override]
        """Sends a whole answer, or ends one that has begun.

        As Tornado does, without what no answer here has: entity tags, templates, an access log.
        """
        if self._headers_written:
            return super().finish(chunk)
        headers, body = self._headers, chunk or b""
        if self._status_code != 204:
            headers["content-length"] = str(len(body))
        self._headers_written = self._finished = True
        line = ResponseStartLine("", self._status_code, self._reason)
        is_bare = self.request.method == "HEAD"
        written = self.connection.write_headers(line, headers, b"" if is_bare else body)
        self.connection.finish()
        self.on_finish()
        return written

    def on_finish(self) -> None:
        if not self._is_dispatched:
            self._settle()

    def cancel_call(self) -> None:
        """Ends the call under way, if there is one."""
        if self.call is not None:
            self.call.cancel()

    def on_connection_close(self) -> None:
        self._is_gone = True
        self.cancel_call()
        if not self._is_dispatched:
            self._settle()

    async def _fail_amid(self) -> None:
        """Answers where something unforeseen has ended the answer, which may have begun."""
        if self._headers_written and not self.is_committed:
            self.connection.close()  # half an answer must not look like a whole one
        else:
            await self.fail(_INTERNAL)

    def _begin_failure(self, failure: HttpFailure) -> None:
        self.begin(failure.status, failure.headers)
        self.set_header("content-type", "application/json")
        if failure.retry_after is not None:
            self.set_header("retry-after", str(failure.retry_after))
        if failure.status == 405:
            self.set_header("allow", ", ".join(sorted(self.methods)))

    async def _answer_preflight(self) -> None:
        self.begin(204, self.context.cors.preflight_headers(self.request.headers, self.methods))
        await self.end()

    async def _refuse_and_close(self, failure: HttpFailure) -> None:
        """Answers in place of reading the body."""
        self._log_failure(failure)
        self._begin_failure(failure)
        self.set_header("connection", "close")
        await self.end(failure.body)

    async def _refuse_early(self, failure: HttpFailure) -> None:
        """Answers before the body has been read; what still comes is dropped, for a while."""
        loop = asyncio.get_running_loop()
        self._linger = loop.call_later(LINGER_SECONDS, self.connection.close)
        self._log_failure(failure)
        self._begin_failure(failure)
        self.set_header("connection", "close")
        self.set_header("content-length", str(len(failure.body)))
        self.write(failure.body)
        with contextlib.suppress(StreamClosedError):
            await self.flush()

    def _log_fault(self) -> None:
        _log.exception("request_failed", request_id=self.request_id, route=self.route)

    def _log_failure(self, failure: HttpFailure) -> None:
        """One line for a request that no router has logged."""
        if not failure.is_told:
            write = _log.warning if failure.status >= 500 else _log.info
            write(
                "request_refused",
                request_id=self.request_id,
                method=self.request.method,
                path=self.request.path[:200],
                status=failure.status,
                reason=failure.reason,
            )

    def _settle(self) -> None:
        """Takes the request out of the books, once, whichever way it ended."""
        if self._is_settled:
            return
        self._is_settled = True
        if self._linger is not None:
            self._linger.cancel()
        if not self._is_dispatched:
            self.context.bodies.end(self.connection)
        self.context.in_flight.discard(self)
        self._let_go()
        if self._is_admitted:
            self.context.admission.requests.give()
        status = self.get_status() if self._headers_written else CLIENT_GONE
        self.context.metrics.end(self.route, status, time.perf_counter() - self._started)


class NotFoundHandler(BaseHandler):
    """Every path that no route has."""

    def find_refusal(self) -> HttpFailure:
        return nothing_at(self.request)


@lru_cache(maxsize=2)
def _date(seconds: int) -> str:
    return format_timestamp(seconds)


def nothing_at(request: HTTPServerRequest) -> HttpFailure:
    """The refusal of a path that there is not."""
    return refusal("NOT_FOUND", f"Unknown URL: {request.method} {request.path[:200]}")


def _is_task_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
