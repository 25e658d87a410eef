"""Distributions of times: quantiles of all samples, and buckets to keep them in. Pure."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Final

GROWTH: Final = 1.1
"""Each bucket's bounds are this far apart: what is read from buckets is right to 10 %."""


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest sample that at least `share` of all samples do not exceed.

    Raises:
        ValueError: if there are no samples.

    """
    if not ordered:
        raise ValueError("no samples")
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def quantiles(samples: Iterable[float], prefix: str) -> dict[str, float]:
    """Return median, 90 %, 99 % and the largest of `samples` by name; nothing where there are none."""
    ordered = sorted(samples)
    if not ordered:
        return {}
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {f"{prefix}_{name}": quantile(ordered, share) for name, share in shares.items()}


def bucket(sample: float) -> int:
    """Return the number of the bucket of `sample`; all below 1 share the first."""
    return 0 if sample < 1 else 1 + math.floor(math.log(sample) / math.log(GROWTH))


def lower_bound(number: int) -> float:
    """Return the least sample of a bucket."""
    return 0.0 if number == 0 else GROWTH ** (number - 1)


def buckets(samples: Iterable[float]) -> list[tuple[int, int]]:
    """Return the number and the count of each bucket that is not empty, ascending."""
    return sorted(Counter(map(bucket, samples)).items())


def medians(repeats: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the median of each figure that every repeat has."""
    if not repeats:
        return {}
    names = [name for name in repeats[0] if all(name in each for each in repeats)]
    return {name: median(each[name] for each in repeats) for name in names}
