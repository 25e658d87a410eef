"""What workers have counted is added up as if one process had counted it."""

from pathlib import Path

import grpc
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from edge.app import EdgeApp
from edge.config import EdgeConfig
from launch.serve import new_metrics
from launch.workers.counts import LARGEST, SUMMED, Families, is_own, lasting, signed, total
from launch.workers.link import read, write
from launch.workers.messages import FROM_WORKER, Counted, packed
from router.app import RouterApp
from router.config import RouterConfig


def counted(calls: int, seconds: float, *, gauge: float = 0.0, model: str = "m") -> Families:
    """Return what a worker may have counted."""
    metrics = CollectorRegistry()
    Counter("trunkline_calls", "Calls.", ["model"], registry=metrics).labels(model).inc(calls)
    times = Histogram("trunkline_seconds", "Times.", buckets=(1, 2), registry=metrics)
    times.observe(seconds)
    Gauge("trunkline_calls_in_flight", "Under way.", registry=metrics).set(gauge)
    Gauge("trunkline_model_list_generation", "State.", registry=metrics).set(gauge)
    Gauge("process_start_time_seconds", "Start.", registry=metrics).set(calls)
    return read(metrics)


def shown(families: Families) -> list[str]:
    return [line for line in write(families).decode().splitlines() if not line.startswith("#")]


class Frozen(Collector):
    """Shows what a registry showed at one moment: its process's CPU seconds go on."""

    def __init__(self, metrics: CollectorRegistry) -> None:
        self._families = list(metrics.collect())

    def collect(self) -> list[Metric]:
        return self._families


def test_one_process_shows_what_it_would_show_by_itself() -> None:
    counting = new_metrics()
    Histogram("trunkline_seconds", 'Of "all".', ["a"], registry=counting).labels('x"\n').observe(1)
    metrics = CollectorRegistry()
    metrics.register(Frozen(counting))

    assert write(total([read(metrics)])) == generate_latest(metrics)


def test_counts_and_times_are_added_up_and_each_gauge_has_its_rule() -> None:
    added = shown(total([counted(2, 0.5, gauge=3), counted(5, 1.5, gauge=4, model="n"),
                         counted(1, 9, gauge=2)]))  # fmt: skip

    assert 'trunkline_calls_total{model="m"} 3.0' in added
    assert 'trunkline_calls_total{model="n"} 5.0' in added
    assert [line for line in added if line.startswith("trunkline_seconds_")] == [
        'trunkline_seconds_bucket{le="1.0"} 1.0',
        'trunkline_seconds_bucket{le="2.0"} 2.0',
        'trunkline_seconds_bucket{le="+Inf"} 3.0',
        "trunkline_seconds_count 3.0",
        "trunkline_seconds_sum 11.0",
    ]
    assert "trunkline_calls_in_flight 9.0" in added
    assert "trunkline_model_list_generation 4.0" in added


def test_what_a_process_tells_of_itself_stays_apart() -> None:
    added = shown(total([signed(counted(2, 1), 0), signed(counted(5, 1), 1)]))

    assert 'process_start_time_seconds{worker="0"} 2.0' in added
    assert 'process_start_time_seconds{worker="1"} 5.0' in added


def test_of_a_process_that_has_ended_only_what_grows_counts() -> None:
    families = lasting(signed(counted(2, 1, gauge=3), 0))

    assert {family.name for family in families} == {"trunkline_calls", "trunkline_seconds"}


def test_counts_arrive_as_they_were_sent() -> None:
    message = Counted(7, counted(2, 1))

    assert FROM_WORKER.decode(packed(message)[4:]) == message


async def test_every_gauge_has_a_rule(tmp_path: Path) -> None:
    metrics = new_metrics()
    router = RouterApp(RouterConfig(state_dir=tmp_path, grpc_port=0), metrics)
    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
        EdgeApp(EdgeConfig(), channel, metrics)
        gauges = {family.name for family in read(metrics) if family.kind == "gauge"}
    await router.close()

    assert {name for name in gauges if not is_own(name)} == SUMMED | LARGEST
    assert not SUMMED & LARGEST


@pytest.mark.parametrize("name", ["process_cpu_seconds", "python_gc_objects_collected"])
def test_what_is_a_process_own_is_told_by_its_name(name: str) -> None:
    assert is_own(name)
