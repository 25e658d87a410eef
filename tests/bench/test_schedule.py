import pytest

from bench.schedule import arrivals


@pytest.mark.parametrize(("rate", "seconds"), [(100.0, 2.0), (333.0, 1.0), (0.5, 10.0)])
def test_an_open_loop_sends_at_its_rate_from_the_first_moment(rate: float, seconds: float) -> None:
    times = list(arrivals(rate, seconds))

    assert len(times) == round(rate * seconds)
    assert times[0] == 0
    assert times[-1] < seconds * 1e9


def test_rounding_does_not_add_up() -> None:
    times = list(arrivals(3.0, 1000.0))

    assert times[-1] == round(2999 * 1e9 / 3)
