"""The test bed: the mock, the load generator and a directory, for as long as a run lasts."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from bench.load import Event, Job, Order, Result
from bench.procfs import cpu_seconds
from bench.systems import Place, System, end, launched

_DECODE: Final = msgspec.json.Decoder(Result | Event).decode


@dataclass(frozen=True, slots=True)
class Done:
    """What a job gave, and the CPU seconds that it cost the system."""

    result: Result
    cpu: float


class Bed:
    """Does jobs. Made by `prepared`, which ends its processes."""

    def __init__(self, place: Place, load: subprocess.Popen[bytes]) -> None:
        self.place = place
        self._load = load

    def do(self, system: System, job: Job, on_event: Callable[[Event], None] | None = None) -> Done:
        """Have `system` do a job; `on_event` hears what the load generator says while it runs."""
        assert self._load.stdin  # noqa: S101 (both are pipes)
        assert self._load.stdout  # noqa: S101
        before = cpu_seconds(system.roots)
        order = Order(job, system.port, dict(system.headers))
        self._load.stdin.write(msgspec.json.encode(order) + b"\n")
        self._load.stdin.flush()
        while line := self._load.stdout.readline():
            said = _DECODE(line)
            if isinstance(said, Result):
                return Done(said, cpu_seconds(system.roots) - before)
            if on_event:
                on_event(said)
        raise RuntimeError("the load generator has ended")


@contextmanager
def prepared() -> Iterator[Bed]:
    """Give a test bed."""
    with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as name:
        nowhere = Place(0, Path(name))
        with launched([sys.executable, "-m", "bench.mock"], nowhere) as mock:
            load = subprocess.Popen(
                [sys.executable, "-m", "bench.load"],
                cwd=name,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            try:
                yield Bed(Place(mock.port(), Path(name)), load)
            finally:
                end(load)
