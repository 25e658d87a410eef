"""`make bench`, `make bench-peers`: measure, then write docs/benchmarks.md and what belongs to it."""

import argparse
import resource
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Final

from bench import peers, report, scenarios, startup, systems
from bench.bed import Bed, prepared
from bench.machine import machine, versions
from bench.measure import Outcomes, at_share, run, run_fresh, say, warm_up
from bench.scenarios import Scenario
from bench.systems import Start

REPEATS: Final = 3

_OURS: Final[Mapping[str, Start]] = {
    "direct": systems.direct,
    "relay": systems.relay,
    "trunkline": systems.trunkline,
    "two-tier": systems.two_tier,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a minute, ratios only, nothing written"
    )
    parser.add_argument("--peers", action="store_true", help="against other gateways")
    parser.add_argument("--render", action="store_true", help="only write the docs anew")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    arguments = parser.parse_args()
    _raise_file_limit()
    # Whoever ends this run ends what it started: `finally` runs for an exception only.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    if arguments.render:
        report.write()
    elif arguments.quick:
        _quick()
    elif arguments.peers:
        report.keep(_peers(arguments.repeats))
        report.write()
    else:
        report.keep(_full(arguments.repeats))
        report.write()
    say(f"{time.monotonic() - began:.0f} seconds.")


def _full(repeats: int) -> report.Run:
    starts = dict(_OURS)
    if systems.nginx_path():
        starts["nginx"] = systems.nginx
    else:
        say("nginx is left out: it is not installed.")
    with prepared() as bed:
        started = startup.starts(bed, {n: s for n, s in starts.items() if n != "direct"}, repeats)
        done = _all(bed, starts, scenarios.FULL, repeats)
        listed = startup.lists(bed, repeats)
    facts = report.Facts("bench", machine(), versions(starts), repeats)
    return report.Run(facts, done, started, listed)


def _peers(repeats: int) -> report.Run:
    known = {"litellm": systems.litellm, "portkey": systems.portkey}
    starts = {
        "direct": systems.direct,
        "relay": systems.relay,
        "trunkline": systems.trunkline,
        **{name: known[name] for name in peers.bring()},
    }
    with prepared() as bed:
        started = startup.starts(bed, {n: s for n, s in starts.items() if n != "direct"}, repeats)
        done = _all(bed, starts, scenarios.PEERS, repeats)
    return report.Run(
        report.Facts("peers", machine(), versions(starts), repeats), done, started, []
    )


def _quick() -> None:
    starts = {name: start for name, start in _OURS.items() if name != "two-tier"}
    with prepared() as bed:
        done = _all(bed, starts, scenarios.QUICK, 1)
    sys.stdout.write("\n".join(report.ratios(done)) + "\n")


def _all(
    bed: Bed, starts: Mapping[str, Start], table: tuple[Scenario, ...], repeats: int
) -> dict[str, tuple[Scenario, Outcomes]]:
    done: dict[str, tuple[Scenario, Outcomes]] = {}
    with ExitStack() as stack:
        running = [stack.enter_context(start(bed.place)) for start in starts.values()]
        for system in running:
            warm_up(bed, system)
        for planned in table:
            if planned.fresh:
                continue
            scenario = planned
            if planned.share:
                scenario = at_share(planned, done["unary-16"][1].values())
            done[scenario.name] = (scenario, run(bed, scenario, running, repeats))
    for scenario in table:
        if scenario.fresh:
            done[scenario.name] = (scenario, run_fresh(bed, scenario, starts, repeats))
    return done


def _raise_file_limit() -> None:
    """Two thousand streams are four thousand sockets."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    main()
