"""Takes a changed configuration while the gateway runs: on SIGHUP, and when the file changes.

A configuration that can be used replaces the one in force as a whole, from the next call on; calls under
way keep theirs. One that cannot changes nothing, and the log says why. What a process cannot change about
itself (where it listens, how large its messages may be) stays until a restart, and the log names it.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from signal import SIGHUP
from typing import Final

import structlog

from launch import logs
from launch.config import Config, file_state, load
from router.errors import ConfigError

_LOG = structlog.get_logger("trunkline.launch")

WATCH_SECONDS: Final = 1.0
"""How often the file is looked at. A look is one system call, follows links, and works on every file system,
which notifications do not (mounted volumes, links that an orchestrator swaps)."""

Apply = Callable[[Config], Awaitable[None]]
"""Makes a configuration the one in force. Raises `ConfigError`, with nothing changed, if it cannot be."""


class Reloader:
    """Reloads on request. Lives as long as the process.

    `environ` is the environment of the start: a process cannot be given another one. `apply` is asked with
    values that a running process can take.
    """

    def __init__(self, config: Config, environ: Mapping[str, str], apply: Apply) -> None:
        self.config = config
        self._environ = environ
        self._apply = apply
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Have the configuration read again soon."""
        self._asked.set()

    async def run(self) -> None:
        """Reload whenever asked, and whenever the file is another one and at rest; until cancelled.

        A file that is being written is empty at first, then half of one: both can be valid YAML.
        """
        seen = before = self.config.file
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(WATCH_SECONDS):
                    await self._asked.wait()
            last, before = before, await asyncio.to_thread(file_state, self._environ)
            is_at_rest = before == last
            if self._asked.is_set() or (is_at_rest and before != seen):
                seen = before
                self._asked.clear()
                await self.reload()

    async def reload(self) -> None:
        """Read the configuration again and make it the one in force, if it can be used."""
        try:
            wanted = await asyncio.to_thread(load, self._environ)
            logs.learn(wanted)
            wanted, fixed = _as_far_as_possible(self.config, wanted)
            await self._apply(wanted)
        except ConfigError as exc:
            _LOG.error("configuration_refused", reason=str(exc))
            return
        except Exception:  # noqa: BLE001 (a fault of ours must not end the process; the log has it)
            _LOG.exception("configuration_not_applied")
            return
        self.config = wanted
        _LOG.info("configuration_reloaded", needs_restart=fixed or None)


_FIXED_ROUTER: Final = ("state_dir", "grpc_host", "grpc_port", "max_body_bytes")
_FIXED_EDGE: Final = ("http_host", "http_port", "router_target", "max_body_bytes")
_FIXED: Final = ("log", "metrics_port", "workers")


def _as_far_as_possible(now: Config, wanted: Config) -> tuple[Config, list[str]]:
    """Return `wanted` with what needs a restart as it is now, and the names of what differs there."""
    pairs = [
        (wanted.router, now.router, _FIXED_ROUTER),
        (wanted.edge, now.edge, _FIXED_EDGE),
        (wanted, now, _FIXED),
    ]
    names = sorted({
        name for new, old, fixed in pairs for name in fixed if getattr(new, name) != getattr(old, name)
    })  # fmt: skip
    router = replace(wanted.router, **{name: getattr(now.router, name) for name in _FIXED_ROUTER})
    edge = replace(wanted.edge, **{name: getattr(now.edge, name) for name in _FIXED_EDGE})
    kept = {name: getattr(now, name) for name in _FIXED}
    return replace(wanted, router=router, edge=edge, **kept), names


def ignore_hangups() -> None:
    """Let SIGHUP do nothing: without a handler it would end a process that starts, or that drains."""
    asyncio.get_running_loop().add_signal_handler(SIGHUP, lambda: None)


@asynccontextmanager
async def reloading(config: Config, apply: Apply) -> AsyncIterator[Reloader]:
    """Give a reloader that runs, on SIGHUP too."""
    reloader = Reloader(config, os.environ, apply)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(SIGHUP, reloader.ask)
    running = asyncio.create_task(reloader.run(), name="reload-configuration")
    try:
        yield reloader
    finally:
        ignore_hangups()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
