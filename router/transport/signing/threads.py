"""Blocking work in a thread of its own.

A daemon, unlike the threads of an executor: a lookup that hangs does not hold up the end of the process.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[], T], name: str) -> T:
    """Return what `work` returns, or raise what it raises."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def tell(report: Callable[[], None]) -> None:
        # The loop is closed when the process ends meanwhile; a future that nobody awaits is cancelled.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(lambda: None if result.done() else report())

    def run() -> None:
        try:
            value = work()
        except Exception as exc:  # noqa: BLE001 (it is raised where it is awaited)
            error = exc
            tell(lambda: result.set_exception(error))
        else:
            tell(lambda: result.set_result(value))

    threading.Thread(target=run, name=name, daemon=True).start()
    return await result
