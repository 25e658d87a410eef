"""Logs are one line each on standard error, whoever speaks, and hold nothing that callers said."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import logging, sys
import structlog
from launch.config import LogConfig
from launch.logs import set_up

set_up(LogConfig(*{arguments!r}))

def fail(said):
    local = said.upper()
    raise RuntimeError("what went wrong")

said = "-".join(["canary", "of", "a", "caller"])
for report in (structlog.get_logger("ours").exception, logging.getLogger("theirs").exception):
    try:
        fail(said)
    except RuntimeError:
        report("it_crashed")
structlog.get_logger("ours").info("at_info", number=1)
structlog.get_logger("ours").debug("at_debug")
logging.getLogger("theirs").info("their_info")
logging.getLogger("theirs").warning("their_warning %s", 7)
logging.getLogger("tornado.access").error("access")
logging.getLogger("grpc._cython").error("ExecuteBatchError of a call that was cancelled")
"""


def log_of(*arguments: str) -> str:
    """Return what a process with this set-up writes; set-up is for a whole process, so it gets its own."""
    program = PROGRAM.format(arguments=arguments)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    return done.stderr


def test_a_line_of_json_per_event_also_of_libraries() -> None:
    lines = [json.loads(line) for line in log_of("info", "json").splitlines()]

    assert [(line["event"], line["level"]) for line in lines] == [
        ("it_crashed", "error"),
        ("it_crashed", "error"),
        ("at_info", "info"),
        ("their_warning 7", "warning"),
    ]
    assert lines[2]["number"] == 1
    assert all(line["timestamp"].endswith("Z") for line in lines)


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_says_where_and_holds_no_local_variables(form: str) -> None:
    log = log_of("info", form)

    assert log.count("it_crashed") == 2
    assert log.count("what went wrong") >= 2
    assert log.count("fail") >= 2
    assert "canary" not in log.lower()
    assert "locals" not in log


@pytest.mark.parametrize(
    ("level", "ours"), [("debug", True), ("info", True), ("warning", False), ("error", False)]
)
def test_the_level_is_a_lower_bound(level: str, ours: bool) -> None:
    log = log_of(level, "json")

    assert ("at_info" in log) == ours
    assert ("at_debug" in log) == (level == "debug")
    assert ("their_warning" in log) == (level != "error")
    assert "their_info" not in log


def test_off_a_terminal_the_form_is_json() -> None:
    assert json.loads(log_of("info").splitlines()[0])["event"] == "it_crashed"


SECRETS = (
    "client-key", 'with "quotes"', "list-credential", "header-value", "provider-key", "vendor-key",
)  # fmt: skip

SECRETIVE = """
import structlog
from launch import config, logs

made = config.load({environ!r})
logs.set_up(made.log, logs.secrets_of(made))
for secret in {secrets!r}:
    structlog.get_logger("x").warning(f"a canary: {{secret}}", field=secret)
    try:
        raise RuntimeError(secret)
    except RuntimeError:
        structlog.get_logger("x").exception("crashed")
structlog.get_logger("x").warning("none of them")
"""


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_secret_of_the_configuration_is_in_a_line_whoever_wrote_it(
    form: str, tmp_path: Path
) -> None:
    file = tmp_path / "trunkline.yaml"
    file.write_text("providers: {x: {api_key: provider-key, headers: {x-a: header-value}}}")
    environ = {
        "TRUNKLINE_CONFIG": str(file),
        "TRUNKLINE_LOG_FORMAT": form,
        "TRUNKLINE_API_KEYS": 'client-key,with "quotes"',
        "MODEL_LIST_AUTHORIZATION": "Bearer list-credential",
        "OPENAI_API_KEY": "vendor-key",
    }
    program = SECRETIVE.format(environ=environ, secrets=SECRETS)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stderr.count("a canary: ***") == 6
    assert "none of them" in done.stderr
    for secret in (*SECRETS, "quotes"):
        assert secret not in done.stderr
