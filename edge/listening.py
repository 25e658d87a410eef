"""Opens the sockets that the edge listens on."""

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Callable, Iterable
from functools import partial
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


Address = tuple[str | int, ...]
Open = Callable[[int, Address], socket.socket]
"""Opens one socket: of this family, at this address."""


async def open_sockets(host: str, port: int, *, reuse_port: bool = False) -> list[socket.socket]:
    """Listening sockets on every address of `host`, all on one port; `port` 0 takes a free one.

    Raises OSError if the port is in use or the host has no address here. With `reuse_port` other processes
    of this user may listen on it too, if they say the same; without, a port is never shared.
    """
    found = await asyncio.get_running_loop().getaddrinfo(
        host.strip("[]") or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    return _on_each(found, host, port, partial(_listen, reuse_port=reuse_port))


def reserve(host: str, port: int) -> list[socket.socket]:
    """Sockets that hold a port for processes that are to share it: bound to it, and never listening.

    Raises OSError as `open_sockets` does; the port must be nobody else's, who shares it or not.
    """
    found = socket.getaddrinfo(
        host.strip("[]") or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    return _on_each(found, host, port, _hold)


def _on_each(
    found: Iterable[tuple[Any, ...]], host: str, port: int, open_one: Open
) -> list[socket.socket]:
    """Opens a socket at each address that was found, all on one port."""
    addresses = sorted({(family, address) for family, _, _, _, address in found})
    failure: OSError | None = None
    with contextlib.ExitStack() as opened:
        sockets: list[socket.socket] = []
        for family, address in addresses:
            taken = sockets[0].getsockname()[1] if sockets else port
            try:
                sock = open_one(family, (address[0], taken, *address[2:]))
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


def _listen(family: int, address: Address, *, reuse_port: bool) -> socket.socket:
    sock = socket.create_server(address, family=family, backlog=BACKLOG, reuse_port=reuse_port)
    return Listener(sock.detach())


def _hold(family: int, address: Address) -> socket.socket:
    # Who listens refuses this one, also who shares the port with its like.
    with _bound(family, address, reuse_address=True, reuse_port=False) as probe:
        address = (address[0], probe.getsockname()[1], *address[2:])
    try:
        # Refuses the probes of others, until somebody listens.
        return _bound(family, address, reuse_address=False, reuse_port=True)
    except OSError:
        # Connections that have just ended may still be known here, of processes that did not share it.
        return _bound(family, address, reuse_address=True, reuse_port=True)


def _bound(
    family: int, address: Address, *, reuse_address: bool, reuse_port: bool
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse_address)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, reuse_port)
        if family == socket.AF_INET6:  # as `create_server` does
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    return sock
