"""`trunkline` as a process of its own, the way that users run it."""

import asyncio
import os
import random
import re
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 90
"""Seconds until a test that waits for a process fails; nothing is asserted of the time it takes, which is
long where others keep the machine busy."""

COMMAND = Path(sys.executable).with_name("trunkline")


@dataclass
class Running:
    """A process that has said where it listens."""

    process: Process
    banner: str

    @property
    def url(self) -> str:
        found = re.search(r"http://\S+", self.banner)
        assert found, self.banner
        return found[0]

    @property
    def grpc(self) -> str:
        found = re.search(r"gRPC\s+(\S+)", self.banner)
        assert found, self.banner
        return found[1]

    async def end(self) -> tuple[int, str]:
        """Wait for the process to end; return its exit status and what it said on standard error."""
        _, err = await asyncio.wait_for(self.process.communicate(), PATIENCE)
        assert self.process.returncode is not None
        return self.process.returncode, err.decode()


def open_descriptors(pid: int) -> set[int]:
    """Return the descriptors that a process has open."""
    return {int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()}


def lasting_port() -> int:
    """Return a free port for what comes back at it: one that systems give to nobody who asks for any."""
    for port in random.sample(range(10_000, 30_000), 100):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no port is free")


def environment(state: Path, **environ: str) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG")}
    return {
        **inherited,
        "TRUNKLINE_STATE_DIR": str(state),
        "TRUNKLINE_HTTP_PORT": "0",
        "TRUNKLINE_GRPC_PORT": "0",
        **environ,
    }


async def run(*arguments: str, state: Path, **environ: str) -> tuple[int, str, str]:
    """Run a command to its end; return exit status, standard output and standard error."""
    process = await asyncio.create_subprocess_exec(
        COMMAND, *arguments, env=environment(state, **environ), stdout=PIPE, stderr=PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def started(
    command: str, *options: str, state: Path, **environ: str
) -> AsyncIterator[Running]:
    """Give a started `trunkline <command>` once it says where it listens."""
    mark = r"curl .*\n" if command != "router" else r"gRPC .*\n"
    arguments = (str(COMMAND), command, *options)
    async with launched(arguments, mark, environment(state, **environ)) as running:
        yield running


@asynccontextmanager
async def launched(
    arguments: Sequence[str], mark: str, environ: Mapping[str, str]
) -> AsyncIterator[Running]:
    """Give a started program once a line of its standard output matches `mark`."""
    process = await asyncio.create_subprocess_exec(
        *arguments, env=environ, stdout=PIPE, stderr=PIPE
    )
    assert process.stdout
    try:
        banner = ""
        while not re.search(mark, banner):
            line = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
            if not line:
                raise AssertionError((await process.communicate())[1].decode())
            banner += line.decode()
        yield Running(process, banner)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
