"""Counts the instructions of the hot path and compares them with the committed figures: `make instructions`.

Valgrind counts, so that neither the machine's speed nor its other work matters. What is counted is a fixed
script of requests (`bench.hotpath`) less a run of the same process without them, which takes start-up away.
Figures hold for the build of Python and the libraries that they were made with; with others nothing is
compared, and the exit status is 0.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec

from bench.machine import build_of_python

COMMITTED: Final = Path(__file__).with_name("instructions.json")

ROOM: Final = 0.10
"""How much dearer the hot path may become before somebody must say that it is meant (`ARGS=--accept`)."""

SCRIPTS: Final[Mapping[str, Mapping[str, int]]] = {
    "start": {},
    "router": {"router-unary": 200, "router-stream": 20},
    "gateway": {"gateway-unary": 200, "gateway-stream": 20},
}
"""Requests of each kind; a stream has some forty chunks."""

SECONDS: Final = 900
"""For one run; it takes half a minute on a machine that does nothing else."""

_LIBRARIES: Final = (
    "grpcio",
    "httptools",
    "msgspec",
    "prometheus-client",
    "protobuf",
    "structlog",
    "tornado",
)

_COLLECTED: Final = re.compile(r"Collected : (\d+)")


class Figures(msgspec.Struct):
    """Instructions by script, and what they were counted with."""

    counts: dict[str, int]
    setting: dict[str, str]


def setting() -> dict[str, str]:
    """Return what the counts depend on besides our own code."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return {
        "machine": platform.machine(),
        "python": f"{python}, {platform.python_compiler()}",
        "build": build_of_python(),
        **{name: version(name) for name in _LIBRARIES},
    }


def count(script: Mapping[str, int]) -> int:
    """Return the instructions of a process that does `script`.

    Raises:
        RuntimeError: if valgrind or the process fails.

    """
    with tempfile.TemporaryDirectory() as name:
        requests = [f"{kind}={number}" for kind, number in script.items()]
        done = subprocess.run(
            [
                shutil.which("valgrind") or "valgrind",
                "--tool=callgrind",
                "--callgrind-out-file=/dev/null",
                f"--log-file={name}/valgrind",
                sys.executable,
                "-m",
                "bench.hotpath",
                *requests,
            ],
            env={"PATH": os.environ["PATH"], "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(Path(name) / "errors").open("wb"),
            timeout=SECONDS,
            check=False,
        )
        found = _COLLECTED.search((Path(name) / "valgrind").read_text())
        if done.returncode or not found:
            raise RuntimeError((Path(name) / "errors").read_text()[-2000:])
    return int(found[1])


def counts() -> dict[str, int]:
    """Count all scripts, two at a time, less what the start takes."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        found = dict(zip(SCRIPTS, pool.map(count, SCRIPTS.values()), strict=True))
    start = found.pop("start")
    return {name: number - start for name, number in found.items()}


def differing(committed: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    """Return the names of what is not as it was when the figures were made."""
    return sorted(n for n in committed.keys() | here.keys() if committed.get(n) != here.get(n))


def verdicts(committed: Mapping[str, int], counted: Mapping[str, int]) -> list[tuple[str, bool]]:
    """Return a line for each script, and whether it is within its room."""
    return [
        (
            f"{name}: {counted[name]:,} instructions, {counted[name] / was - 1:+.1%} of {was:,}",
            counted[name] <= was * (1 + ROOM),
        )
        for name, was in committed.items()
    ]


def check(committed: Figures) -> int:
    """Compare; return the exit status."""
    if shutil.which("valgrind") is None:
        return _skip("valgrind is not installed")
    if names := differing(committed.setting, setting()):
        return _skip(f"the committed figures are of another {', '.join(names)}")
    results = verdicts(committed.counts, counts())
    for line, _ in results:
        _say(line)
    if all(is_within for _, is_within in results):
        return 0
    _say(f"More than {ROOM:.0%} above. If that is meant: make instructions ARGS=--accept")
    return 1


def accept() -> int:
    """Write the figures of now."""
    figures = Figures(counts(), setting())
    COMMITTED.write_text(
        json.dumps(msgspec.to_builtins(figures), indent=1) + "\n", encoding="utf-8"
    )
    _say(f"{COMMITTED.name}: {figures.counts}")
    return 0


def _skip(why: str) -> int:
    _say(f"Instructions are not compared: {why}.")
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make instructions", description=__doc__)
    parser.add_argument("--accept", action="store_true", help="write the figures of now")
    if parser.parse_args(arguments).accept:
        return accept()
    return check(msgspec.json.decode(COMMITTED.read_bytes(), type=Figures))


if __name__ == "__main__":
    sys.exit(main())
