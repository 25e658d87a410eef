import contextlib
import socket

import pytest

from edge.listening import open_sockets, reserve


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


async def test_a_reserved_port_is_kept_for_those_who_share_it() -> None:
    with contextlib.ExitStack() as opened:
        held = [opened.enter_context(sock) for sock in reserve("localhost", 0)]
        port = held[0].getsockname()[1]
        assert {sock.getsockname()[1] for sock in held} == {port}
        with pytest.raises(OSError, match="in use"):
            reserve("127.0.0.1", port)
        with pytest.raises(OSError, match="in use"):
            await open_sockets("127.0.0.1", port)
        for _ in range(2):
            for sock in await open_sockets("localhost", port, reuse_port=True):
                opened.enter_context(sock)
        with socket.create_connection(("127.0.0.1", port)):
            pass


@pytest.mark.parametrize("is_shared", [False, True])
async def test_a_port_that_others_listen_on_cannot_be_reserved(is_shared: bool) -> None:
    (taken,) = await open_sockets("127.0.0.1", 0, reuse_port=is_shared)
    with taken, pytest.raises(OSError, match="in use"):
        reserve("127.0.0.1", taken.getsockname()[1])


async def test_connections_that_have_just_ended_keep_no_port_from_being_reserved() -> None:
    (listener,) = await open_sockets("127.0.0.1", 0)
    port = listener.getsockname()[1]
    with listener, socket.create_connection(("127.0.0.1", port)) as client:
        listener.accept()[0].close()  # who closes first remembers the connection for a minute
        client.recv(1)

    for sock in reserve("127.0.0.1", port):
        with sock, contextlib.ExitStack() as opened:
            for _ in range(2):
                for shared in await open_sockets("127.0.0.1", port, reuse_port=True):
                    opened.enter_context(shared)
