"""One request on a connection of aiohttp's pool, without aiohttp's client around it.

The pool, names and TLS are aiohttp's. What its client does besides for each request (cookies, redirects,
forms, a task that writes, time-outs and streams of its own) costs more than all of that, and a call to a
provider needs none of it. What does need more goes by the client: see `http.py`.

Source: aiohttp's own client (`ClientSession._request`), whose order of steps this keeps.
"""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import cast

import aiohttp
from aiohttp.client_reqrep import ClientRequest
from yarl import URL

from router.transport.upstream import Answer, UpstreamConnection


class Pool(aiohttp.TCPConnector):
    """aiohttp's pool, of connections that read answers by themselves."""

    def __init__(self, *, keepalive_timeout: float) -> None:
        super().__init__(limit=0, keepalive_timeout=keepalive_timeout)
        # Which kind of protocol a connector makes is no parameter of it; that it made ours is tested.
        self._factory = partial(UpstreamConnection, asyncio.get_running_loop())  # type: ignore[assignment, arg-type]


class Target:
    """Where requests to one URL go, worked out once. Lives as long as the session that it was made for."""

    __slots__ = ("head", "request")

    def __init__(self, url: URL, session: aiohttp.ClientSession) -> None:
        """Raise `ValueError` if the URL has no host."""
        # The pool knows where to connect by a request; this one stands for all of them.
        self.request = ClientRequest("POST", url, session=session)
        host = self.request.headers["host"]
        self.head = f"POST {url.raw_path_qs} HTTP/1.1\r\nhost: {host}\r\n"


async def post(
    pool: Pool,
    target: Target,
    headers: Mapping[str, str],
    body: bytes,
    within: aiohttp.ClientTimeout,
) -> Answer:
    """Send a request and return its answer once the head is there.

    Raises:
        UpstreamError: if there will be none.
        aiohttp.ClientError: if no connection can be made.
        ValueError: if a header cannot be sent.

    """
    head = _head(target, headers, len(body))
    try:
        lease = await pool.connect(target.request, traces=[], timeout=within)
    except TimeoutError as exc:
        raise aiohttp.ConnectionTimeoutError from exc
    try:
        answer = cast("UpstreamConnection", lease.protocol).send(head, body, lease)
        await answer.headed()
    except BaseException:
        lease.close()
        raise
    return answer


def _head(target: Target, headers: Mapping[str, str], length: int) -> bytes:
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    text = "".join(lines)
    # Nothing in a name or a value begins a line of its own.
    if not text.count("\n") == text.count("\r") == len(lines) or "\0" in text:
        msg = "A header must not contain line ends."
        raise ValueError(msg)
    return f"{target.head}{text}content-length: {length}\r\n\r\n".encode()
