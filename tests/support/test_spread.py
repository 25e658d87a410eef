from pathlib import Path

import pytest

from tests.support.spread import BY_THEMSELVES, LONGEST, rank_of, share_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("file", LONGEST)
def test_files_that_are_named_are_there(file: str) -> None:
    assert (ROOT / file).is_file()


def test_a_file_is_a_share_but_those_by_themselves_are_one_together() -> None:
    shares = {share_of(f"{file}::test[a::b]") for file in (*BY_THEMSELVES, "tests/a.py")}

    assert len(shares) == 2
    assert "tests/a.py" in shares


def test_the_longest_files_come_first_and_nothing_else_moves() -> None:
    tests = ["tests/b.py::b", "tests/a.py::a", *(f"{file}::test" for file in reversed(LONGEST))]

    assert sorted(tests, key=rank_of) == [*reversed(tests[2:]), *tests[:2]]
