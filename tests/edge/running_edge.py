"""An edge that runs, and what tests do with its port."""

import asyncio
import socket
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from prometheus_client import CollectorRegistry

from edge.app import EdgeApp

T = TypeVar("T")

PATIENCE = 90.0
"""Seconds after which something that should happen is taken as not happening."""


@dataclass
class RunningEdge:
    app: EdgeApp
    port: int
    registry: CollectorRegistry

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def count(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


class StartEdge(Protocol):
    async def __call__(self, **fields: Any) -> RunningEdge: ...


async def soon(awaitable: Awaitable[T]) -> T:
    return await asyncio.wait_for(awaitable, PATIENCE)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class RawClient:
    """HTTP/1 by hand, for what a good client would never send."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, edge: RunningEdge, *, receive_buffer: int = 0) -> "RawClient":
        sock = socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", edge.port))
        except OSError:
            sock.close()
            raise
        # A small limit keeps the client from reading ahead of the test.
        reader, writer = await asyncio.open_connection(sock=sock, limit=65536)
        return cls(reader, writer)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await soon(self.writer.drain())

    async def post(self, body: bytes, *headers: str, length: int | None = None) -> None:
        head = [
            "POST /v1/chat/completions HTTP/1.1",
            "host: edge",
            f"content-length: {len(body) if length is None else length}",
            *headers,
        ]
        await self.send("\r\n".join(head).encode() + b"\r\n\r\n" + body)

    async def read_head(self) -> Answer:
        head = await soon(self.reader.readuntil(b"\r\n\r\n"))
        start, *lines = head.decode("latin-1").strip().split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        return Answer(int(start.split()[1]), headers, b"")

    async def read_answer(self) -> Answer:
        answer = await self.read_head()
        answer.body = await soon(self.reader.readexactly(int(answer.headers["content-length"])))
        return answer

    async def read_rest(self) -> bytes:
        return await soon(self.reader.read())

    async def is_closed_by_peer(self) -> bool:
        try:
            return await self.read_rest() == b""
        except ConnectionResetError:
            return True

    def leave(self) -> None:
        self.writer.transport.abort()
