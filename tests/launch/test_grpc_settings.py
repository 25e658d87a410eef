"""What this package tells gRPC before it is imported."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE

import pytest

from tests.support.process import PATIENCE

_OPEN = """
import asyncio, os, launch, grpc

async def main():
    channel = grpc.aio.insecure_channel("127.0.0.1:1")
    channel.get_state(True)
    await channel.close()
    print(os.environ["GRPC_EXPERIMENTS"])

asyncio.run(main())
"""


async def _opened(**environ: str) -> tuple[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name != "GRPC_EXPERIMENTS"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _OPEN, stdout=PIPE, stderr=PIPE, env={**inherited, **environ}
    )
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    return out.decode().strip(), err.decode()


async def test_the_transport_knows_what_it_is_told() -> None:
    told, complaints = await _opened()

    assert told == "-event_engine_client"
    assert "Unknown experiment" not in complaints


@pytest.mark.parametrize("own", ["", "-no_such_thing"])
async def test_what_users_tell_the_transport_themselves_stays(own: str) -> None:
    told, complaints = await _opened(GRPC_EXPERIMENTS=own)

    assert told == own
    assert ("Unknown experiment" in complaints) is bool(own)
