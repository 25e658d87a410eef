"""`python -m tests.soak --minutes 10`: a gateway under mixed traffic and faults, watched from outside.

A table at the end says what was seen; the exit status is 1 if anything was that must not be: an answer or
a part of one lost, doubled or mixed up, a forged end, a failure in another shape than OpenAI's, memory that
grows, descriptors or calls under way that do not come back, a stop that does not end with 0.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Final

import aiohttp

from tests.soak.ledger import Ledger
from tests.soak.traffic import Callers
from tests.soak.watched import Files, Watched, providers, watched
from tests.support.typed import stubs

CALLERS: Final = 24

RELOAD_SECONDS: Final = 20.0

SETTLE_SECONDS: Final = 60.0
"""How long all that was taken may need to come back: more than a pool keeps a connection."""

IDLE_SECONDS: Final = 18.0
"""Until a pool has closed what it keeps alive."""

MAX_GROWTH: Final = 1024.0
"""KiB per minute, over five minutes and more after the warm-up; shorter times are judged milder."""


async def soak(minutes: float, seed: int, say: Callable[[str], None]) -> Ledger:
    """Run it all."""
    ledger = Ledger()
    async with AsyncExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        files = Files(state, await stack.enter_async_context(providers()))
        files.write(0)
        environ = {"TRUNKLINE_CONFIG": str(files.config)}
        gateway = await stack.enter_async_context(watched(state, environ))
        await _traffic(gateway, ledger, seed, seconds=5.0)
        await asyncio.sleep(IDLE_SECONDS)
        before = gateway.descriptors()
        watching = asyncio.create_task(gateway.watch(), name="watch")
        reloading = asyncio.create_task(_reload(files), name="reload")
        await _traffic(gateway, ledger, seed + 1, seconds=minutes * 60)
        for task in (reloading, watching):
            task.cancel()
        await asyncio.wait((reloading, watching))
        await _settled(gateway, ledger, before)
        _judge_memory(gateway, ledger, say)
        status = await gateway.end()
        if status:
            ledger.must_not_be("an exit status that is not 0", status)
        for line in gateway.complaints():
            ledger.must_not_be("a complaint in the log", line)
        say(f"descriptors before and after: {before}, exit status {status}")
    return ledger


async def _traffic(gateway: Watched, ledger: Ledger, seed: int, *, seconds: float) -> None:
    stop = asyncio.Event()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http, stubs(gateway.grpc) as typed:
        callers = Callers(gateway.url, http, typed, ledger, Random(seed), stop)
        calling = [
            asyncio.create_task(callers.call_on(), name=f"caller-{i}") for i in range(CALLERS)
        ]
        ended = asyncio.gather(*calling)
        try:
            # A caller that fails ends the soak at once, with its traceback.
            await asyncio.wait_for(asyncio.shield(ended), seconds)
        except TimeoutError:
            stop.set()
        await ended


async def _reload(files: Files) -> None:
    turn = 0
    while True:
        await asyncio.sleep(RELOAD_SECONDS)
        turn += 1
        files.write(turn)


async def _settled(gateway: Watched, ledger: Ledger, before: int) -> None:
    """Wait until everything has come back."""

    async def all_ended() -> bool:
        # The question itself is one request under way.
        return sum((await gateway.gauges()).values()) <= 1

    async def all_closed() -> bool:
        return gateway.descriptors() <= before

    if not await _within(SETTLE_SECONDS, all_ended):
        ledger.must_not_be("calls under way without callers", await gateway.gauges())
    if not await _within(SETTLE_SECONDS, all_closed):
        ledger.must_not_be("descriptors that do not come back", (before, gateway.descriptors()))


async def _within(seconds: float, is_so: Callable[[], Awaitable[bool]]) -> bool:
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while loop.time() < until:
        if await is_so():
            return True
        await asyncio.sleep(0.5)
    return False


def _judge_memory(gateway: Watched, ledger: Ledger, say: Callable[[str], None]) -> None:
    """Fit a line to the memory after the warm-up, which is a third of the time."""
    samples = gateway.memory[len(gateway.memory) // 3 :]
    if len(samples) < 2:
        return
    minutes = [at / 60 for at, _ in samples]
    growth = _slope(minutes, [float(kib) for _, kib in samples])
    bound = MAX_GROWTH * max(1.0, 5.0 / (minutes[-1] - minutes[0]))
    first, last = gateway.memory[0][1], gateway.memory[-1][1]
    peak = max(kib for _, kib in gateway.memory)
    say(f"memory: {first} KiB at first, {last} at last, {peak} at most")
    say(f"growth after the warm-up: {growth:.0f} KiB a minute, bound {bound:.0f}")
    if growth > bound:
        ledger.must_not_be("memory that grows", f"{growth:.0f} KiB a minute")


def _slope(x: list[float], y: list[float]) -> float:
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    over = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return over / sum((a - mean_x) ** 2 for a in x)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    ledger = asyncio.run(soak(arguments.minutes, arguments.seed, _say))
    _say(f"\n{'seen':<40} {'times':>9}")
    for what, times in sorted(ledger.seen.items()):
        _say(f"{what:<40} {times:>9}")
    _say(f"{'all calls':<40} {sum(ledger.seen.values()):>9}")
    _say(f"{'parts of answers checked':<40} {ledger.parts:>9}")
    _say(f"\nviolations: {sum(ledger.violations.values())}")
    for what, times in sorted(ledger.violations.items()):
        _say(f"  {times} x {what}")
    for words in ledger.words:
        _say(f"    {words}")
    return 1 if ledger.violations else 0


if __name__ == "__main__":
    sys.exit(main())
