"""What scrapers read of deployments: taken from the book when they ask, so that it costs calls nothing."""

from collections.abc import Callable, Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from router.routing.breaker import State
from router.routing.health import Health, HealthBook

_NUMBER = {State.CLOSED: 0, State.HALF_OPEN: 1, State.OPEN: 2}


class DeploymentGauges(Collector):
    """A collector over the book. `now` is the clock that the book is told of."""

    def __init__(self, book: HealthBook, now: Callable[[], float]) -> None:
        self._book = book
        self._now = now

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield breaker, calls under way and expected seconds of each deployment that was called."""
        now = self._now()
        label = ["deployment"]
        breaker = GaugeMetricFamily(
            "trunkline_deployment_breaker", "0 closed, 1 half open, 2 open.", labels=label
        )
        in_flight = GaugeMetricFamily(
            "trunkline_deployment_calls_in_flight", "Calls under way.", labels=label
        )
        expected = GaugeMetricFamily(
            "trunkline_deployment_expected_seconds",
            "Seconds to the first content that balancing expects.",
            labels=[*label, "kind"],
        )
        by_label: dict[str, list[Health]] = {}
        for health in self._book.known():
            by_label.setdefault(health.label, []).append(health)
        for name, healths in by_label.items():  # a model at several addresses of one provider
            breaker.add_metric([name], max(_NUMBER[h.breaker.state(now)] for h in healths))
            in_flight.add_metric([name], sum(h.in_flight for h in healths))
            for kind, is_stream in (("unary", False), ("stream", True)):
                slowest = max(h.expected(now, is_stream=is_stream) for h in healths)
                expected.add_metric([name, kind], slowest)
        yield from (breaker, in_flight, expected)
