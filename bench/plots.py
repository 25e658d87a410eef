"""The plots of a kept run. Pure."""

from collections.abc import Callable, Mapping

from bench import svg
from bench.views import Kept, KeptScenario


def draw(run: Kept) -> Mapping[str, str]:
    """Return drawings by name."""
    unary = run.scenarios["unary-16"].systems
    costs = {
        name: s.figures["cpu_per_request"]
        for name, s in unary.items()
        if name != "direct" and s.figures
    }
    bodies = _series(run, "body-", "cpu_per_request", lambda s, value: (s.size, value))
    streams = _series(run, "stream-", "cpu_per_request", lambda s, value: (s.size, value / 1000))
    rates = _series(run, "open-", "added_latency_p50", lambda s, value: (s.rate, value / 1000))
    return {
        "cpu": svg.bars("CPU time per unary request, 16 connections", "µs", costs),
        "bodies": svg.lines("CPU time by size of bodies", "bytes", "µs per request", bodies),
        "streams": svg.lines("CPU time by length of stream", "chunks", "ms per stream", streams),
        "rates": svg.lines(
            "Median latency added in an open loop", "requests per second", "ms", rates
        ),
    }


def _series(
    run: Kept, prefix: str, figure: str, point: Callable[[KeptScenario, float], tuple[float, float]]
) -> dict[str, list[tuple[float, float]]]:
    """Return one line for each system: a point for each scenario that it has the figure of."""
    series: dict[str, list[tuple[float, float]]] = {}
    for name, scenario in run.scenarios.items():
        if not name.startswith(prefix):
            continue
        for system, shown in scenario.systems.items():
            if system != "direct" and not shown.failures and figure in shown.figures:
                series.setdefault(system, []).append(point(scenario, shown.figures[figure]))
    return series
