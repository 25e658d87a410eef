"""Waiting for what has no event of its own."""

import asyncio
from collections.abc import Callable

from tests.support.one_provider import PATIENCE


async def until(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds; fails if it takes longer than a patient tester waits."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 (what is waited for sets no event)
            await asyncio.sleep(0.01)
