"""Runs scenarios with strategies, several at once, and sums each up in one line."""

import gc
import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from tests.simulation.scenarios import SCENARIOS
from tests.simulation.simulation import Figures, Simulation

CALLS: Final = 100_000
"""Of each scenario with each strategy."""

Cell = tuple[str, str]
"""Names of a scenario and a strategy."""

PROCESSES: Final = 2


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of one cell; times in seconds, of the calls that were answered.

    `share` and `share_in_trouble` are the last replica's of all attempts, outside and within its troubles;
    None where there was no such time.
    """

    figures: Figures
    p50: float
    p99: float
    share: float | None
    share_in_trouble: float | None

    @property
    def attempts_per_call(self) -> float:
        return self.figures.attempts / self.figures.arrived


class Summaries:
    """Summaries of cells that are being worked on: asked for one, it waits for that one alone."""

    def __init__(self, futures: Mapping[Cell, "Future[Summary]"]) -> None:
        self._futures = futures

    def __getitem__(self, cell: Cell) -> Summary:
        return self._futures[cell].result()


@contextmanager
def running(cells: Sequence[Cell], calls: int = CALLS) -> Iterator[Summaries]:
    """Work on cells in a few processes: what comes of them does not depend on which."""
    # Nothing is inherited from the parent: grpc's threads do not survive a fork.
    spawn = multiprocessing.get_context("spawn")
    # The calls leave no garbage that must be looked for, and looking takes a third of the time.
    with ProcessPoolExecutor(PROCESSES, mp_context=spawn, initializer=gc.disable) as pool:
        yield Summaries({cell: pool.submit(_summary, cell, calls) for cell in cells})


def _summary(cell: Cell, calls: int) -> Summary:
    name, strategy = cell
    scenario = next(s for s in SCENARIOS if s.name == name)
    figures = Simulation(scenario, strategy).run(calls)
    ordered = sorted(figures.latencies)
    del figures.latencies[:]
    return Summary(
        figures,
        p50=ordered[len(ordered) // 2],
        p99=ordered[len(ordered) * 99 // 100],
        share=_last_of(figures.shares[0]),
        share_in_trouble=_last_of(figures.shares[1]),
    )


def _last_of(attempts: Sequence[int]) -> float | None:
    return attempts[-1] / sum(attempts) if any(attempts) else None
