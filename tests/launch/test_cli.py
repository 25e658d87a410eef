"""The command line: what there is, and what a wrong setting looks like. Commands run as processes."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from launch.cli import main
from tests.support.gateway import row, write_list
from tests.support.process import run, started

COMMANDS = ("serve", "router", "edge", "models", "check", "explain")


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


@pytest.mark.parametrize("command", COMMANDS[:-1])
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


async def test_a_route_is_explained_by_the_running_router(tmp_path: Path) -> None:
    environ = {"TRUNKLINE_API_KEYS": "client-key"}
    async with started("serve", state=tmp_path, **environ) as running:
        environ["TRUNKLINE_ROUTER"] = running.grpc
        body = tmp_path / "body.json"
        body.write_text('{"messages": [{"role": "user", "content": "Hi"}], "stream": true}')
        plain = await run("explain", "demo/echo", "--body", str(body), state=tmp_path, **environ)
        as_json = await run("explain", "demo/echo", "--json", state=tmp_path, **environ)
        unknown = await run("explain", "no/such", state=tmp_path, **environ)

    assert plain[0] == as_json[0] == 0
    assert "1. [primary] demo/echo at demo" in plain[1]
    assert json.loads(as_json[1])["candidates"][0]["breaker"] == "closed"
    assert unknown[0] == 1
    assert "no/such" in unknown[2]


async def test_without_a_router_there_is_no_explanation_and_it_says_so(tmp_path: Path) -> None:
    status, out, err = await run(
        "explain", "demo/echo", state=tmp_path, TRUNKLINE_ROUTER="127.0.0.1:9"
    )

    assert (status, out) == (1, "")
    assert "no router answers at 127.0.0.1:9" in err


@pytest.mark.parametrize("text", ["{", "[1]", "\xff"])
async def test_a_body_that_is_no_request_is_refused(tmp_path: Path, text: str) -> None:
    body = tmp_path / "body.json"
    body.write_text(text, encoding="latin-1")

    status, _, err = await run("explain", "m", "--body", str(body), state=tmp_path)

    assert status == 1
    assert "--body" in err
    assert "Traceback" not in err


async def test_a_fallback_to_what_is_not_on_the_list_is_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "trunkline.yaml"
    file.write_text("fallbacks: {demo/echo: [no/such], unknown: [demo/echo]}")

    status, out, _ = await run("check", state=tmp_path, TRUNKLINE_CONFIG=str(file))

    assert status == 0
    assert "fallbacks name 'no/such'" in out
    assert "fallbacks name 'unknown'" in out
    assert "'demo/echo'" not in out
