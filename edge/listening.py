"""Opens the sockets that the edge listens on."""

import asyncio
import contextlib
import errno
import socket

BACKLOG = 1024
"""Connections that may wait to be accepted: a burst of clients, not a queue."""


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
    sock.settimeout(0)
    return sock
