"""The gateway as a process that is watched from outside: its memory, its descriptors, what it says."""

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp
import yaml

from tests.support.gateway import row
from tests.support.process import environment

START_SECONDS: Final = 60.0

HANDLE: Final = "/v1/chat/completions"

MODELS: Final = {
    "solid": ("solid", "slow"),
    "mixed": ("flaky", "shaky", "solid"),
    "broken": ("flaky", "shaky"),
}
"""The providers of each model, all of one priority."""

GAUGES: Final = (
    "trunkline_edge_requests_in_flight",
    "trunkline_deployment_calls_in_flight",
    "trunkline_calls_waiting",
)


@dataclass
class Watched:
    """A running gateway. `memory` is a sample each second: seconds since the start, and KiB."""

    process: Process
    url: str
    grpc: str
    log: Path
    memory: list[tuple[float, int]] = field(default_factory=list)

    @property
    def _place(self) -> Path:
        return Path("/proc", str(self.process.pid))

    def descriptors(self) -> int:
        return len(list((self._place / "fd").iterdir()))

    def kib(self) -> int:
        pages = int((self._place / "statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") // 1024

    async def watch(self) -> None:
        """Sample memory until cancelled."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            self.memory.append((loop.time() - began, self.kib()))
            await asyncio.sleep(1.0)

    async def gauges(self) -> dict[str, float]:
        """Return what is under way, as its metrics say."""
        async with aiohttp.ClientSession() as http, http.get(f"{self.url}/metrics") as response:
            lines = (await response.text()).splitlines()
        return {
            name: sum(
                float(line.rpartition(" ")[2]) for line in lines if re.match(rf"{name}[ {{]", line)
            )
            for name in GAUGES
        }

    async def end(self) -> int:
        """Ask it to stop; return its exit status, or -9 if it had to be killed."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(self.process.wait(), START_SECONDS)
        except TimeoutError:
            self.process.kill()
            return await self.process.wait()

    def complaints(self) -> list[str]:
        """Return the lines of its log that tell of a fault of its own."""
        return [line for line in self.log.read_text().splitlines() if _is_complaint(line)]


def _is_complaint(line: str) -> bool:
    try:
        fields = json.loads(line)
    except ValueError:
        return True
    return "exception" in fields or (
        fields.get("level") == "error" and fields.get("event") != "deployment_changed"
    )


async def first_line(process: Process, is_it: Callable[[str], bool]) -> str:
    """Read what a process says until the line that is waited for; return all of it."""
    assert process.stdout is not None
    said = ""
    while not is_it(said):
        line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        if not line:
            raise RuntimeError(f"the process ended early: {said}")
        said += line.decode()
    return said


@asynccontextmanager
async def providers() -> AsyncIterator[dict[str, str]]:
    """Give the addresses of the scripted providers, in a process of their own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.soak.providers", stdin=PIPE, stdout=PIPE
    )
    try:
        addresses: dict[str, str] = json.loads(await first_line(process, lambda said: "\n" in said))
        yield addresses
    finally:
        process.kill()
        await process.wait()


@asynccontextmanager
async def watched(state: Path, environ: Mapping[str, str]) -> AsyncIterator[Watched]:
    """Give a running gateway; it is killed in the end if it still runs."""
    log = state / "gateway.log"
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("trunkline"), "serve",
            env=environment(state / "state", **environ), stdin=DEVNULL, stdout=PIPE, stderr=stderr,
        )  # fmt: skip
    try:
        banner = await first_line(process, lambda said: "curl " in said)
        url, grpc = re.search(r"http://\S+", banner), re.search(r"gRPC\s+(\S+)", banner)
        if url is None or grpc is None:
            raise RuntimeError(f"no addresses in {banner}")
        yield Watched(process, url[0], grpc[1], log)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


class Files:
    """The configuration and the model list, each replaced in one step, as deployments do."""

    def __init__(self, state: Path, addresses: Mapping[str, str]) -> None:
        self.config = state / "trunkline.yaml"
        self.models = state / "models.json"
        self._addresses = addresses

    def write(self, turn: int) -> None:
        """Write both; they differ from turn to turn, and what matters to callers stays."""
        extra = [row(f"extra-{turn}", f"/solid{HANDLE}", upstream_model="extra")]
        rows = [
            row(model, f"/{name}{HANDLE}", upstream_model=f"{model}-at-{name}")
            for model, names in MODELS.items()
            for name in names
        ]
        rows += [row("embed", f"/{name}/v1/embeddings") for name in ("solid", "flaky")]
        _replace(self.models, json.dumps(rows + extra))
        config = {
            "model_list_url": str(self.models),
            "model_list_refresh_seconds": 5,
            "retries": 1 + turn % 2,
            "retry_backoff": 0.05,
            "balancing": ("peak_ewma", "least_in_flight", "weighted_random")[turn % 3],
            "timeouts": {"connect": 5, "first_token": 10, "idle": 10, "total": 30},
            "providers": {
                name: {"base_url": address, "api_keys": ["key-one", f"key-{turn}"]}
                for name, address in self._addresses.items()
            },
        }
        _replace(self.config, yaml.safe_dump(config))


def _replace(file: Path, text: str) -> None:
    new = file.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(file)
