import pytest
from prometheus_client import CollectorRegistry

from edge.admission import Admission, connection_limit
from edge.config import EdgeLimits
from edge.metrics import EdgeMetrics


def test_a_budget_gives_what_there_is_and_counts_what_it_refuses() -> None:
    registry = CollectorRegistry()
    budget = Admission(EdgeLimits(held_bytes=10), 1000, EdgeMetrics(registry)).held_bytes

    assert budget.take(6)
    assert not budget.take(5)
    assert budget.take(4)
    assert repr(budget) == "<Budget 10/10>"
    labels = {"limit": "held_bytes"}
    assert registry.get_sample_value("trunkline_edge_refused_total", labels) == 1

    budget.give(10)
    assert budget.has_room(10)
    assert not budget.has_room(11)


@pytest.mark.parametrize(
    ("descriptors", "limit"),
    [
        (10**6, 16_384),  # as configured
        (20_000, 20_000 - 128 - 4096),  # one more for each request, to its provider
        (1024, (1024 - 128) // 2),  # few: each connection may need its second one
        (64, 1),  # whatever the system gives, somebody is served
    ],
)
def test_there_are_never_more_connections_than_descriptors_for_them_and_their_calls(
    descriptors: int, limit: int
) -> None:
    assert connection_limit(EdgeLimits(), descriptors) == limit


def test_an_admission_shows_how_full_it_is() -> None:
    admission = Admission(EdgeLimits(), 20_000, EdgeMetrics(CollectorRegistry()))

    assert admission.requests.take()
    assert "requests=<Budget 1/4096>" in repr(admission)
