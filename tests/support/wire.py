"""A client that sends whatever bytes a test wants, whole or in drops, and reads as it likes."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.one_provider import PATIENCE


@dataclass
class Answer:
    """An answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = json.loads(self.body)["error"]
        assert error.keys() == {"message", "type", "param", "code"}
        return error


class Wire:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await asyncio.wait_for(self.writer.drain(), PATIENCE)

    async def drip(self, data: bytes) -> bytes:
        """Send byte after byte, without end, until the other side closes; give what it said."""
        async with asyncio.timeout(PATIENCE):
            reading = asyncio.ensure_future(self.rest())
            with contextlib.suppress(ConnectionError):
                while not reading.done():
                    self.writer.write(data)
                    await self.writer.drain()
                    await asyncio.wait((reading,), timeout=0.02)
            return await reading

    async def answer(self) -> Answer:
        """Read one answer that tells its length."""
        async with asyncio.timeout(PATIENCE):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            pairs = (line.partition(":") for line in lines)
            headers = {name.lower(): value.strip() for name, _, value in pairs}
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
            return Answer(int(first.split()[1]), headers, body)

    async def until(self, mark: bytes) -> bytes:
        return await asyncio.wait_for(self.reader.readuntil(mark), PATIENCE)

    async def rest(self) -> bytes:
        """Read until the other side closes, in whichever way."""
        parts = []
        with contextlib.suppress(ConnectionError):
            while part := await asyncio.wait_for(self.reader.read(65536), PATIENCE):
                parts.append(part)
        return b"".join(parts)

    async def is_served(self) -> bool:
        """Whether the gateway answers here, and does not close."""
        try:
            await self.send(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            return (await self.answer()).status == 200
        except (ConnectionError, asyncio.IncompleteReadError):
            return False

    def leave(self) -> None:
        self.writer.transport.abort()


@contextlib.asynccontextmanager
async def wire(url: str, *, receive_buffer: int = 0) -> AsyncIterator[Wire]:
    """Give a connection to the gateway at `url`."""
    host, port = url.removeprefix("http://").split(":")
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.setblocking(False)
    await asyncio.wait_for(
        asyncio.get_running_loop().sock_connect(sock, (host, int(port))), PATIENCE
    )
    reader, writer = await asyncio.open_connection(sock=sock, limit=65536)
    opened = Wire(reader, writer)
    try:
        yield opened
    finally:
        opened.leave()


def post(body: object, *headers: str, length: int | None = None, version: str = "1.1") -> bytes:
    """A chat request as bytes; `length` is what it says of its body."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [
        f"POST /v1/chat/completions HTTP/{version}",
        "host: x",
        "content-type: application/json",
        f"content-length: {len(data) if length is None else length}",
        *headers,
    ]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + data


async def eventually(is_true: Callable[[], bool]) -> None:
    """Wait until a condition holds that no event tells of."""
    async with asyncio.timeout(PATIENCE):
        while not is_true():  # noqa: ASYNC110 (what is looked at has no event)
            await asyncio.sleep(0.01)
