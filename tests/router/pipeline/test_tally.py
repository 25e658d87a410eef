"""What is counted cheaply is told as Prometheus has it."""

from prometheus_client import CollectorRegistry, generate_latest

from router.pipeline.tally import Kind, Tally
from router.values import Usage

CHAT = Kind("chat", "p", "m", "OK")


def told(tally: Tally) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(tally)
    return registry


def test_calls_are_counted_apart_and_failures_by_reason() -> None:
    tally = Tally()
    tally.cell(CHAT).calls += 2
    for status in ("TIMEOUT", "CANCELLED"):
        tally.cell(CHAT._replace(status=status)).calls += 1
    registry = told(tally)

    labels = {"operation": "chat", "provider": "p", "model": "m"}
    assert registry.get_sample_value("trunkline_requests_total", {**labels, "status": "OK"}) == 2
    failed = {"provider": "p", "model": "m", "reason": "TIMEOUT"}
    assert registry.get_sample_value("trunkline_failures_total", failed) == 1
    cancelled = {**failed, "reason": "CANCELLED"}
    assert registry.get_sample_value("trunkline_failures_total", cancelled) is None


def test_durations_are_cumulative_histograms_over_all_statuses() -> None:
    tally = Tally()
    tally.cell(CHAT).durations.add(0.005)
    tally.cell(CHAT).durations.add(0.006)
    tally.cell(CHAT._replace(status="TIMEOUT")).durations.add(1000)
    registry = told(tally)

    def bucket(bound: str) -> float | None:
        name = "trunkline_request_duration_seconds_bucket"
        labels = {"operation": "chat", "provider": "p", "le": bound}
        return registry.get_sample_value(name, labels)

    labels = {"operation": "chat", "provider": "p"}
    assert [bucket(b) for b in ("0.005", "0.01", "600.0", "+Inf")] == [1, 2, 2, 3]
    assert registry.get_sample_value("trunkline_request_duration_seconds_count", labels) == 3
    total = registry.get_sample_value("trunkline_request_duration_seconds_sum", labels)
    assert total == 1000.011


def test_tokens_and_cost_are_sums_and_absent_where_there_are_none() -> None:
    tally = Tally()
    tally.cell(CHAT).count_tokens(Usage(10, 5, cached_tokens=2))
    tally.cell(CHAT._replace(operation="embeddings")).count_tokens(Usage(1, 0))
    tally.cell(CHAT).cost += 0.25
    registry = told(tally)

    def tokens(kind: str) -> float | None:
        labels = {"provider": "p", "model": "m", "kind": kind}
        return registry.get_sample_value("trunkline_tokens_total", labels)

    assert [tokens(k) for k in ("prompt", "completion", "cached", "reasoning")] == [11, 5, 2, None]
    place = {"provider": "p", "model": "m"}
    assert registry.get_sample_value("trunkline_cost_usd_total", place) == 0.25


def test_an_empty_tally_can_be_read() -> None:
    assert b"trunkline_requests" in generate_latest(told(Tally()))
