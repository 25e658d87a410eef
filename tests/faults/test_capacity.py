"""One process holds ten thousand idle clients and serves two thousand streams at once, and forgets them."""

import asyncio
import resource
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.faults import holding_provider
from tests.support.gateway import row, write_list
from tests.support.one_provider import OPENAI, request
from tests.support.process import PATIENCE, open_descriptors, started
from tests.support.wire import Wire, post, wire

IDLE = 10_000
STREAMS = 2_000
AT_ONCE = 250
"""Connections that are being opened at the same time: fewer than wait to be accepted."""

PATIENCE_FOR_ALL = 90
"""Seconds for two thousand streams on a slow machine; nothing is asserted of the time they take."""

NEEDED = IDLE + 2 * STREAMS + 1_000
"""Descriptors of the gateway, which needs the most of them."""

SPARE = 20
"""Descriptors that a gateway may keep besides: its channel to the router, what the system opens late."""

pytestmark = pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_NOFILE)[1] < NEEDED,
    reason=f"the hard limit of descriptors (ulimit -Hn) must be {NEEDED} or more",
)


@pytest.fixture
def room() -> Iterator[None]:
    """As many descriptors for the clients as this machine gives."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@asynccontextmanager
async def provider() -> AsyncIterator[tuple[str, asyncio.StreamWriter]]:
    """Give a holding provider's address, and where a line lets its streams end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        holding_provider.__file__,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    assert process.stdin
    try:
        port = int(await asyncio.wait_for(process.stdout.readline(), PATIENCE))
        yield f"http://127.0.0.1:{port}", process.stdin
    finally:
        process.kill()
        await process.communicate()


async def idle_connection(url: str, gate: asyncio.Semaphore) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    sock = socket.socket()
    sock.setblocking(False)
    async with gate:
        await asyncio.get_running_loop().sock_connect(sock, (host, int(port)))
    return sock


def is_open(sock: socket.socket) -> bool:
    try:
        sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    return False


async def is_served(sock: socket.socket) -> bool:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
    return (await loop.sock_recv(sock, 4096)).startswith(b"HTTP/1.1 200 ")


async def begin(client: Wire) -> bytes:
    """Ask for a stream and read its answer up to the first content."""
    await client.send(post(request(stream=True)))
    return await client.reader.readuntil(b"\n\n\r\n")


async def finish(client: Wire) -> bytes:
    return await client.reader.readuntil(b"\r\n0\r\n\r\n")


async def until_given_back(pid: int, count: int) -> None:
    """Wait until a process has no more than `count` descriptors open."""
    async with asyncio.timeout(PATIENCE_FOR_ALL):
        while len(open_descriptors(pid)) > count:  # noqa: ASYNC110 (another process tells no event)
            await asyncio.sleep(0.1)


async def serve_all(url: str, go_on: Callable[[], None], gate: asyncio.Semaphore) -> None:
    """Have all streams open at once, then let them end, and see that none has failed."""
    async with AsyncExitStack() as stack, asyncio.timeout(PATIENCE_FOR_ALL):

        async def connect() -> Wire:
            async with gate:
                return await stack.enter_async_context(wire(url))

        clients = await asyncio.gather(*(connect() for _ in range(STREAMS)))
        begun = await asyncio.gather(*map(begin, clients))
        assert all(part.startswith(b"HTTP/1.1 200 ") and b'"0 "' in part for part in begun)

        go_on()
        ended = await asyncio.gather(*map(finish, clients))
        numbers = [f'"{number} "'.encode() for number in range(1, holding_provider.CHUNKS)]
        assert all(all(number in part for number in numbers) for part in ended)
        assert all(part.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n") for part in ended)


async def test_ten_thousand_idle_and_two_thousand_streaming_clients_are_held_and_forgotten(
    tmp_path: Path, room: None
) -> None:
    gate = asyncio.Semaphore(AT_ONCE)
    async with provider() as (address, control):
        environ = {
            "MODEL_LIST_URL": write_list(tmp_path / "models.json", [row("m", OPENAI)]),
            "TRUNKLINE_PROVIDERS__OPENAI__BASE_URL": address,
            "OPENAI_API_KEY": "none",
            # All ask at the same moment, so that the last one waits for its turn to connect.
            "TRUNKLINE_TIMEOUTS__CONNECT": str(PATIENCE_FOR_ALL),
            "TRUNKLINE_LOG_LEVEL": "warning",
        }
        async with started("serve", state=tmp_path, **environ) as gateway:
            pid = gateway.process.pid
            before = len(open_descriptors(pid))
            connecting = (idle_connection(gateway.url, gate) for _ in range(IDLE))
            idle = await asyncio.gather(*connecting)
            try:
                await serve_all(gateway.url, lambda: control.write(b"go on\n"), gate)
                assert all(map(is_open, idle))
                assert all(await asyncio.gather(*map(is_served, idle[:: IDLE // 100])))
            finally:
                for sock in idle:
                    sock.close()

            await until_given_back(pid, before + SPARE)
            gateway.process.terminate()
            assert await gateway.end() == (0, "")
