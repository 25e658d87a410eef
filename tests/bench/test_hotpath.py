"""What the hot path leaves behind."""

import gc

import pytest

from bench.hotpath import drive


async def left_by(kind: str, count: int) -> int:
    """How many objects the garbage collector finds after a process that did `count` requests."""
    gc.collect()
    await drive({kind: count})
    return gc.collect()


@pytest.mark.parametrize("kind", ["gateway-unary", "gateway-stream"])
async def test_a_request_leaves_nothing_to_the_garbage_collector(kind: str) -> None:
    gc.disable()
    try:
        await left_by(kind, 1)  # what is made once

        assert await left_by(kind, 50) < await left_by(kind, 1) + 50
    finally:
        gc.enable()
