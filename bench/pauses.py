"""How long the event loop stands still while the model list is refreshed: `python -m bench.pauses`.

A gateway that beats (`bench.heartbeat`) refreshes every second, while its list changes, or does not. Largest
delays by list and change: medians over rounds, since other processes delay it too.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import msgspec

from bench import startup
from bench.heartbeat import Beats
from bench.procfs import memory
from bench.systems import ROOT, Place, end, environ_of, model_rows

SIZES: Final = (3, 10_000, 100_000)
_PATIENCE: Final = 120.0


@dataclass(frozen=True)
class Gateway:
    """A running gateway."""

    process: "subprocess.Popen[bytes]"
    log: Path
    port: int

    def beats(self) -> Beats:
        """Return what the heart has noted since it was asked last."""
        assert self.process.stdin  # noqa: S101 (it is a pipe)
        seen = self.log.read_bytes().count(b"beats {")
        self.process.stdin.write(b"?\n")
        self.process.stdin.flush()
        for _ in _waiting():
            lines = [x for x in self.log.read_bytes().splitlines() if x.startswith(b"beats {")]
            if len(lines) > seen:
                return msgspec.json.decode(lines[-1][6:], type=Beats)
        raise RuntimeError("the gateway does not answer")

    def wait_for(self, generation: int) -> None:
        for _ in _waiting(0.1):
            if startup.generation(self.port) >= generation:
                return
        raise RuntimeError("the list is not refreshed")


def _waiting(pause: float = 0.02) -> Iterator[None]:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        yield
        time.sleep(pause)


@contextmanager
def beating(directory: Path, source: Path) -> Iterator[Gateway]:
    """Give a gateway that beats and refreshes each second."""
    log = directory / f"log-{time.monotonic_ns()}"
    # No provider is asked: its port is nobody's.
    environ = {
        **{k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG")},
        "PYTHONPATH": str(ROOT),
        "MODEL_LIST_REFRESH_SECONDS": "1",
        **environ_of(Place(9, directory), source, f"state-{time.monotonic_ns()}"),
    }
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.heartbeat"],
            cwd=directory,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    try:
        assert process.stdout  # noqa: S101 (it is a pipe)
        port = 0
        while line := process.stdout.readline():
            if b"http://" in line and b"Trunkline HTTP" in line:
                port = int(line.rsplit(b":", 1)[1])
            if b"curl" in line:
                break
        yield Gateway(process, log, port)
    finally:
        end(process)


def _texts(size: int) -> Mapping[str, tuple[str, str]]:
    """Return what the list changes between, by the kind of change."""
    rows, dearer = model_rows(size), model_rows(size, 0.003)
    whole = json.dumps(rows)
    return {
        "all rows": (whole, json.dumps(dearer)),
        "one row": (whole, json.dumps([dearer[0], *rows[1:]])),
        "spaces": (whole, whole + "\n"),
        "nothing": (whole, whole),
    }


def measure(directory: Path, size: int, rounds: int) -> None:
    source = directory / f"models-{size}.json"
    texts = _texts(size)
    startup.replace_list(source, texts["nothing"][0])
    with beating(directory, source) as gateway:
        gateway.wait_for(1)
        start = gateway.beats()
        _say(size, "start", [start], gateway)
        time.sleep(1 + size / 20_000)
        for kind, (one, other) in texts.items():
            found = []
            for round_ in range(rounds):
                gateway.beats()
                before = startup.generation(gateway.port)
                startup.replace_list(source, one if round_ % 2 else other)
                if kind in ("all rows", "one row"):
                    gateway.wait_for(before + 1)
                    time.sleep(0.5 + size / 100_000)
                else:
                    time.sleep(3 + size / 20_000)
                found.append(gateway.beats())
            _say(size, kind, found, gateway)


def _say(size: int, kind: str, found: list[Beats], gateway: Gateway) -> None:
    largest = median(each.largest for each in found)
    own = median(each.own for each in found)
    cpu = median(each.cpu for each in found)
    late = sorted((x for each in found for x in each.late), reverse=True)[:8]
    pauses = sorted({(g, round(t)) for each in found for g, t in each.collections}, reverse=True)
    sys.stdout.write(
        f"{size:>7,} {kind:9} largest pause {largest:6.1f} ms, own {own:6.1f} ms, cpu {cpu:5.2f} s,"
        f" rss {memory((gateway.process.pid,)).rss // 1024} MiB"
        f"  late {[round(x) for x in late]} gc {pauses[:6]}\n"
    )
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.pauses", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("sizes", type=int, nargs="*", default=SIZES)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trunkline-pauses-") as name:
        for size in arguments.sizes:
            measure(Path(name), size, arguments.rounds)


if __name__ == "__main__":
    main()
