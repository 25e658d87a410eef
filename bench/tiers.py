"""`python -m bench.tiers`: what the two tiers cost, beside the bare relay; docs/grpc-hop.md has its results.

Systems take turns and repeats are kept apart, since machines are noisy: a ratio is the median over the
repeats of what they cost in each, over what the other cost in the same.
"""

import argparse
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

from bench import systems
from bench.asks import Ask
from bench.bed import prepared
from bench.load import Job
from bench.measure import Outcome, Outcomes, run, warm_up
from bench.scenarios import STREAM_CHUNKS, Scenario
from bench.systems import Start

REPEATS: Final = 5

_TABLE: Final = (
    Scenario("unary-1", "unary, 1 connection", Job("closed", Ask(), 0.6)),
    Scenario("unary-16", "unary, 16 connections", Job("closed", Ask(), 0.8, 16)),
    Scenario(
        "streams-50",
        "50 streams of 203 chunks, 20 ms apart",
        Job("closed", Ask(chunks=STREAM_CHUNKS, gap=20), 0.1, 50, 1),
    ),
    Scenario("flood", "a stream of 10,000 chunks", Job("closed", Ask(chunks=10_000), 4.0, 1, 6)),
)

_FLOOR: Final = "relay"
_OURS: Final = "two-tier"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.tiers", description=__doc__)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--only", nargs="*", default=[], metavar="SCENARIO")
    parser.add_argument(
        "--beside",
        nargs="*",
        default=[],
        metavar="NAME=VALUE",
        help="measure the two tiers a second time, with these, separated by blanks, in their environment",
    )
    parser.add_argument(
        "--other",
        nargs="*",
        default=[],
        type=Path,
        metavar="CHECKOUT",
        help="measure the two tiers of another checkout too, which has been set up",
    )
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    table = [s for s in _TABLE if not arguments.only or s.name in arguments.only]
    _measure(_starts(arguments.beside, arguments.other), table, arguments.repeats)


def _starts(beside: Sequence[str], others: Sequence[Path]) -> dict[str, Start]:
    starts: dict[str, Start] = {
        _FLOOR: systems.relay,
        "trunkline": systems.trunkline,
        _OURS: systems.two_tier,
    }
    for text in beside:
        environ = dict(pair.split("=", 1) for pair in text.split())
        starts[text] = partial(systems.two_tier, name=text, environ=environ)
    for checkout in others:
        binaries = checkout.resolve() / ".venv" / "bin"
        starts[str(checkout)] = partial(systems.two_tier, name=checkout.name, binaries=binaries)
    return starts


def _measure(starts: Mapping[str, Start], table: Sequence[Scenario], repeats: int) -> None:
    with prepared() as bed, ExitStack() as stack:
        running = [stack.enter_context(start(bed.place)) for start in starts.values()]
        for system in running:
            warm_up(bed, system)
        for scenario in table:
            _show(scenario, run(bed, scenario, running, repeats))


def _show(scenario: Scenario, outcomes: Outcomes) -> None:
    key, floor, ours = f"cpu_per_{scenario.unit}", outcomes[_FLOOR], outcomes[_OURS]
    for name, outcome in outcomes.items():
        cost = outcome.figures.get(key, 0.0)
        sys.stdout.write(
            f"{scenario.name:10} {cost:6.0f} us a {scenario.unit:7}"
            f" {_ratio(key, outcome, floor)} of the relay"
            f" {_ratio(key, outcome, ours)} of two-tier   {name}\n"
        )
    sys.stdout.flush()


def _ratio(key: str, one: Outcome, other: Outcome) -> str:
    """The median of the repeats' ratios; failed repeats are left out."""
    pairs = zip(one.repeats, other.repeats, strict=True)
    ratios = [mine[key] / its[key] for mine, its in pairs if key in mine and key in its]
    return f"{median(ratios):5.2f}" if ratios else "fails"


if __name__ == "__main__":
    main()
