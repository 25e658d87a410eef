"""The command line: what there is, and what a wrong setting looks like. Commands run as processes."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from launch.cli import main
from tests.support.gateway import row, write_list
from tests.support.process import run

COMMANDS = ("serve", "router", "edge", "models", "check")


def test_help_names_every_command() -> None:
    shown = CliRunner().invoke(main, ["--help"])

    assert shown.exit_code == 0
    assert all(f"  {name} " in shown.output for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself_and_does_nothing(command: str) -> None:
    shown = CliRunner().invoke(main, [command, "-h"])

    assert shown.exit_code == 0
    assert f"Usage: main {command}" in shown.output


def test_the_version_is_that_of_the_package() -> None:
    shown = CliRunner().invoke(main, ["--version"])

    assert shown.exit_code == 0
    assert "version" in shown.output


@pytest.mark.parametrize("arguments", [["none"], ["serve", "--port", "1"], ["models", "more"]])
def test_what_there_is_not_is_an_error_of_usage(arguments: list[str]) -> None:
    shown = CliRunner().invoke(main, arguments)

    assert shown.exit_code == 2
    assert "Usage" in shown.output


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_setting_that_cannot_be_used_stops_every_command_in_one_line(
    tmp_path: Path, command: str
) -> None:
    status, out, err = await run(command, state=tmp_path, TRUNKLINE_LOG_LEVEL="loud")

    assert (status, out) == (1, "")
    assert err.startswith("trunkline: TRUNKLINE_LOG_LEVEL: got 'loud', expected one of debug")
    assert err.count("\n") == 1


async def test_check_refuses_what_serve_would_refuse(tmp_path: Path) -> None:
    status, _, err = await run("check", state=tmp_path, TRUNKLINE_HTTP_HOST="0.0.0.0")

    assert status == 1
    assert "TRUNKLINE_HTTP_HOST" in err
    assert "TRUNKLINE_API_KEYS" in err


async def test_check_says_what_is_wrong_with_a_list(tmp_path: Path) -> None:
    source = write_list(tmp_path / "models.json", [row("bad", "nowhere")])

    status, out, _ = await run("check", state=tmp_path, MODEL_LIST_URL=source)

    assert status == 1
    assert out.splitlines()[-1] == "not usable"
    assert "problem:" in out


async def test_state_that_cannot_be_read_is_said_and_costs_nothing_else(tmp_path: Path) -> None:
    state = tmp_path / "a-file"
    state.write_text("")
    source = write_list(tmp_path / "models.json", [row("m", "/openai/v1/chat/completions")])

    status, out, err = await run("models", "--accept", state=state, MODEL_LIST_URL=source)

    assert status == 0
    assert "Nothing to accept" in out
    assert "last_good_list_ignored" in err
    assert "Traceback" not in err
