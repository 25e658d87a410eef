"""A bound on what goes on at once, with a short queue in front of it."""

import asyncio
from collections import deque
from typing import Final

from router.errors import OverloadedError

QUEUE_SECONDS: Final = 5.0
"""How long anybody waits in a queue; who is told to come back gets in sooner elsewhere."""

RETRY_SECONDS: Final = 1.0
"""What those are told who find no room."""


class Gate:
    """Lets `limit` in at once and `queue` more wait: first come, first served."""

    def __init__(self, limit: int, queue: int, words: str) -> None:
        self.limit = limit
        self.queue = queue
        self._words = words
        self._inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def __repr__(self) -> str:
        return f"<Gate {self._inside}/{self.limit} inside, {self.waiting}/{self.queue} waiting>"

    @property
    def inside(self) -> int:
        """How many are in."""
        return self._inside

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def enter_now(self) -> bool:
        """Go in if there is room; whether there was. Whoever went in must `leave`."""
        if self._inside < self.limit and not self._waiting:
            self._inside += 1
            return True
        return False

    async def enter(self, until: float) -> None:
        """Go in, or wait for room until a time of the loop's clock, and no longer than `QUEUE_SECONDS`.

        Whoever went in must `leave`.

        Raises:
            OverloadedError: if the queue is full, or no room came in time.

        """
        if self.enter_now():
            return
        if len(self._waiting) >= self.queue:
            raise OverloadedError(self._words, retry_after=RETRY_SECONDS)
        await self._wait(until)

    def leave(self) -> None:
        """Go out, and let in who waits longest."""
        self._inside -= 1
        self._let_in()

    def follow(self, limit: int, queue: int) -> None:
        """Go by other bounds from now on; who is in stays in."""
        self.limit, self.queue = limit, queue
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self._inside < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self._inside += 1
                turn.set_result(None)

    async def _wait(self, until: float) -> None:
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout_at(min(until, loop.time() + QUEUE_SECONDS)):
                await turn
        except BaseException as exc:
            if turn.done() and not turn.cancelled():
                # Let in and called away at the same moment: the place goes to the next one.
                self.leave()
            elif turn in self._waiting:
                self._waiting.remove(turn)
            if isinstance(exc, TimeoutError):
                raise OverloadedError(self._words, retry_after=RETRY_SECONDS) from exc
            raise
