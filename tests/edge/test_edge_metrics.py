from prometheus_client import CollectorRegistry

from edge.metrics import EdgeMetrics


def test_a_request_is_in_flight_until_it_ends_and_then_counted() -> None:
    registry = CollectorRegistry()
    metrics = EdgeMetrics(registry)

    metrics.begin()
    assert registry.get_sample_value("trunkline_edge_requests_in_flight") == 1

    metrics.end("/v1/models", 200, 0.2)
    labels = {"route": "/v1/models", "status": "200"}
    assert registry.get_sample_value("trunkline_edge_requests_in_flight") == 0
    assert registry.get_sample_value("trunkline_edge_requests_total", labels) == 1
    route = {"route": "/v1/models"}
    assert registry.get_sample_value("trunkline_edge_request_seconds_sum", route) == 0.2


def test_two_edges_with_registries_of_their_own_live_side_by_side() -> None:
    assert repr(EdgeMetrics(CollectorRegistry())) == repr(EdgeMetrics(CollectorRegistry()))
