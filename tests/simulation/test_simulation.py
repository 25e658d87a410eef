"""A million calls through the real selector and breaker: none is lost, and trouble costs little."""

from collections.abc import Iterator

import pytest

from router.config import Balancing
from router.errors import UpstreamUnreachableError
from tests.simulation.cells import CALLS, Cell, Summaries, running
from tests.simulation.page import INTRODUCTION, PAGE, row
from tests.simulation.replicas import Scenario, Spec, Trouble
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.simulation import ROUND_ROBIN, STRATEGIES, Simulation

DEFAULT = str(Balancing.PEAK_EWMA)

CELLS: tuple[Cell, ...] = (
    *((s.name, DEFAULT) for s in SCENARIOS if s.name != "fleet"),
    ("uneven", ROUND_ROBIN),
    ("brown-out", ROUND_ROBIN),
    ("brown-out", str(Balancing.LEAST_IN_FLIGHT)),
)


@pytest.fixture(scope="module")
def summaries() -> Iterator[Summaries]:
    with running(CELLS) as started:
        yield started


@pytest.mark.parametrize("cell", CELLS, ids=" ".join)
def test_each_call_ends_once_and_leaves_nothing_behind(summaries: Summaries, cell: Cell) -> None:
    figures = summaries[cell].figures

    assert figures.answered + figures.failed == figures.arrived == CALLS
    assert sum(map(sum, figures.shares)) == figures.attempts >= figures.arrived
    assert figures.left_in_flight == 0


@pytest.mark.parametrize("cell", CELLS, ids=" ".join)
def test_the_page_has_these_figures(summaries: Summaries, cell: Cell) -> None:
    name, strategy = cell
    _, _, after = PAGE.read_text(encoding="utf-8").partition(f"### {name}:")
    section, _, _ = after.partition("\n### ")

    assert row(strategy, summaries[cell]) in section


def test_it_was_a_million_calls(summaries: Summaries) -> None:
    assert sum(summaries[cell].figures.arrived for cell in CELLS) == 1_000_000


def test_the_page_says_what_its_generator_says() -> None:
    assert PAGE.read_text(encoding="utf-8").startswith(INTRODUCTION)


@pytest.mark.parametrize("name", ["uneven", "brown-out"])
def test_the_default_is_far_better_than_round_robin(summaries: Summaries, name: str) -> None:
    default, turns = summaries[name, DEFAULT], summaries[name, ROUND_ROBIN]

    assert default.p99 < turns.p99 / 5
    assert default.figures.failed * 100 < turns.figures.failed


def test_a_replica_that_turns_slow_loses_its_traffic_and_gets_it_back(summaries: Summaries) -> None:
    slow = summaries["brown-out", DEFAULT]

    assert slow.share_in_trouble is not None
    assert slow.share is not None
    assert slow.share_in_trouble < 0.02
    assert slow.share > 0.25


@pytest.mark.parametrize("name", ["flapping", "errors", "dead"])
def test_a_replica_that_fails_costs_attempts_but_no_caller_a_failure(
    summaries: Summaries, name: str
) -> None:
    failing = summaries[name, DEFAULT]

    assert failing.figures.failed == 0
    assert failing.attempts_per_call < 1.12


def test_breakers_open_for_who_is_down_and_nobody_but_the_probe_goes_through(
    summaries: Summaries,
) -> None:
    dead = summaries["dead", DEFAULT].figures

    assert dead.opened > 0
    assert dead.probes > 0
    assert dead.through_open == 0


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_where_all_are_down_each_call_still_tries_and_all_is_well_again_after(
    strategy: str,
) -> None:
    down = Trouble(begin=10, end=20, period=1000, kind=UpstreamUnreachableError)
    simulation = Simulation(Scenario("outage", "", 20, (Spec(trouble=down),) * 3), strategy)

    figures = simulation.run(2000)

    assert figures.answered + figures.failed == 2000
    assert figures.failed > 100
    assert figures.attempts > 2000
    assert figures.left_in_flight == 0
    assert not any(health.breaker.is_open for health in simulation.book.known())


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_same_seed_gives_the_same_course(strategy: str) -> None:
    def once() -> object:
        return Simulation(SCENARIOS[-1], strategy).run(500)

    assert once() == once()
