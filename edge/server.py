"""Accepts clients within bounds: so many connections, each so strict, none that stands still for ever."""

import asyncio
from collections.abc import Callable, Iterable
from socket import socket

from tornado.httputil import HTTPConnection, HTTPMessageDelegate
from tornado.ioloop import PeriodicCallback

from edge.admission import Admission
from edge.config import EdgeLimits
from edge.connection import ClientConnection
from edge.deadlines import Deadlines
from edge.listening import BACKLOG

SWEEP_SECONDS = 15.0
"""How often connections are looked at: one that stands still is noticed that much later."""


Begin = Callable[[HTTPConnection], HTTPMessageDelegate]
"""Gives what takes the next request of a connection."""


class EdgeServer:
    """Listens, and knows its connections. Lives as long as the edge."""

    def __init__(self, begin: Begin, limits: EdgeLimits, admission: Admission) -> None:
        self.heads = Deadlines(limits.header_seconds)
        self.head_bytes = limits.header_bytes
        self.begin = begin
        self._admission = admission
        self._stall_seconds = limits.stall_seconds
        self._open: set[ClientConnection] = set()
        self._listening: list[asyncio.Server] = []
        period = min(SWEEP_SECONDS, limits.stall_seconds / 2)
        self._sweeping = PeriodicCallback(self._sweep, period * 1000)

    async def listen(self, sockets: Iterable[socket]) -> None:
        """Accepts what comes to these sockets, which are the server's own from now on."""
        loop = asyncio.get_running_loop()
        for sock in sockets:
            server = await loop.create_server(
                lambda: ClientConnection(self), sock=sock, backlog=BACKLOG
            )
            self._listening.append(server)
        self._sweeping.start()

    def stop(self) -> None:
        """Accepts nobody any more; whoever is connected stays."""
        for server in self._listening:
            server.close()
        self._listening.clear()

    async def close_connections(self, besides: Iterable[HTTPConnection] = ()) -> None:
        """Closes every connection that is not in `besides`."""
        closing = self._open - set(besides)
        for connection in closing:
            connection.close()
        await asyncio.gather(*(connection.wait_closed() for connection in closing))
        if not self._open:
            self._sweeping.stop()
            self.heads.stop()

    # As a connection sees it

    def open(self, connection: ClientConnection) -> bool:
        if not self._admission.connections.take():
            return False
        self._open.add(connection)
        return True

    def forget(self, connection: ClientConnection) -> None:
        if connection in self._open:
            self._open.remove(connection)
            self._admission.connections.give()

    def _sweep(self) -> None:
        """Closes clients that take nothing of their answers."""
        for connection in tuple(self._open):
            if connection.stalled_seconds() > self._stall_seconds:
                self._admission.count_stalled()
                connection.close()
