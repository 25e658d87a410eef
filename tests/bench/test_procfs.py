import os

from bench.procfs import (
    Memory,
    Stat,
    cpu_seconds,
    descendants,
    memory,
    parse_rollup,
    parse_stat,
)

STAT = (
    "4242 (a (b) c) S 17 4242 4242 0 -1 4194560 1900 0 3 0 250 50 7 3 20 0 12 0 88 1000000 2500"
    " 18446744073709551615 1 1 0 0 0 0 0 16781312 17642 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
)


def test_ticks_are_those_of_a_process_and_of_its_ended_children_whatever_its_name() -> None:
    assert parse_stat(STAT) == Stat(parent=17, ticks=250 + 50 + 7 + 3)


def test_memory_is_read_from_a_rollup() -> None:
    text = "55d0-7ffe ---p 00000000 00:00 0 [rollup]\nRss:   5000 kB\nPss:    3000 kB\nPss_Dirty:  9 kB\n"

    assert parse_rollup(text) + Memory(1, 2) == Memory(rss=5001, pss=3002)


def test_a_tree_is_a_process_and_all_below_it() -> None:
    parents = {1: 0, 2: 1, 3: 2, 4: 3, 5: 1, 6: 5}

    assert descendants(parents, 2) == [2, 3, 4]


def test_this_process_is_found_and_has_used_time_and_memory() -> None:
    sum(range(3_000_000))

    assert cpu_seconds((os.getpid(),)) > 0
    assert memory((os.getpid(),)).rss > 1000


def test_a_process_that_has_ended_costs_nothing() -> None:
    assert cpu_seconds((2**22 + 1,)) == 0
    assert memory((2**22 + 1,)) == Memory(0, 0)
