"""Turns scenarios into figures: systems take turns, repeats are kept apart, medians are taken last."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from bench.asks import Ask
from bench.bed import Bed, Done
from bench.histogram import buckets, medians, quantiles
from bench.load import Event, Job, Result
from bench.procfs import Memory, memory
from bench.scenarios import Scenario
from bench.systems import Start, System

WARM_UP: Final = (
    Job("closed", Ask(), 0.5, 4, 50),
    Job("closed", Ask(chunks=20), 0.5, 4, 5),
    Job("closed", Ask(embeds=True), 0.3, 2, 10),
)

_SERIES: Final = ("latencies", "first", "delays", "gaps")
"""Of `Result`: what is a distribution of microseconds."""

Figures = dict[str, float]


@dataclass
class Outcome:
    """What one system showed in one scenario: figures of each repeat, all samples, failures by kind."""

    repeats: list[Figures] = field(default_factory=list)
    samples: dict[str, list[float]] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)

    @property
    def figures(self) -> Figures:
        """Medians over the repeats."""
        return medians(self.repeats)

    def histograms(self) -> dict[str, list[tuple[int, int]]]:
        """The distribution of each series over all repeats, in buckets."""
        return {name: buckets(samples) for name, samples in self.samples.items() if samples}

    def add(self, figures: Figures, result: Result) -> None:
        """Take one repeat."""
        self.repeats.append(figures)
        for name in _SERIES:
            self.samples.setdefault(name, []).extend(getattr(result, name))
        for why, count in result.failures.items():
            self.failures[why] = self.failures.get(why, 0) + count


Outcomes = dict[str, Outcome]
"""By the system's name."""


def say(text: str) -> None:
    """Tell the user what is going on."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def joined(blocks: Sequence[Done]) -> Done:
    """Add blocks of one repeat up."""
    total = Result()
    for block in blocks:
        result = block.result
        total.seconds += result.seconds
        total.requests += result.requests
        total.chunks += result.chunks
        for name in _SERIES:
            setattr(total, name, getattr(total, name) + getattr(result, name))
        total.failures = {
            why: total.failures.get(why, 0) + result.failures.get(why, 0)
            for why in {**total.failures, **result.failures}
        }
    return Done(total, sum(block.cpu for block in blocks))


def figures_of(done: Done) -> Figures:
    """Return the figures of one repeat; times in microseconds."""
    result = done.result
    if not result.requests:
        return {}
    figures = {
        "cpu_per_request": done.cpu * 1e6 / result.requests,
        "per_second": result.requests / result.seconds,
        "cores": done.cpu / result.seconds,
        **quantiles(result.latencies, "latency"),
        **quantiles(result.first, "first"),
        **quantiles(result.delays, "delay"),
        **quantiles(result.gaps, "gap"),
    }
    if result.chunks:
        figures["cpu_per_chunk"] = done.cpu * 1e6 / result.chunks
        figures["chunks_per_second"] = result.chunks / result.seconds
    return figures


def added(figures: Figures, direct: Figures) -> Figures:
    """Return `figures` with what each time is beyond the direct way, under `added_…`."""
    prefixes = ("latency", "first", "delay", "gap")
    beyond = {
        f"added_{name}": value - direct[name]
        for name, value in figures.items()
        if name.startswith(prefixes) and name in direct
    }
    return {**figures, **beyond}


def warm_up(bed: Bed, system: System) -> None:
    """Let a system load what it loads at its first requests."""
    for job in WARM_UP:
        bed.do(system, job)


def run(bed: Bed, scenario: Scenario, systems: Sequence[System], repeats: int) -> Outcomes:
    """Do a scenario with systems that run already."""
    chosen = [s for s in systems if not scenario.only or s.name in scenario.only]
    outcomes = {system.name: Outcome() for system in chosen}
    for _ in range(repeats):
        blocks: dict[str, list[Done]] = {system.name: [] for system in chosen}
        for _ in range(scenario.blocks):
            for system in chosen:
                blocks[system.name].append(bed.do(system, scenario.job))
        _take(outcomes, {name: joined(done) for name, done in blocks.items()})
    _report(scenario, outcomes)
    return outcomes


def run_fresh(bed: Bed, scenario: Scenario, starts: Mapping[str, Start], repeats: int) -> Outcomes:
    """Do a scenario with systems that are started for it, and see what an open stream takes of memory."""
    chosen = {n: start for n, start in starts.items() if not scenario.only or n in scenario.only}
    outcomes = {name: Outcome() for name in chosen}
    for _ in range(repeats):
        dones, more = {}, {}
        for name, start in chosen.items():
            with start(bed.place) as system:
                warm_up(bed, system)
                before = memory(system.roots)
                looks: list[Figures] = []
                dones[name] = bed.do(system, scenario.job, _looking(system, before, looks))
                more[name] = looks[0]
        _take(outcomes, dones, more)
    _report(scenario, outcomes)
    return outcomes


def _looking(system: System, before: Memory, looks: list[Figures]) -> Callable[[Event], None]:
    def look(event: Event) -> None:
        now, streams = memory(system.roots), max(1, event.under_way)
        looks.append(
            {
                "open_streams": float(event.under_way),
                "rss_per_stream": (now.rss - before.rss) / streams,
                "pss_per_stream": (now.pss - before.pss) / streams,
            }
        )

    return look


def _take(
    outcomes: Outcomes, dones: Mapping[str, Done], more: Mapping[str, Figures] | None = None
) -> None:
    direct = figures_of(dones["direct"]) if "direct" in dones else {}
    for name, done in dones.items():
        figures = added(figures_of(done), direct)
        outcomes[name].add({**figures, **(more or {}).get(name, {})}, done.result)


def _report(scenario: Scenario, outcomes: Outcomes) -> None:
    parts = []
    for name, outcome in outcomes.items():
        figure = outcome.figures.get(f"cpu_per_{scenario.unit}")
        told = "fails" if figure is None else f"{figure:.0f}"
        parts.append(f"{name} {told}" + (f" ({outcome.failures})" if outcome.failures else ""))
    say(f"{scenario.title}: CPU us per {scenario.unit}: {', '.join(parts)}")


def at_share(scenario: Scenario, outcomes: Iterable[Outcome]) -> Scenario:
    """Return an open loop's scenario with its rate: a share of the slowest's highest."""
    slowest = min(o.figures["per_second"] for o in outcomes if "per_second" in o.figures)
    rate = max(1.0, slowest * scenario.share)
    title = f"{scenario.title}: {rate:.0f} a second"
    return replace(scenario, title=title, job=msgspec.structs.replace(scenario.job, rate=rate))
