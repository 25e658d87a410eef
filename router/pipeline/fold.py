"""Composes stages into one."""

from collections.abc import Callable, Sequence
from functools import reduce

from router.calls import Stage

Wrapper = Callable[[Stage], Stage]
"""Makes a stage of the one that comes after it."""


def fold(wrappers: Sequence[Wrapper], terminal: Stage) -> Stage:
    """Return the pipeline that runs `wrappers` in their order and then `terminal`."""
    return reduce(lambda stage, wrap: wrap(stage), reversed(wrappers), terminal)
