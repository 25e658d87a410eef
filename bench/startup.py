"""What a start costs, what a system takes that does nothing, and what a long model list does to either."""

import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.request import urlopen

import msgspec

from bench.asks import Ask
from bench.bed import Bed
from bench.histogram import medians
from bench.load import Event, Job
from bench.measure import Figures, figures_of, say
from bench.procfs import cpu_seconds, memory
from bench.systems import Start, model_rows, trunkline

SETTLE_SECONDS: Final = 0.3
"""After a start, before its memory is looked at."""

SIZES: Final = (3, 10_000, 100_000)
"""Models on a list."""

_GENERATION: Final = re.compile(r"^trunkline_model_list_generation (\S+)$", re.MULTILINE)

_WARM_UP: Final = Job("closed", Ask(), 0.3, 4)
_LOOK_UP: Final = Job("closed", Ask(), 0.6)
_CALM: Final = Job("open", Ask(), 1.5, rate=50)
_REFRESHING: Final = Job("open", Ask(), 3.5, rate=50, every=1.0)
"""A steady trickle: the largest latency shows how long the event loop stood still. Ticks change the list."""

_MODELS_PER_SECOND: Final = 8_000
"""A refresh of a long list takes a while: it is waited for so much longer."""


def starts(bed: Bed, systems: Mapping[str, Start], repeats: int) -> dict[str, Figures]:
    """Return seconds and CPU seconds of a start, and KiB of memory at rest."""
    each_time: dict[str, list[Figures]] = {name: [] for name in systems}
    for _ in range(repeats):
        for name, start in systems.items():
            with start(bed.place) as system:
                time.sleep(SETTLE_SECONDS)
                used = memory(system.roots)
                each_time[name].append(
                    {
                        "seconds": system.started,
                        "cpu_seconds": cpu_seconds(system.roots),
                        "rss": float(used.rss),
                        "pss": float(used.pss),
                    }
                )
    found = {name: medians(each) for name, each in each_time.items()}
    seconds = ", ".join(f"{name} {figures['seconds']:.2f}" for name, figures in found.items())
    say(f"start, seconds: {seconds}")
    return found


def lists(bed: Bed, repeats: int) -> list[Figures]:
    """Return for each size of a list what a request costs, what the list takes, how a refresh stalls."""
    found = []
    for size in SIZES:
        figures = medians(
            [{**_at_rest(bed, size), **_refreshing(bed, size)} for _ in range(repeats)]
        )
        found.append({"models": float(size), **figures})
        say(
            f"a list of {size:,} models: CPU us per request {figures['cpu_per_request']:.0f},"
            f" largest latency {figures['calm_max'] / 1000:.0f} ms,"
            f" while it is refreshed {figures.get('refresh_max', 0) / 1000:.0f} ms"
        )
    return found


def _at_rest(bed: Bed, size: int) -> Figures:
    with trunkline(bed.place, _written(bed, size), _state(bed)) as system:
        bed.do(system, _WARM_UP)
        served = figures_of(bed.do(system, _LOOK_UP))
        calm = bed.do(system, _CALM)
        return {
            "start_seconds": system.started,
            "rss": float(memory(system.roots).rss),
            "cpu_per_request": served["cpu_per_request"],
            "latency_p50": served["latency_p50"],
            "calm_max": figures_of(calm)["latency_max"],
        }


def _refreshing(bed: Bed, size: int) -> Figures:
    path = _written(bed, size)
    texts = [json.dumps(model_rows(size, price)) for price in (0.003, 0.001)]
    environ = {**_state(bed), "MODEL_LIST_REFRESH_SECONDS": "1"}
    with trunkline(bed.place, path, environ) as system:
        bed.do(system, _WARM_UP)
        calm, first = bed.do(system, _CALM), generation(system.port)
        changes: list[str] = []

        def change(_: Event) -> None:
            changes.append(texts[len(changes) % 2])
            replace_list(path, changes[-1])

        seconds = _REFRESHING.seconds + size / _MODELS_PER_SECOND
        job = msgspec.structs.replace(_REFRESHING, seconds=seconds)
        done = bed.do(system, job, change)
        refreshes = generation(system.port) - first
    figures = {"refreshes": float(refreshes)}
    if refreshes:
        # What the same requests cost without them is not theirs.
        requests = calm.cpu * done.result.requests / max(1, calm.result.requests)
        figures["cpu_per_refresh"] = (done.cpu - requests) / refreshes
        figures["refresh_max"] = figures_of(done)["latency_max"]
    return figures


def generation(port: int) -> int:
    """Return the number of the list's state; 0 if there is none."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        found = _GENERATION.search(answer.read().decode())
    return round(float(found[1])) if found else 0


def _written(bed: Bed, size: int) -> Path:
    path = bed.place.directory / f"models-{size}.json"
    replace_list(path, json.dumps(model_rows(size)))
    return path


def replace_list(path: Path, text: str) -> None:
    """Put a list in the place of another, so that no reader sees half of one."""
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").replace(path)


def _state(bed: Bed) -> dict[str, str]:
    # Each start finds no list of an earlier one.
    return {"TRUNKLINE_STATE_DIR": str(bed.place.directory / f"state-{time.monotonic_ns()}")}
