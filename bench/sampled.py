"""Runs `trunkline` and notes where its processor time goes: what `bench.flame` draws.

    python -m bench.sampled OUT serve

A timer of processor time interrupts the main thread; the stack that it finds is counted. Idle waits are not
seen, threads of libraries neither; what runs in C counts for the function that called it. The counts are
written to OUT when the process ends.
"""

import atexit
import json
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Final

from bench.systems import ROOT

EVERY: Final = 0.002
"""Seconds of processor time between samples."""

_LIBRARIES: Final = "site-packages/"


def begin(out: Path) -> None:
    """Take samples from now on, and write them to `out` at the end."""
    stacks: Counter[str] = Counter()

    def sample(_: int, frame: FrameType | None) -> None:
        names = []
        while frame is not None:
            names.append(name_of(frame))
            frame = frame.f_back
        stacks[";".join(reversed(names))] += 1

    signal.signal(signal.SIGPROF, sample)
    signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)
    atexit.register(lambda: out.write_text(json.dumps(stacks)))


def name_of(frame: FrameType) -> str:
    """Return what a frame runs: module and function, as they are found on any machine."""
    code = frame.f_code
    path = code.co_filename.replace(f"{ROOT}/", "")
    path = path.rpartition(_LIBRARIES)[2] if _LIBRARIES in path else path
    if path.startswith("/"):
        path = "/".join(path.split("/")[-2:])  # the standard library
    return f"{path.removesuffix('.py')}:{code.co_qualname.replace('.<locals>', '')}"


def main() -> None:
    begin(Path(sys.argv[1]))
    sys.argv = ["trunkline", *sys.argv[2:]]
    from launch.cli import main as trunkline  # noqa: PLC0415 (its import is part of the picture)

    trunkline()


if __name__ == "__main__":
    main()
