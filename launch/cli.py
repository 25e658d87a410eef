"""The command line: `trunkline serve | router | edge | models | check | explain`."""

import asyncio
import json
import os
import sys
from typing import BinaryIO, Final, NoReturn

import click

from edge.config import EdgeConfig
from launch import config as configuration
from launch import explain, logs, serve
from launch.config import Config
from launch.lines import STANDARD_ERROR
from router.errors import ConfigError
from router.registry import LoadReport, Outcome, StoreError, accept, load_once, render
from router.transport.http import AiohttpTransport

EXIT_PROBLEM: Final = 1

_WORKERS: Final = click.option(
    "--workers", metavar="N", help="Serve with N processes, as TRUNKLINE_WORKERS=N does."
)


def _run(command: str, workers: str | None) -> NoReturn:
    if workers is not None:
        os.environ["TRUNKLINE_WORKERS"] = workers
    config = _loaded()
    if config.workers > 1:
        # In place of this process, which has loaded a gateway that its workers load for themselves.
        STANDARD_ERROR.close()
        supervisor = (sys.executable, "-P", "-m", "launch.workers", command)
        os.execv(sys.executable, supervisor)  # noqa: S606 (no shell is wanted)
    raise SystemExit(serve.run(serve.TOPOLOGIES[command](config)))


def _loaded() -> Config:
    try:
        config = configuration.load(os.environ)
    except ConfigError as exc:
        _fail(exc)
    logs.set_up(config.log, logs.secrets_of(config))
    return config


def _fail(exc: Exception) -> NoReturn:
    sys.stderr.write(f"trunkline: {exc}\n")
    raise SystemExit(serve.EXIT_CONFIG)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="trunkline")
def main() -> None:
    """Trunkline: one OpenAI-compatible front for every model on your list.

    Settings come from the environment (MODEL_LIST_URL, TRUNKLINE_API_KEYS, OPENAI_API_KEY, ...) and from the
    YAML file that TRUNKLINE_CONFIG names; the README lists them all.
    """


@main.command("serve", short_help="Run both tiers.")
@_WORKERS
def serve_command(workers: str | None) -> None:
    """Run both tiers in one process, or in each of several."""
    _run("serve", workers)


@main.command("router")
@_WORKERS
def router_command(workers: str | None) -> None:
    """Run the gRPC router alone."""
    _run("router", workers)


@main.command("edge", short_help="Run the HTTP edge alone.")
@_WORKERS
def edge_command(workers: str | None) -> None:
    """Run the HTTP edge alone, in front of the routers of TRUNKLINE_ROUTER."""
    _run("edge", workers)


@main.command("models", short_help="Show the model list as it would be loaded.")
@click.option(
    "--accept", "is_accepting", is_flag=True, help="Take a list that has shrunk below half."
)
def models_command(*, is_accepting: bool) -> None:
    """Show the model list as it would be loaded now: models, deployments, rows set aside."""
    config = _loaded()
    report = _load_report(config)
    for line in render(report):
        click.echo(line)
    if is_accepting:
        try:
            click.echo(accept(config.router, report))
        except StoreError as exc:
            _fail(exc)
        if report.outcome is Outcome.SHRUNK:
            return
    raise SystemExit(EXIT_PROBLEM if report.problems else 0)


@main.command("check", short_help="Check configuration and model list.")
def check_command() -> None:
    """Check configuration and model list; exit status 0 if both can be used, else 1."""
    config = _loaded()
    try:
        serve.require_keys_of(config)
    except ConfigError as exc:
        _fail(exc)
    for name in config.unknown_variables:
        click.echo(f"warning: {name} is no setting and is ignored")
    report = _load_report(config)
    for name in _unknown_fallbacks(config, report):
        click.echo(f"warning: fallbacks name '{name}', which is not on the list")
    for warning in report.warnings:
        click.echo(f"warning: {warning}")
    for problem in report.problems:
        click.echo(f"problem: {problem}")
    click.echo("not usable" if report.problems else "ok")
    raise SystemExit(EXIT_PROBLEM if report.problems else 0)


@main.command("explain", short_help="Show where a request would go, and why.")
@click.argument("model")
@click.option(
    "--body", type=click.File("rb"), help="A whole request as JSON; its model is replaced by MODEL."
)
@click.option("--json", "is_json", is_flag=True, help="Print the answer as the router gives it.")
def explain_command(model: str, body: BinaryIO | None, *, is_json: bool) -> None:
    """Ask the running router where a request for MODEL would go. Nothing is sent to any provider."""
    config = _loaded()
    request: dict[str, object] = {"messages": [{"role": "user", "content": "Hello!"}]}
    try:
        if body is not None:
            request = json.loads(body.read())
        asked = json.dumps({**request, "model": model}).encode()
        key = next(iter(config.router.api_keys), None)
        said = asyncio.run(explain.ask(_router_of(config), asked, key))
    except (ValueError, TypeError) as exc:
        _fail(click.UsageError(f"--body is no JSON object ({exc})"))
    except explain.ExplainError as exc:
        _fail(exc)
    for line in [json.dumps(said, indent=2)] if is_json else explain.render(said):
        click.echo(line)


def _router_of(config: Config) -> str:
    """Return where a router is asked: the one that is configured, else the one of this machine."""
    if config.edge.router_target != EdgeConfig().router_target or not config.router.grpc_port:
        return config.edge.router_target
    return serve.local_address(config.router.grpc_host, config.router.grpc_port)


def _unknown_fallbacks(config: Config, report: LoadReport) -> list[str]:
    """Return the models that `fallbacks` names and the list does not: such a row has no effect."""
    models = report.reading.models if report.reading else ()
    known = {name for model in models for name in (model.id, *model.aliases)}
    return sorted(config.router.policy.named_models() - known)


def _load_report(config: Config) -> LoadReport:
    async def load() -> LoadReport:
        transport = AiohttpTransport()
        try:
            return await load_once(config.router, transport)
        finally:
            await transport.close()

    try:
        return asyncio.run(load())
    except ConfigError as exc:
        _fail(exc)
