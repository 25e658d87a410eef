"""A scripted provider on a real socket: it answers, drips, hangs, breaks off, or floods, as told.

A script is a coroutine function of the request and the connection. What arrived stands in
`Upstream.requests`; `Upstream.left` is set once a connection has ended, by whichever side.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """A request as it arrived."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def fields(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.body)
        return value


class Connection:
    """What a script writes to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.sent = 0
        self.is_over = False

    async def head(self, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Begin a chunked answer."""
        lines = [f"HTTP/1.1 {status} Scripted", "transfer-encoding: chunked"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        await self.raw("\r\n".join([*lines, "", ""]).encode())

    async def chunk(self, data: bytes) -> None:
        """Send a part of a chunked answer."""
        await self.raw(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.sent += len(data)

    async def end(self) -> None:
        """End a chunked answer."""
        await self.raw(b"0\r\n\r\n")

    async def raw(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def closed_by_peer(self) -> None:
        """Wait until the other side closes the connection."""
        while await self._reader.read(65536):
            pass
        self.is_over = True

    def reset(self) -> None:
        """Break the connection off."""
        self.is_over = True
        self._writer.transport.abort()


Script = Callable[[Request, Connection], Awaitable[None]]


def reply(body: bytes | object = b"", status: int = 200, **headers: str) -> Script:
    """Answer at once; a body that is not bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    names = {"content-type": "application/json"}
    names.update({name.replace("_", "-"): value for name, value in headers.items()})

    async def script(request: Request, connection: Connection) -> None:
        lines = [f"HTTP/1.1 {status} Scripted", f"content-length: {len(data)}"]
        lines += [f"{name}: {value}" for name, value in names.items()]
        await connection.raw("\r\n".join([*lines, "", ""]).encode() + data)

    return script


def drip(*parts: bytes, then: Script | None = None) -> Script:
    """Answer with an event stream, part by part; `then` replaces its regular end."""

    async def script(request: Request, connection: Connection) -> None:
        await connection.head(200, {"content-type": "text/event-stream"})
        for part in parts:
            await connection.chunk(part)
        if then:
            await then(request, connection)
        else:
            await connection.end()

    return script


async def hang(request: Request, connection: Connection) -> None:
    """Say nothing more until the other side gives up."""
    await connection.closed_by_peer()


async def reset(request: Request, connection: Connection) -> None:
    """Break off."""
    connection.reset()


async def hang_up(request: Request, connection: Connection) -> None:
    """Close the connection in good order, but too early."""
    connection.is_over = True


class Upstream:
    """A provider that follows its script for every request."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[Request] = []
        self.arrived = asyncio.Event()
        self.left = asyncio.Event()
        self.connections: list[Connection] = []
        self.port = 0
        self.server: asyncio.Server

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer)
        self.connections.append(connection)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                request = await _read(reader)
                self.requests.append(request)
                self.arrived.set()
                await self.script(request, connection)
                if connection.is_over:
                    break
        self.left.set()
        writer.close()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, target, headers, body)


@asynccontextmanager
async def upstream(script: Script) -> AsyncIterator[Upstream]:
    """Give a running provider."""
    provider = Upstream(script)
    server = provider.server = await asyncio.start_server(provider.serve, "127.0.0.1", 0)
    provider.port = server.sockets[0].getsockname()[1]
    try:
        yield provider
    finally:
        server.close()
        for connection in provider.connections:
            connection.reset()
        await server.wait_closed()


def in_turn(*scripts: Script) -> Script:
    """Follow one script after the other, request by request; the last one for all that come later."""
    left = list(scripts)

    async def script(request: Request, connection: Connection) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(request, connection)

    return script


def garbage(data: bytes = b"\x00\xff\x13 no HTTP at all\r\n\r\n") -> Script:
    """Answer with bytes that are no HTTP, and close."""

    async def script(request: Request, connection: Connection) -> None:
        await connection.raw(data)
        connection.is_over = True

    return script


def truncated(body: bytes, length: int) -> Script:
    """Announce `length` bytes, send fewer, and close in good order."""

    async def script(request: Request, connection: Connection) -> None:
        head = f"HTTP/1.1 200 Scripted\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        await connection.raw(head.encode() + body)
        connection.is_over = True

    return script
