import contextlib
import socket

import pytest

from edge.listening import open_sockets


async def test_port_0_takes_one_free_port_for_all_addresses() -> None:
    sockets = await open_sockets("localhost", 0)
    try:
        assert len({sock.getsockname()[1] for sock in sockets}) == 1
        assert sockets[0].getsockname()[1] != 0
        assert all(sock.getblocking() is False for sock in sockets)
    finally:
        for sock in sockets:
            sock.close()


async def test_a_port_in_use_is_an_error_and_leaves_nothing_open() -> None:
    with (
        contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken,
        pytest.raises(OSError, match="in use"),
    ):
        await open_sockets("127.0.0.1", taken.getsockname()[1])


async def test_a_host_that_is_not_here_is_an_error() -> None:
    with pytest.raises(OSError, match=r"192\.0\.2\.1|assign"):
        await open_sockets("192.0.2.1", 0)
