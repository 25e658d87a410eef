"""When an open loop sends. Pure."""

from collections.abc import Iterator


def arrivals(rate: float, seconds: float) -> Iterator[int]:
    """Yield the intended times of `rate` requests a second, in nanoseconds from the start.

    They do not depend on any answer: a client that waits for a slow answer before it sends the next request
    would leave out just those measurements that matter ("coordinated omission").
    """
    for number in range(round(rate * seconds)):
        yield round(number * 1e9 / rate)
