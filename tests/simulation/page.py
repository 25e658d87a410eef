"""The page `docs/load-balancing.md`: what was simulated, and what came of it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.simulation.cells import CALLS, Summaries, Summary
from tests.simulation.replicas import MEAN_SECONDS, SLOTS, Scenario
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.simulation import PATIENCE_SECONDS, STRATEGIES, YARDSTICKS

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "load-balancing.md"

INTRODUCTION: Final = f"""\
# Load balancing: how the strategies compare

`make simulation` writes this page; a test holds it to what the code does. {CALLS:,} calls of each
scenario go through the gateway's own selector, retries and breaker
([`router/routing`](../router/routing)) with a clock that jumps from event to event: no sockets, nothing
that depends on the machine, the same bytes each time. Calls arrive by chance at a fixed rate, whatever
becomes of those before them. A replica works on {SLOTS} calls at once, {MEAN_SECONDS} s each on average
(lognormal), and queues the rest. A caller gives up after {PATIENCE_SECONDS:.0f} s.

The strategies are those of `balancing` in [`resilience.md`](resilience.md). Two yardsticks in *italics*
stand beside them, with the same breaker and retries: round robin, and peak EWMA as Finagle has it, where
one slow answer counts in full and a quick failure as a fast answer.

## What to take from it

- **`peak_ewma`, the default, is the best or among the best everywhere.** Where replicas differ (*uneven*,
  *fleet*) or one turns slow (*brown-out*), round robin and chance keep sending calls into the slow one's
  queue until callers give up; `peak_ewma` leaves it just enough to see when it has recovered.
- `least_in_flight` needs no memory and comes close. It is better where answers differ more by their
  length than by who gives them (*heavy tail*), and worse where one replica is constantly slower.
- `weighted_random` is for when the weights are the point: contracts, quotas, canaries.
- **Callers see no failure of a replica that fails**, with any strategy: another one answers. What differs
  is how many attempts that takes. A replica that fails at once has nothing under way and looks free; so
  whoever counts calls sends it more of them, until its breaker opens. One that fails a quarter of its
  calls stays below the breaker's half.

## What the simulation changed

Peaks that count in full (*full_peaks*) made `peak_ewma` shun healthy replicas for the length of the last
answer: see its median in *even* and *heavy tail*. Now slower answers make up most of the average within
two seconds instead of at once, faster ones within ten as before. A failure counts as an answer that took
as long as expected on top of its own time, since that is what its caller waits for; before, a quick one
counted as fast. What was last heard of a minute ago is forgotten. A replica that has never answered gets
one call, and no second one before it has answered while others are known: before, it could get hundreds
until then.

## Figures

*p50* and *p99* are of the calls that were answered. *share* is the last replica's of all attempts: while
all is well, and during its trouble. *opened* counts breakers that opened.
"""

_HEADER: Final = (
    "| strategy | p50 s | p99 s | failed | attempts per call | share | in trouble | opened |\n"
)


def page(summaries: Summaries) -> str:
    """Return the whole page; `summaries` has all cells."""
    sections = (_section(scenario, summaries) for scenario in SCENARIOS)
    return "\n".join((INTRODUCTION, *sections))


def row(strategy: str, summary: Summary) -> str:
    """Return one line of a table."""
    figures = summary.figures
    cells = (
        f"*{strategy}*" if strategy in YARDSTICKS else f"`{strategy}`",
        f"{summary.p50:.3f}",
        f"{summary.p99:.2f}",
        str(figures.failed),
        f"{summary.attempts_per_call:.3f}",
        _percent(summary.share),
        _percent(summary.share_in_trouble),
        str(figures.opened),
    )
    return _line(cells)


def _section(scenario: Scenario, summaries: Summaries) -> str:
    rows = [row(strategy, summaries[scenario.name, strategy]) for strategy in STRATEGIES]
    heading = f"### {scenario.name}: {scenario.words}\n\n{scenario.rate:g} calls per second.\n\n"
    return heading + _HEADER + _line(["---"] * 8) + "".join(rows)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |\n"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
