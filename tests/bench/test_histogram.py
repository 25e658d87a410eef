import pytest

from bench.histogram import GROWTH, bucket, buckets, lower_bound, medians, quantile, quantiles


def test_a_quantile_is_a_sample_that_was_seen() -> None:
    ordered = [1.0, 2.0, 3.0, 4.0]

    assert [quantile(ordered, share) for share in (0.0, 0.25, 0.5, 0.51, 1.0)] == [1, 1, 2, 3, 4]


def test_there_is_no_quantile_of_nothing() -> None:
    with pytest.raises(ValueError, match="no samples"):
        quantile([], 0.5)
    assert quantiles([], "latency") == {}


def test_quantiles_do_not_depend_on_the_order_of_samples() -> None:
    found = quantiles([float(n) for n in range(100, 0, -1)], "latency")

    assert found == {
        "latency_p50": 50,
        "latency_p90": 90,
        "latency_p99": 99,
        "latency_max": 100,
    }


@pytest.mark.parametrize("sample", [1.0, 1.05, 7.0, 1234.5, 6e7])
def test_a_sample_lies_within_the_bounds_of_its_bucket(sample: float) -> None:
    low = lower_bound(bucket(sample))

    assert low <= sample < low * GROWTH


def test_buckets_lose_no_sample() -> None:
    samples = [0.0, 0.5, *(float(n) for n in range(1, 500))]

    found = buckets(samples)

    assert sum(count for _, count in found) == len(samples)
    assert found[0] == (0, 2)
    assert found == sorted(found)


def test_a_median_is_taken_of_each_figure_that_all_repeats_have() -> None:
    assert medians([{"a": 3.0, "b": 1.0}, {"a": 1.0}, {"a": 2.0}]) == {"a": 2.0}
    assert medians([]) == {}
