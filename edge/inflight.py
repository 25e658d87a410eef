"""The requests that are being answered: what a drain waits for."""

import asyncio
from typing import Protocol

from tornado.httputil import HTTPConnection


class Answering(Protocol):
    """A request in flight, seen from outside."""

    @property
    def connection(self) -> HTTPConnection:
        """What it came on."""

    def cancel_call(self) -> None:
        """Ends the call that answers it; the client is told so."""


class InFlight:
    """Requests from their headers to the last byte of their answers. Lives as long as the edge."""

    def __init__(self) -> None:
        self.is_draining = False
        self._requests: set[Answering] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    def __repr__(self) -> str:
        return f"<InFlight {len(self._requests)}{' draining' if self.is_draining else ''}>"

    def __len__(self) -> int:
        return len(self._requests)

    def add(self, request: Answering) -> None:
        self._requests.add(request)
        self._empty.clear()

    def discard(self, request: Answering) -> None:
        self._requests.discard(request)
        if not self._requests:
            self._empty.set()

    def connections(self) -> set[HTTPConnection]:
        """Those that are in use."""
        return {request.connection for request in self._requests}

    def cancel_calls(self) -> None:
        """Has every request in flight told that it ends here."""
        for request in tuple(self._requests):
            request.cancel_call()

    async def wait_empty(self, seconds: float) -> bool:
        """Waits until nothing is in flight; False if that takes longer than `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True
