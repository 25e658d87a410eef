"""What the hot path leaves behind."""

import subprocess
import sys

import pytest

COUNT = """
import asyncio, gc, sys
from bench.hotpath import drive

async def left_by(count):
    gc.collect()
    await drive({sys.argv[1]: count})
    return gc.collect()

async def main():
    await left_by(1)
    print(await left_by(50) - await left_by(1))

gc.disable()
asyncio.run(main())
"""
"""In a process of its own: what other tests leave would be found too."""


@pytest.mark.parametrize("kind", ["gateway-unary", "gateway-stream"])
def test_a_request_leaves_nothing_to_the_garbage_collector(kind: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COUNT, kind], capture_output=True, check=True, text=True, timeout=90
    )

    # Less than an object for each request; a cycle would be a dozen and more.
    assert int(done.stdout.split()[-1]) < 49
