"""What an edge counts. Tokens, cost and failures by reason are the router's to count."""

from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

Show = Callable[[], Awaitable[bytes]]
"""Gives what scrapers read, in Prometheus' text format."""

CLIENT_GONE = 499
"""Counted for a request whose client left before its answer began; nginx's number, never sent."""

# A refusal takes a millisecond, a long completion minutes.
_SECONDS = (0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


def show_of(registry: CollectorRegistry) -> Show:
    """What a process that is alone shows: its own registry."""

    async def show() -> bytes:
        return generate_latest(registry)

    return show


class EdgeMetrics:
    """The edge's series in one registry. Lives as long as the edge.

    `show` is what scrapers get, which may be more than the registry holds: other workers count too.
    """

    def __init__(self, registry: CollectorRegistry, show: Show | None = None) -> None:
        self.registry = registry
        self.show = show or show_of(registry)
        self._under_way = 0
        # Finding a series by its labels costs more than counting in it.
        self._series: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        in_flight = Gauge(
            "trunkline_edge_requests_in_flight",
            "HTTP requests that are being answered.",
            registry=registry,
        )
        in_flight.set_function(lambda: self._under_way)
        self._requests = Counter(
            "trunkline_edge_requests",
            "HTTP requests by route and status; 499: the client left first.",
            ("route", "status"),
            registry=registry,
        )
        self._duration = Histogram(
            "trunkline_edge_request_seconds",
            "Time from a request's headers to the end of its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._refused = Counter(
            "trunkline_edge_refused",
            "What the edge refused for a limit of its own, by limit.",
            ("limit",),
            registry=registry,
        )

    def __repr__(self) -> str:
        return "<EdgeMetrics>"

    def begin(self) -> None:
        self._under_way += 1

    def end(self, route: str, status: int, seconds: float) -> None:
        self._under_way -= 1
        series = self._series.get((route, status))
        if series is None:
            counter, durations = (
                self._requests.labels(route, str(status)),
                self._duration.labels(route),
            )
            series = self._series[route, status] = (counter, durations)
        series[0].inc()
        series[1].observe(seconds)

    def refuse(self, limit: str) -> None:
        self._refused.labels(limit).inc()
