"""One request on a connection of aiohttp's pool, without aiohttp's client around it.

The pool, names, TLS and the parser of answers are aiohttp's. What its client does besides for each request
(cookies, redirects, forms, a task that writes, time-outs of its own) costs more than all of that, and a call
to a provider needs none of it. What does need more goes by the client: see `http.py`.

Source: aiohttp's own client (`ClientSession._request`), whose order of steps this keeps.
"""

from collections.abc import Mapping
from typing import Final

import aiohttp
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import BaseConnector, Connection
from yarl import URL

LINE_LIMIT: Final = 64 * 1024
"""Bytes of one header line of an answer; providers send long policies and cookies."""


class Target:
    """Where requests to one URL go, worked out once. Lives as long as the session that it was made for."""

    __slots__ = ("head", "request")

    def __init__(self, url: URL, session: aiohttp.ClientSession) -> None:
        """Raise `ValueError` if the URL has no host."""
        # The pool knows where to connect by a request; this one stands for all of them.
        self.request = ClientRequest("POST", url, session=session)
        host = self.request.headers["host"]
        self.head = f"POST {url.raw_path_qs} HTTP/1.1\r\nhost: {host}\r\n"


class DirectResponse:
    """An answer whose head has arrived. Its connection goes back to the pool at the end of its body."""

    __slots__ = ("connection", "content", "headers", "status")

    def __init__(
        self,
        connection: Connection,
        status: int,
        headers: Mapping[str, str],
        content: aiohttp.StreamReader,
    ) -> None:
        self.connection: Connection | None = connection
        self.status = status
        self.headers = headers
        self.content = content
        content.on_eof(self._release)

    def _release(self) -> None:
        if self.connection is not None:
            self.connection.release()
            self.connection = None

    def close(self) -> None:
        """End the answer; a connection that is not at the end of its body ends with it."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None


async def post(
    connector: BaseConnector,
    target: Target,
    headers: Mapping[str, str],
    body: bytes,
    within: aiohttp.ClientTimeout,
) -> DirectResponse:
    """Send a request and return its answer once the head is there.

    Raises:
        aiohttp.ClientError: as aiohttp's client does.
        HttpProcessingError: if the answer is not HTTP.
        ValueError: if a header cannot be sent.

    """
    head = _head(target, headers, len(body))
    try:
        connection = await connector.connect(target.request, traces=[], timeout=within)
    except TimeoutError as exc:
        raise aiohttp.ConnectionTimeoutError from exc
    try:
        return await _exchanged(connection, head, body)
    except BaseException:
        connection.close()
        raise


def _head(target: Target, headers: Mapping[str, str], length: int) -> bytes:
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    text = "".join(lines)
    # Nothing in a name or a value begins a line of its own.
    if not text.count("\n") == text.count("\r") == len(lines) or "\0" in text:
        msg = "A header must not contain line ends."
        raise ValueError(msg)
    return f"{target.head}{text}content-length: {length}\r\n\r\n".encode()


async def _exchanged(connection: Connection, head: bytes, body: bytes) -> DirectResponse:
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None:
        raise aiohttp.ServerDisconnectedError
    protocol.set_response_params(
        read_until_eof=True,
        auto_decompress=False,
        max_line_size=LINE_LIMIT,
        max_field_size=LINE_LIMIT,
    )
    transport.writelines((head, body))
    message, content = await protocol.read()
    while 100 <= message.code < 200 and message.code != 101:
        message, content = await protocol.read()
    return DirectResponse(connection, message.code, message.headers, content)
