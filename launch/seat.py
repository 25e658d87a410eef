"""What a process is among those that serve the same ports; by default the only one."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry

from edge.metrics import Show, show_of
from router.registry import Part


def say(text: str) -> None:
    """Print a text, now."""
    sys.stdout.write(text)
    sys.stdout.flush()


@dataclass(frozen=True, slots=True)
class Seat:
    """`part` is the process's part in keeping the model list fresh.

    `announce` takes what users are to read once it serves, `show` makes of its registry what scrapers get.
    """

    part: Part = Part.ALONE
    announce: Callable[[str], None] = say
    show: Callable[[CollectorRegistry], Show] = show_of


ALONE: Final = Seat()
