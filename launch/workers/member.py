"""A worker as its supervisor sees it."""

import asyncio
import itertools
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from subprocess import DEVNULL
from typing import Final

from launch.workers.counts import Families
from launch.workers.messages import (
    FROM_WORKER,
    Ask,
    Count,
    Counted,
    FromSupervisor,
    FromWorker,
    Ready,
    packed,
    receive,
)

COUNT_SECONDS: Final = 2.0
"""How long a worker may take to say what it has counted; then what it said last counts."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is started with: the command, its number, its part in keeping the list, all variables."""

    command: str
    number: int
    part: str
    environ: Mapping[str, str] = field(repr=False)


class Member:
    """One process, from its start to its end. `counted` is what it has counted, as far as is known."""

    def __init__(
        self,
        order: Order,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.number = order.number
        self.pid = process.pid
        self.is_ready = False
        self.counted: Families = ()
        self._process = process
        self._reader = reader
        self._writer = writer
        self._started = time.monotonic()
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[None]] = {}

    def __repr__(self) -> str:
        return f"<Member {self.number} pid={self.pid} is_ready={self.is_ready}>"

    @property
    def age(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    async def follow(
        self, on_ready: Callable[["Member", str], None], on_ask: Callable[["Member", int], None]
    ) -> int:
        """Listen to the worker until its end; return its exit status, negative for a signal."""
        while (body := await receive(self._reader)) is not None:
            match FROM_WORKER.decode(body):
                case Ready(banner):
                    self.is_ready = True
                    on_ready(self, banner)
                case Ask(number):
                    on_ask(self, number)
                case message:
                    self._take(message)
        self._writer.close()
        for asked in self._asked.values():
            _settle(asked)
        return await self._process.wait()

    def _take(self, message: FromWorker) -> None:
        if isinstance(message, Counted):
            self.counted = message.families
            if asked := self._asked.get(message.number):
                _settle(asked)

    async def count(self) -> None:
        """Bring `counted` up to date, if the worker can say so in time."""
        if self._writer.is_closing():
            return
        number = next(self._numbers)
        asked = self._asked[number] = asyncio.get_running_loop().create_future()
        self.send(Count(number))
        with suppress(TimeoutError):
            async with asyncio.timeout(COUNT_SECONDS):
                await asked
        del self._asked[number]

    def send(self, message: FromSupervisor) -> None:
        """Say something, if the worker is still there to hear it."""
        if not self._writer.is_closing():
            self._writer.write(packed(message))

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if the process is still there."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)


def _settle(asked: asyncio.Future[None]) -> None:
    if not asked.done():
        asked.set_result(None)


async def start(order: Order) -> Member:
    """Start a worker.

    Raises:
        OSError: if the system has no room for another process.

    """
    ours, theirs = socket.socketpair()
    try:
        process = await asyncio.create_subprocess_exec(
            # Isolated from where the gateway was started, as its own command is.
            *(sys.executable, "-P", "-m", "launch.workers.worker"),
            *(order.command, str(order.number), order.part, str(theirs.fileno())),
            env=order.environ,
            stdin=DEVNULL,
            pass_fds=(theirs.fileno(),),
            # A terminal's Ctrl-C is the supervisor's: from two sides it would be a second signal.
            process_group=0,
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    reader, writer = await asyncio.open_unix_connection(sock=ours)
    return Member(order, process, reader, writer)
