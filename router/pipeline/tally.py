"""Counts calls as cheaply as can be, and makes Prometheus' series of the counts when somebody scrapes.

A call costs one look-up and a few additions; labels, locks and buckets as series are for who reads them.
"""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final, NamedTuple

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from router.values import Usage

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
"""Bounds of the histograms: from a local answer to the longest call that the defaults allow."""

_KINDS: Final = ("prompt", "completion", "cached", "reasoning")


class Kind(NamedTuple):
    """What calls are counted apart by."""

    operation: str
    provider: str
    model: str
    status: str


class _Times:
    """A histogram of seconds."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.total += seconds

    def join(self, other: "_Times") -> None:
        self.counts = [mine + its for mine, its in zip(self.counts, other.counts, strict=True)]
        self.total += other.total

    def buckets(self) -> list[tuple[str, float]]:
        """Return the cumulative counts by their upper bounds, as Prometheus has them."""
        pairs, sum_ = [], 0
        for bound, count in zip((*map(str, map(float, SECONDS)), "+Inf"), self.counts, strict=True):
            sum_ += count
            pairs.append((bound, float(sum_)))
        return pairs


class Cell:
    """The calls of one kind."""

    __slots__ = ("calls", "cost", "durations", "first_tokens", "tokens")

    def __init__(self) -> None:
        self.calls = 0
        self.durations = _Times()
        self.first_tokens = _Times()
        self.tokens = [0, 0, 0, 0]
        self.cost = 0.0

    def count_tokens(self, usage: Usage) -> None:
        """Add what a call used."""
        tokens = self.tokens
        tokens[0] += usage.prompt_tokens
        tokens[1] += usage.completion_tokens
        tokens[2] += usage.cached_tokens
        tokens[3] += usage.reasoning_tokens


class Tally(Collector):
    """All that was counted. Lives as long as the application."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, str, str, str], Cell] = {}

    def cell(self, kind: Kind) -> Cell:
        """Return the cell of calls of `kind`."""
        cell = self._cells.get(kind)
        if cell is None:
            cell = self._cells[kind] = Cell()
        return cell

    def collect(self) -> Iterator[Metric]:
        """Yield the series."""
        cells = [(Kind(*key), cell) for key, cell in self._cells.items()]
        yield _counted(
            "trunkline_requests", "Calls that ended.", Kind._fields,
            ((kind, cell.calls) for kind, cell in cells),
        )  # fmt: skip
        yield _counted(
            "trunkline_failures", "Calls that failed.", ("provider", "model", "reason"),
            (((k.provider, k.model, k.status), cell.calls) for k, cell in cells if _is_failure(k)),
        )  # fmt: skip
        yield _counted(
            "trunkline_tokens", "Tokens that providers reported.", ("provider", "model", "kind"),
            (
                ((kind.provider, kind.model, name), count)
                for kind, cell in cells
                for name, count in zip(_KINDS, cell.tokens, strict=True)
                if count
            ),
        )  # fmt: skip
        yield _counted(
            "trunkline_cost_usd", "Cost by the list's prices.", ("provider", "model"),
            (((kind.provider, kind.model), cell.cost) for kind, cell in cells if cell.cost),
        )  # fmt: skip
        yield _timed(
            "trunkline_request_duration_seconds", "Whole time of a call.", ("operation", "provider"),
            (((kind.operation, kind.provider), cell.durations) for kind, cell in cells),
        )  # fmt: skip
        yield _timed(
            "trunkline_time_to_first_token_seconds",
            "From the call's start to its first content, streams.", ("provider",),
            (((k.provider,), cell.first_tokens) for k, cell in cells if any(cell.first_tokens.counts)),
        )  # fmt: skip


def _is_failure(kind: Kind) -> bool:
    return kind.status not in ("OK", "CANCELLED")


def _counted(
    name: str, words: str, labels: tuple[str, ...], counts: Iterator[tuple[tuple[str, ...], float]]
) -> CounterMetricFamily:
    sums: dict[tuple[str, ...], float] = {}
    for values, count in counts:
        sums[tuple(values)] = sums.get(tuple(values), 0.0) + count
    family = CounterMetricFamily(name, words, labels=labels)
    for values, sum_ in sums.items():
        family.add_metric(list(map(str, values)), sum_)
    return family


def _timed(
    name: str, words: str, labels: tuple[str, ...], times: Iterator[tuple[tuple[str, ...], _Times]]
) -> HistogramMetricFamily:
    joined: dict[tuple[str, ...], _Times] = {}
    for values, each in times:
        joined.setdefault(values, _Times()).join(each)
    family = HistogramMetricFamily(name, words, labels=labels)
    for values, each in joined.items():
        family.add_metric(list(map(str, values)), each.buckets(), each.total)
    return family
