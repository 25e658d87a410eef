"""What several processes have counted, as if one had: sums for what is counted, and a rule for each gauge.

What a process tells of itself (its memory, its garbage) is not added up: it gets a label, `worker`. Pure.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

Labels = tuple[tuple[str, str], ...]


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """One series at one moment."""

    name: str
    labels: Labels
    value: float


class Family(msgspec.Struct, frozen=True, array_like=True):
    """The series of one metric. `kind` is Prometheus' type: `counter`, `gauge`, `histogram`, …"""

    name: str
    words: str
    kind: str
    samples: tuple[Sample, ...]


Families = tuple[Family, ...]

COUNTED: Final = frozenset({"counter", "histogram", "summary"})
"""Kinds that only grow: what a worker that has died had counted still counts."""

SUMMED: Final = frozenset({
    "trunkline_calls_in_flight", "trunkline_calls_waiting", "trunkline_deployment_calls_in_flight",
    "trunkline_edge_requests_in_flight",
})  # fmt: skip
"""Gauges of what each worker has by itself."""

LARGEST: Final = frozenset({
    "trunkline_deployment_breaker", "trunkline_deployment_expected_seconds", "trunkline_model_list_degraded",
    "trunkline_model_list_generation", "trunkline_model_list_models", "trunkline_model_list_set_aside",
})  # fmt: skip
"""Gauges of what all workers see, each for itself: the highest is the newest, or the one to look at."""

_OWN: Final = ("process_", "python_")


def is_own(name: str) -> bool:
    """Whether a metric tells of the process and not of what it serves."""
    return name.startswith(_OWN)


def signed(families: Families, worker: int) -> Families:
    """Return the families with a worker's number on all that it tells of its own process."""
    return tuple(
        msgspec.structs.replace(family, samples=_signed(family.samples, worker))
        if is_own(family.name)
        else family
        for family in families
    )


def _signed(samples: Iterable[Sample], worker: int) -> tuple[Sample, ...]:
    label = ("worker", str(worker))
    return tuple(Sample(s.name, (*s.labels, label), s.value) for s in samples)


def total(counted: Iterable[Families]) -> Families:
    """Return the families of several processes as those of one."""
    known: dict[str, Family] = {}
    values: dict[str, dict[tuple[str, Labels], float]] = {}
    for families in counted:
        for family in families:
            known.setdefault(family.name, family)
            _join(values.setdefault(family.name, {}), family)
    return tuple(
        msgspec.structs.replace(family, samples=_samples(values[name]))
        for name, family in known.items()
    )


def _join(values: dict[tuple[str, Labels], float], family: Family) -> None:
    is_summed = family.name not in LARGEST
    for sample in family.samples:
        key = (sample.name, sample.labels)
        if key not in values:
            values[key] = sample.value
        elif is_summed:
            values[key] += sample.value
        else:
            values[key] = max(values[key], sample.value)


def _samples(values: dict[tuple[str, Labels], float]) -> tuple[Sample, ...]:
    return tuple(Sample(name, labels, value) for (name, labels), value in values.items())


def lasting(families: Families) -> Families:
    """Return what of a process counts after its end."""
    return tuple(f for f in families if f.kind in COUNTED and not is_own(f.name))
