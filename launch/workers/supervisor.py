"""Starts workers, replaces those that die, and stops them all; it serves nothing itself.

The first worker leads: it is up before the others are started. So what makes a start impossible is told once,
and the others find the model list on disk.
"""

import asyncio
import signal
import tempfile
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final

import structlog

from launch.config import Config, load
from launch.workers.counts import Families, lasting, total
from launch.workers.member import Member, Order, start
from launch.workers.messages import Sum
from router.errors import ConfigError

_LOG = structlog.get_logger("trunkline.launch")

EXIT_CONFIG: Final = 1
EXIT_FORCED: Final = 130

STABLE_SECONDS: Final = 60.0
"""A worker that lived as long did not die of its start: the pauses begin anew."""

PAUSES: Final = (0.1, 10.0)
"""Seconds before a worker is replaced: the first pause, which doubles, and the longest."""

COUNT_SECONDS: Final = 10.0
"""How often workers are asked for their counts. What one that is killed has counted since then is lost, but
never anything that was shown."""

GRACE_SECONDS: Final = 20.0
"""Beyond the time for a drain, until a worker that does not end is killed."""

FORCED_SECONDS: Final = 5.0
"""The same after a second signal."""


class Supervisor:
    """Lives as long as the gateway. `environ` is that of the workers, who listen where it says."""

    def __init__(self, command: str, config: Config, environ: Mapping[str, str]) -> None:
        self._command = command
        self._config = config
        self._environ = environ
        self._shares_list = _shares_list(command, config)
        self._members: set[Member] = set()
        self._gone: Families = ()
        self._banner = ""
        self._up = [asyncio.Event() for _ in range(config.workers)]
        self._stopping = asyncio.Event()
        self._signals = 0
        self._status = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Supervisor {self._command} workers={len(self._members)}>"

    async def run(self, announce: Callable[[str], None]) -> int:
        """Serve until a signal; return the exit status. `announce` gets the banner once all workers serve."""
        self._watch_signals()
        first, *others = range(self._config.workers)
        keeping = [self._begin(self._keep(first), f"keep-worker-{first}")]
        await self._until_up(first)
        keeping += [self._begin(self._keep(n), f"keep-worker-{n}") for n in others]
        for number in others:
            await self._until_up(number)
        if not self._stopping.is_set():
            announce(self._banner)
        counting = self._begin(self._count_often(), "count-often")
        await asyncio.gather(*keeping)
        counting.cancel()
        _LOG.info("stopped")
        return EXIT_FORCED if self._signals > 1 else self._status

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _until_up(self, number: int) -> None:
        """Wait until a worker serves, or all are to stop."""
        waits = [asyncio.ensure_future(e.wait()) for e in (self._up[number], self._stopping)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    # Signals.

    def _watch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_stop)
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup)

    def _on_stop(self) -> None:
        self._signals += 1
        self._stop(FORCED_SECONDS if self._signals > 1 else self._drain_seconds() + GRACE_SECONDS)

    def _stop(self, seconds: float) -> None:
        """Have all workers stop, at once if they were told before; kill those that take longer."""
        self._stopping.set()
        for member in self._members:
            member.signal(signal.SIGTERM)
        asyncio.get_running_loop().call_later(seconds, self._kill)

    def _kill(self) -> None:
        for member in self._members:
            _LOG.error("worker_killed", worker=member.number, pid=member.pid)
            member.signal(signal.SIGKILL)

    def _drain_seconds(self) -> float:
        """Return how long workers may drain, by the configuration as it is now."""
        try:
            return load(self._environ).router.drain_seconds
        except ConfigError:
            return self._config.router.drain_seconds

    def _on_hangup(self) -> None:
        if not self._stopping.is_set():
            for member in self._members:
                member.signal(signal.SIGHUP)

    # Workers.

    async def _keep(self, number: int) -> None:
        """Keep one worker going until all are to stop."""
        pause = PAUSES[0]
        while not self._stopping.is_set():
            try:
                member = await start(self._order(number))
            except OSError as exc:
                _LOG.error("worker_not_started", worker=number, reason=str(exc))
            else:
                status = await self._follow(member)
                if self._is_over(member, status):
                    return
                pause = PAUSES[0] if member.age > STABLE_SECONDS else pause
                _LOG.warning(
                    "worker_ended", worker=number, pid=member.pid, status=status, pause=pause
                )
            await self._rest(pause)
            pause = min(2 * pause, PAUSES[1])

    def _order(self, number: int) -> Order:
        part = "alone" if not self._shares_list else "follows" if number else "leads"
        return Order(self._command, number, part, self._environ)

    async def _follow(self, member: Member) -> int:
        """Go along with a worker to its end; return its exit status."""
        self._members.add(member)
        _LOG.info("worker_started", worker=member.number, pid=member.pid)
        if self._stopping.is_set():  # while it was started
            member.signal(signal.SIGTERM)
        status = await member.follow(self._on_ready, self._on_ask)
        self._members.discard(member)
        self._gone = total((self._gone, lasting(member.counted)))
        return status

    def _is_over(self, member: Member, status: int) -> bool:
        """Whether a worker that has ended is not to be replaced."""
        if self._stopping.is_set():
            # One that was starting did not know signals yet.
            if member.is_ready and status:
                self._status = self._status or EXIT_CONFIG
            return True
        if status != EXIT_CONFIG or any(m.is_ready for m in (member, *self._members)):
            return False
        # It has said why it cannot start; the next one would say the same, and nobody serves.
        self._status = EXIT_CONFIG
        self._stop(FORCED_SECONDS)
        return True

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    def _on_ready(self, member: Member, banner: str) -> None:
        self._banner = self._banner or banner
        self._up[member.number].set()
        _LOG.info("worker_ready", worker=member.number, pid=member.pid)

    # Counts.

    def _on_ask(self, member: Member, number: int) -> None:
        _ = self._begin(self._answer(member, number), "add-counts-up")

    async def _answer(self, member: Member, number: int) -> None:
        await self._count()
        member.send(Sum(number, total((*(m.counted for m in self._members), self._gone))))

    async def _count(self) -> None:
        await asyncio.gather(*(m.count() for m in self._members if m.is_ready))

    async def _count_often(self) -> None:
        while True:
            await asyncio.sleep(COUNT_SECONDS)
            await self._count()


def _shares_list(command: str, config: Config) -> bool:
    """Whether one worker can keep the model list for all, in the state directory."""
    if command == "edge" or config.router.model_list.source is None:
        return False
    if reason := _why_unwritable(config.router.state_dir):
        _LOG.warning("model_list_not_shared", state_dir=str(config.router.state_dir), reason=reason)
    return not reason


def _why_unwritable(directory: Path) -> str:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            return ""
    except OSError as exc:
        return exc.strerror or str(exc)
