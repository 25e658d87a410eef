import msgspec
import pytest

from bench import instructions
from bench.hotpath import drive
from bench.instructions import Figures, check, differing, verdicts


def test_what_costs_a_tenth_more_is_found() -> None:
    committed = {"router": 1000, "gateway": 1000}

    found = verdicts(committed, {"router": 1100, "gateway": 1101})

    assert [is_within for _, is_within in found] == [True, False]
    assert found[1][0] == "gateway: 1,101 instructions, +10.1% of 1,000"


def test_figures_of_another_setting_are_not_compared(capsys: pytest.CaptureFixture[str]) -> None:
    figures = Figures({"router": 1}, {**instructions.setting(), "grpcio": "0.1"})

    assert differing(figures.setting, instructions.setting()) == ["grpcio"]
    assert check(figures) == 0
    assert "not compared" in capsys.readouterr().out


def test_the_committed_figures_are_of_the_scripts_that_there_are() -> None:
    figures = msgspec.json.decode(instructions.COMMITTED.read_bytes(), type=Figures)

    assert figures.counts.keys() == instructions.SCRIPTS.keys() - {"start"}


async def test_the_hot_path_can_be_driven_without_sockets() -> None:
    await drive({"gateway-stream": 1, "router-unary": 2})
