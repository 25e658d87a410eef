"""Opens the sockets that the edge listens on."""

import asyncio
import contextlib
import errno
import os
import socket
from typing import Any

BACKLOG = 1024
"""Connections that may wait to be accepted: a burst of clients, not a queue."""


class Listener(socket.socket):
    """A listening socket that turns clients away when the process has no descriptor left for them.

    Without that, a client that cannot be accepted waits, and the event loop is woken for it again and again.
    One descriptor is kept for the moment in which there is no other. Lives as long as its server.
    """

    def __init__(self, fileno: int) -> None:
        super().__init__(fileno=fileno)
        self.settimeout(0)
        self._spare = os.open(os.devnull, os.O_RDONLY)

    def accept(self) -> tuple[socket.socket, Any]:
        """Accepts a connection. Raises BlockingIOError if none waits, or one had to be turned away."""
        try:
            return super().accept()
        except OSError as exc:
            if exc.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            self._turn_away()
            raise BlockingIOError(errno.EAGAIN, "no descriptor left") from exc

    def close(self) -> None:
        super().close()
        self._give_spare()

    def _turn_away(self) -> None:
        self._give_spare()
        with contextlib.suppress(OSError):
            super().accept()[0].close()
        # It is missing until the next time if another thread was faster.
        with contextlib.suppress(OSError):
            self._spare = os.open(os.devnull, os.O_RDONLY)

    def _give_spare(self) -> None:
        if self._spare >= 0:
            os.close(self._spare)
            self._spare = -1


async def open_sockets(host: str, port: int) -> list[socket.socket]:
    """Listening sockets on every address of `host`, all on one port; `port` 0 takes a free one.

    Raises OSError if the port is in use or the host has no address here: never shares a port.
    """
    found = await asyncio.get_running_loop().getaddrinfo(
        host.strip("[]") or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    addresses = sorted({(family, address) for family, _, _, _, address in found})
    failure: OSError | None = None
    with contextlib.ExitStack() as opened:
        sockets: list[socket.socket] = []
        for family, address in addresses:
            taken = sockets[0].getsockname()[1] if sockets else port
            try:
                sock = _listen(family, (address[0], taken, *address[2:]))
            except OSError as exc:
                # A container may resolve `localhost` to ::1 and have no such address.
                if exc.errno != errno.EADDRNOTAVAIL:
                    raise
                failure = exc
            else:
                sockets.append(opened.enter_context(sock))
        if not sockets:
            raise failure or OSError(errno.EADDRNOTAVAIL, f"{host!r} has no address")
        opened.pop_all()
    return sockets


def _listen(family: int, address: tuple[str | int, ...]) -> socket.socket:
    sock = socket.create_server(address, family=family, backlog=BACKLOG, reuse_port=False)
    return Listener(sock.detach())
