import asyncio
import json
import resource
import sys
from pathlib import Path

import pytest

from tests.support.process import PATIENCE, started

RAISE = """
import resource
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
from launch import config, descriptors, logs
logs.set_up(config.LogConfig())
print(descriptors.raise_limit(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


async def raised(soft: int, hard: int) -> tuple[str, str]:
    program = RAISE.format(soft=soft, hard=hard)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    return out.decode(), err.decode()


@pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 9000, reason="this machine allows too few"
)
async def test_the_soft_limit_becomes_the_hard_one_without_a_word_where_it_is_enough() -> None:
    assert await raised(1024, 9000) == ("9000 9000\n", "")


async def test_a_hard_limit_that_is_low_is_told_in_the_log() -> None:
    out, err = await raised(500, 600)

    assert out == "600 600\n"
    line = json.loads(err)
    assert (line["event"], line["level"]) == ("descriptor_limit_low", "warning")
    assert line["limit"] == 600


async def test_a_gateway_raises_its_limit_when_it_starts(tmp_path: Path) -> None:
    async with started("serve", state=tmp_path) as running:
        soft, hard = resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE)

    assert soft == hard
