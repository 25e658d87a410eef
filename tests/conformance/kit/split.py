"""The split check: however a stream's bytes arrive, the same chunks leave. The same for every dialect."""

import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from router.providers.adapter import StreamDecoder

ALL_SPLITS_UP_TO: Final = 4_096
"""Bytes. Longer streams are cut at seeded places; `make conformance-full` cuts them everywhere."""

SEEDED_SPLITS: Final = 200

BLOCKS: Final = (1, 7, 1_000, 16_384)
"""Sizes of the pieces that a stream arrives in, beside single cuts."""

Make = Callable[[], StreamDecoder]


def outcome(make: Make, pieces: Iterable[bytes]) -> tuple[Any, ...]:
    """Feed pieces to a new decoder, as dispatch does; return all that a caller could see of it."""
    decoder = make()
    frames = []
    for piece in pieces:
        if decoder.failure or decoder.done:
            break
        frames += decoder.feed(piece)
    if not decoder.failure and not decoder.done:
        frames += decoder.finish()
    failure = decoder.failure
    told = (type(failure), failure.message, failure.body) if failure else None
    return frames, decoder.done, decoder.usage, told, decoder.is_failure_told


def assert_split(make: Make, data: bytes) -> None:
    """Any cut gives the same as the whole: all cuts of a short stream, seeded ones of a long one."""
    whole = outcome(make, [data])
    for size in BLOCKS:
        pieces = [data[i : i + size] for i in range(0, len(data), size)]
        assert outcome(make, pieces) == whole, f"in pieces of {size} bytes"
    for at in places(data):
        assert outcome(make, [data[:at], data[at:]]) == whole, f"cut at byte {at}"


def places(data: bytes) -> Iterable[int]:
    if len(data) <= ALL_SPLITS_UP_TO:
        return range(1, len(data))
    return random.Random(len(data)).sample(range(1, len(data)), SEEDED_SPLITS)


def portions(data: bytes, bytes_at_a_time: int = 2_000_000_000) -> Iterator[range]:
    """Every cut of a long stream, in portions that take well under a minute each."""
    step = max(1, bytes_at_a_time // len(data))
    for first in range(1, len(data), step):
        yield range(first, min(first + step, len(data)))


def assert_cuts(make: Make, data: bytes, cuts: range) -> None:
    """These cuts give the same as the whole."""
    whole = outcome(make, [data])
    for at in cuts:
        assert outcome(make, [data[:at], data[at:]]) == whole, f"cut at byte {at}"
