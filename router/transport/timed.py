"""Performs answers that a pure function gives: waits and sends. For providers that are built in."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

from router.errors import UpstreamTruncatedError
from router.transport.answer import Readable
from router.wire.http import HttpRequest


class TimedAnswer(Protocol):
    """What is to be sent. `parts` are seconds to wait and then bytes; the connection breaks if `is_cut`."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def parts(self) -> Iterable[tuple[float, bytes]]: ...

    @property
    def is_cut(self) -> bool: ...


class TimedResponse(Readable):
    """An answer as it is performed. Lives as long as its call; read at most once."""

    def __init__(self, answer: TimedAnswer, sleep: Callable[[float], Awaitable[None]]) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self._answer = answer
        self._parts = iter(answer.parts)
        self._sleep = sleep

    async def read_some(self) -> bytes:
        """See `HttpResponse.read_some`."""
        for delay, part in self._parts:
            await self._sleep(delay)  # of 0 seconds too: others get their turn in a long answer
            return part
        if self._answer.is_cut:
            raise UpstreamTruncatedError("The provider's answer broke off before its end.")
        return b""


class TimedTransport:
    """Asks `answer` for the answer to each request: its body and Unix time in, what is to be sent out.

    Holds nothing; `sleep` and `now` (Unix time in seconds) are its clock.
    """

    def __init__(
        self,
        answer: Callable[[bytes, int], TimedAnswer],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._answer = answer
        self._sleep = sleep
        self._now = now

    @asynccontextmanager
    async def send(
        self, request: HttpRequest, *, connect_timeout: float
    ) -> AsyncIterator[TimedResponse]:
        """See `Transport.send`. The address is not looked at, and no connection is made."""
        del connect_timeout
        yield TimedResponse(self._answer(request.body, int(self._now())), self._sleep)
