"""The tables of the document: which figure, of which scenarios, how written. A table of tables."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec


class KeptSystem(msgspec.Struct):
    """What one system showed: medians, and failures by kind."""

    figures: dict[str, float]
    failures: dict[str, int] = {}


class KeptScenario(msgspec.Struct):
    """One scenario of a kept run. `size`: bytes of a body or chunks of a stream; `rate`: of an open loop."""

    title: str
    unit: str
    size: float
    rate: float
    systems: dict[str, KeptSystem]


class Kept(msgspec.Struct):
    """A run as it lies beside the docs."""

    machine: dict[str, str]
    versions: dict[str, str]
    repeats: int
    scenarios: dict[str, KeptScenario]
    starts: dict[str, dict[str, float]]
    lists: list[dict[str, float]]


@dataclass(frozen=True, slots=True)
class View:
    """A table: `figure` of the scenarios whose names start with one of `prefixes`.

    `scale` is what a value is divided by, `digits` stand behind its point.
    """

    title: str
    figure: str
    prefixes: tuple[str, ...]
    scale: float = 1.0
    digits: int = 0
    has_ratios: bool = False
    has_direct: bool = False

    def scenarios(self, run: Kept) -> list[KeptScenario]:
        """Return the scenarios that it shows."""
        return [s for name, s in run.scenarios.items() if name.startswith(self.prefixes)]

    def systems(self, run: Kept) -> Iterable[str]:
        """Return the systems that it shows, in the order of the run."""
        names = dict.fromkeys(n for s in run.scenarios.values() for n in s.systems)
        return [name for name in names if self.has_direct or name != "direct"]

    def value(self, system: KeptSystem | None) -> float | None:
        """Return the figure of a system, None where there is none."""
        return None if system is None or system.failures else system.figures.get(self.figure)

    def shown(self, value: float) -> str:
        """Write a value."""
        return f"{value / self.scale:,.{self.digits}f}"


_UNARY: Final = ("unary-", "embeddings", "slow")
_LOOPS: Final = ("unary-1", "open-", "slow", "body-")
_TIMED: Final = ("streams-",)

VIEWS: Final = (
    View("CPU time per request, µs", "cpu_per_request", (*_UNARY, "open-"), has_ratios=True),
    View(
        "CPU time per chunk, µs",
        "cpu_per_chunk",
        ("streams-", "stream-"),
        digits=1,
        has_ratios=True,
    ),
    View(
        "CPU time per request by size of bodies, µs", "cpu_per_request", ("body-",), has_ratios=True
    ),
    View("Requests per second, closed loop", "per_second", ("unary-",), has_direct=True),
    View("Added latency, median, ms", "added_latency_p50", _LOOPS, 1000, 2, has_ratios=True),
    View("Added latency, 99 %, ms", "added_latency_p99", _LOOPS, 1000, 2),
    View("Added time to the first content, median, ms", "added_first_p50", _TIMED, 1000, 1),
    View("Lateness of chunks, median, ms", "delay_p50", _TIMED, 1000, 2, has_direct=True),
    View("Lateness of chunks, 99 %, ms", "delay_p99", _TIMED, 1000, 2, has_direct=True),
    View("Lateness of chunks, largest, ms", "delay_max", _TIMED, 1000, 1, has_direct=True),
    View("Largest added gap of a stream, median, ms", "gap_p50", _TIMED, 1000, 2, has_direct=True),
    View("Largest added gap of all streams, ms", "gap_max", _TIMED, 1000, 1, has_direct=True),
    View("Chunks per second, one stream", "chunks_per_second", ("stream-1",), has_direct=True),
    View("Streams open when memory was looked at", "open_streams", ("streams-2000",)),
    View(
        "Memory per open stream (RSS), KiB",
        "rss_per_stream",
        ("streams-2000",),
        digits=1,
        has_ratios=True,
    ),
)
