"""Keeps runs as JSON beside the docs, and writes docs/benchmarks.md from what is kept.

Every figure of the document comes from a kept run: `make bench` writes one, `make bench-peers` the other, and
each renders the whole document.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from bench import plots
from bench.histogram import GROWTH
from bench.measure import Figures, Outcomes
from bench.scenarios import Scenario
from bench.systems import ROOT
from bench.views import VIEWS, Kept, KeptScenario, KeptSystem, View

DOCUMENT: Final = ROOT / "docs" / "benchmarks.md"
PLACE: Final = ROOT / "docs" / "benchmarks"

FLOOR: Final = "relay"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a run was: its kind names its files."""

    kind: str
    machine: dict[str, str]
    versions: dict[str, str]
    repeats: int


@dataclass(frozen=True, slots=True)
class Run:
    """All that a run gave."""

    facts: Facts
    scenarios: Mapping[str, tuple[Scenario, Outcomes]]
    starts: Mapping[str, Figures]
    lists: Sequence[Figures]


def keep(run: Run) -> None:
    """Write a run's figures and its histograms."""
    kept = Kept(
        machine=run.facts.machine,
        versions=run.facts.versions,
        repeats=run.facts.repeats,
        scenarios={name: _kept(*each) for name, each in run.scenarios.items()},
        starts={name: _rounded(figures) for name, figures in run.starts.items()},
        lists=[_rounded(figures) for figures in run.lists],
    )
    histograms = {
        name: {system: outcome.histograms() for system, outcome in outcomes.items()}
        for name, (_, outcomes) in run.scenarios.items()
    }
    about = f"[bucket, count]; a bucket's least sample is {GROWTH} ** (bucket - 1) microseconds"
    PLACE.mkdir(parents=True, exist_ok=True)
    _write(PLACE / f"{run.facts.kind}.json", msgspec.to_builtins(kept), indent=1)
    _write(PLACE / f"{run.facts.kind}-histograms.json", {"about": about, **histograms}, indent=None)


def _write(path: Path, value: Any, indent: int | None) -> None:
    separators = (",", ":") if indent is None else None
    path.write_text(
        json.dumps(value, indent=indent, separators=separators) + "\n", encoding="utf-8"
    )


def _kept(scenario: Scenario, outcomes: Outcomes) -> KeptScenario:
    job = scenario.job
    is_stream = job.ask.chunks > 0
    return KeptScenario(
        title=scenario.title,
        unit=scenario.unit,
        size=float(job.ask.chunks if is_stream else job.ask.size),
        rate=job.rate,
        systems={
            name: KeptSystem(_rounded(outcome.figures), outcome.failures)
            for name, outcome in outcomes.items()
        },
    )


def _rounded(figures: Figures) -> Figures:
    """Four digits: no figure here is known any better."""
    return {name: float(f"{value:.4g}") for name, value in figures.items()}


def ratios(scenarios: Mapping[str, tuple[Scenario, Outcomes]]) -> Iterator[str]:
    """Yield a line for each scenario: CPU time of each system against the floor's."""
    for scenario, outcomes in scenarios.values():
        name = f"cpu_per_{scenario.unit}"
        floor = outcomes[FLOOR].figures.get(name, 0.0)
        parts = [
            f"{system} {outcome.figures[name] / floor:.2f}"
            for system, outcome in outcomes.items()
            if floor and name in outcome.figures and system not in ("direct", FLOOR)
        ]
        failed = [system for system, outcome in outcomes.items() if outcome.failures]
        end = f"; failures: {', '.join(failed)}" if failed else ""
        yield f"{scenario.title}: CPU time of the floor's: {', '.join(parts)}{end}"


def write() -> None:
    """Write the document and its plots from the runs that are kept."""
    kept = {kind: _read(kind) for kind in ("bench", "peers")}
    lines = [*_INTRODUCTION]
    for kind, run in kept.items():
        if run:
            lines += _part(kind, run)
    DOCUMENT.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def _read(kind: str) -> Kept | None:
    path = PLACE / f"{kind}.json"
    return msgspec.json.decode(path.read_bytes(), type=Kept) if path.exists() else None


_INTRODUCTION: Final = """\
# Benchmarks

Written by `make bench` and `make bench-peers` from their own figures, which lie in
[`benchmarks/`](benchmarks/) with the histograms; `make bench ARGS=--quick` prints the ratios in a minute and
writes nothing.

- **Systems** stand between a load generator and a mock provider, each a process of its own on loopback.
  `direct`: nothing in between. `relay`: the floor, a bare relay of the same libraries without any feature
  ([`bench/relay.py`](../bench/relay.py)). `trunkline`: `trunkline serve`. `two-tier`: `trunkline router` and
  `trunkline edge`. All run as they come: logs on, no keys.
- **CPU time** is user and system time of all processes of a system, from `/proc`. It holds on a machine that
  does other work besides; latencies do less so.
- **Added** is what a system adds: its figure less that of `direct`, which took turns with it.
- **Open loops** send at fixed times and count from the intended one, so that a slow answer delays no other
  request and hides none. Their rates are shares of what the slowest system of the run can take.
- A chunk's **lateness** is from its sending by the provider to its arrival at the client; an **added gap** is
  how much longer than the provider a stream lets its reader wait for a chunk.
- **Where the time goes**: flame graphs of [unary requests](benchmarks/flame-unary.svg) and of
  [streams](benchmarks/flame-streams.svg), by `make profile`; what the gRPC hop costs two tiers:
  [grpc-hop.md](grpc-hop.md).
- Each figure is the median over the repeats. `-`: not measured; `fails`: answers other than 200, or streams
  without an end mark.
""".splitlines()


def _part(kind: str, run: Kept) -> Iterator[str]:
    yield from ("", "## Against other gateways" if kind == "peers" else "## The gateway", "")
    facts = ", ".join(f"{name} {value}" for name, value in run.machine.items())
    yield f"Machine: {facts}. {run.repeats} repeats."
    yield ""
    yield f"Versions: {', '.join(f'{name} {value}' for name, value in run.versions.items())}."
    for view in VIEWS:
        yield from _table(view, run)
    yield from _starts(run)
    yield from _lists(run)
    for name, drawing in plots.draw(run).items():
        file = f"{kind}-{name}.svg"
        (PLACE / file).write_text(drawing, encoding="utf-8")
        yield from ("", f"![{name.replace('-', ' ')}](benchmarks/{file})")


def _table(view: View, run: Kept) -> Iterator[str]:
    chosen = view.scenarios(run)
    names = [n for n in view.systems(run) if any(n in s.systems for s in chosen)]
    if not chosen or not names:
        return
    ratios = [n for n in names if n != FLOOR] if view.has_ratios and FLOOR in names else []
    heads = ["", *names, *(f"{name} / {FLOOR}" for name in ratios)]
    yield from ("", f"### {view.title}", "", *_head(heads))
    for scenario in chosen:
        cells = [_cell(view, scenario.systems.get(name)) for name in names]
        floor = view.value(scenario.systems.get(FLOOR))
        for name in ratios:
            value = view.value(scenario.systems.get(name))
            cells.append(f"{value / floor:.2f}" if value and floor else "-")
        yield _row([scenario.title, *cells])


def _cell(view: View, system: KeptSystem | None) -> str:
    if system is None:
        return "-"
    if system.failures:
        return "fails"
    value = view.value(system)
    return "-" if value is None else view.shown(value)


def _starts(run: Kept) -> Iterator[str]:
    if not run.starts:
        return
    heads = [
        "",
        "start, s",
        "CPU time of it, s",
        "memory at rest (RSS), MiB",
        "the same (PSS), MiB",
    ]
    yield from ("", "### Start and rest", "", *_head(heads))
    for name, figures in run.starts.items():
        sizes = [f"{figures[kind] / 1024:.0f}" for kind in ("rss", "pss")]
        yield _row([name, f"{figures['seconds']:.2f}", f"{figures['cpu_seconds']:.2f}", *sizes])


def _lists(run: Kept) -> Iterator[str]:
    if not run.lists:
        return
    heads = [
        "models", "CPU µs per request", "median latency, ms", "start, s", "RSS, MiB",
        "CPU ms per refresh", "largest latency, list at rest, ms", "list changing, ms",
    ]  # fmt: skip
    yield from ("", "### Length of the model list", "")
    yield "The last two columns are of a steady trickle of requests: how long the loop stands still at most."
    yield ""
    yield from _head(heads)
    for figures in run.lists:
        yield _row(
            [_number(figures.get(name), scale, digits) for name, scale, digits in _LIST_COLUMNS]
        )


_LIST_COLUMNS: Final = (
    ("models", 1, 0),
    ("cpu_per_request", 1, 0),
    ("latency_p50", 1000, 1),
    ("start_seconds", 1, 1),
    ("rss", 1024, 0),
    ("cpu_per_refresh", 0.001, 0),
    ("calm_max", 1000, 0),
    ("refresh_max", 1000, 0),
)
"""Figure, what it is divided by, digits behind its point; in the order of the heads."""


def _number(value: float | None, scale: float, digits: int) -> str:
    """Write a figure; one that an older run did not keep is a dash."""
    return "-" if value is None else f"{value / scale:,.{digits}f}"


def _head(cells: Sequence[str]) -> list[str]:
    return [_row(cells), _row(["---", *("---:" for _ in cells[1:])])]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
