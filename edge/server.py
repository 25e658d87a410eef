"""Tornado's server behind bounds: so many connections, each so strict, none that stands still for ever."""

import contextlib
from collections.abc import Iterable
from typing import Any, cast

from tornado.http1connection import HTTP1ServerConnection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPConnection, HTTPMessageDelegate
from tornado.ioloop import PeriodicCallback
from tornado.iostream import BaseIOStream, IOStream
from tornado.web import Application

from edge.admission import Admission
from edge.config import EdgeLimits
from edge.deadlines import Deadlines
from edge.inflight import InFlight
from edge.streams import ClientStream, set_options

NO_BODY_LIMIT = 2**62
"""For Tornado, which refuses with a bare 400: handlers bound bodies and say so in OpenAI's shape."""

SWEEP_SECONDS = 15.0
"""How often connections are looked at: one that is over is noticed that much later."""


class EdgeServer(HTTPServer):
    """Tornado's server, which also knows its connections, and how many there may be."""

    def initialize(  # type: ignore[override]
        self,
        application: Application,
        limits: EdgeLimits,
        admission: Admission,
        in_flight: InFlight,
    ) -> None:
        super().initialize(
            application,
            max_body_size=NO_BODY_LIMIT,
            max_header_size=limits.header_bytes,
        )
        # Tornado has a timer, two futures and a task for each wait; ours are in `Deadlines`.
        self.conn_params.header_timeout = None
        self._heads = Deadlines(limits.header_seconds)
        self._admission = admission
        self._in_flight = in_flight
        self._stall_seconds = limits.stall_seconds
        self._open: set[HTTP1ServerConnection] = set()
        period = min(SWEEP_SECONDS, limits.stall_seconds / 2)
        self._sweeping = PeriodicCallback(self._sweep, period * 1000)

    def add_sockets(self, sockets: Iterable[Any]) -> None:
        super().add_sockets(sockets)
        self._sweeping.start()

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        if not self._admission.connections.take():
            stream.close()
            return
        with contextlib.suppress(OSError):
            set_options(stream.socket)
        # What was made for the socket has not begun to use it.
        super().handle_stream(ClientStream(stream.socket, self._heads), address)

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        self._open.add(cast("HTTP1ServerConnection", server_conn))
        return super().start_request(server_conn, request_conn)

    def on_close(self, server_conn: object) -> None:
        super().on_close(server_conn)
        self._open.discard(cast("HTTP1ServerConnection", server_conn))
        self._admission.connections.give()

    async def close_connections(self, besides: Iterable[BaseIOStream] = ()) -> None:
        """Closes every connection whose stream is not in `besides`."""
        spared = set(besides)
        for connection in [conn for conn in self._open if conn.stream not in spared]:
            await connection.close()
        if not self._open:
            self._sweeping.stop()
            self._heads.stop()

    def _sweep(self) -> None:
        """Closes what is over: clients that take nothing of their answers, or have left unnoticed."""
        in_use = self._in_flight.streams()
        for connection in tuple(self._open):
            stream = cast("ClientStream", connection.stream)
            if stream.stalled_seconds() > self._stall_seconds:
                self._admission.count_stalled()
                stream.close()
            elif stream in in_use and stream.has_left():
                stream.close()
