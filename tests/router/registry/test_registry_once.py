"""Loading the list for the command line, and the lines that show it."""

from collections.abc import Awaitable, Callable

import pytest

from router.config import ProvidersConfig, ProviderSettings, RouterConfig
from router.errors import ConfigError
from router.registry import LoadReport, Outcome, Registry, StoreError, accept, load_once, render
from router.transport.http import AiohttpTransport
from router.values import Secret
from tests.router.registry.scripted import ListServer, MakeConfig, World, row, rows

Serve = Callable[[int], Awaitable[RouterConfig]]


@pytest.fixture
def serve(
    server: ListServer, make_config: MakeConfig, transport: AiohttpTransport, world: World
) -> Serve:
    """Lets a router make a list of so many rows the last good one."""

    async def serve(count: int) -> RouterConfig:
        server.listed = rows(count)
        config = make_config(server.url)
        registry = Registry(config, transport, world.surroundings())
        await registry.start()
        await registry.close()
        return config

    return serve


@pytest.mark.parametrize(
    ("count", "outcome"),
    [
        (20, Outcome.UNCHANGED),
        (21, Outcome.CHANGED),
        (10, Outcome.CHANGED),
        (9, Outcome.SHRUNK),
        (0, Outcome.REFUSED),
    ],
)
async def test_a_list_is_compared_with_the_last_good_one(
    server: ListServer, transport: AiohttpTransport, serve: Serve, count: int, outcome: Outcome
) -> None:
    config = await serve(20)
    server.listed = rows(count)
    report = await load_once(config, transport)

    assert report.outcome is outcome
    assert bool(report.problems) is (outcome in (Outcome.SHRUNK, Outcome.REFUSED))
    assert report.reading is not None
    assert len(report.reading.models) == count
    assert (report.generation, report.confirmed_at) == (1, 1_700_000_000.0)


async def test_a_list_without_a_last_good_one_is_the_first(
    server: ListServer, make_config: MakeConfig, transport: AiohttpTransport
) -> None:
    server.listed = rows(2)
    report = await load_once(make_config(server.url), transport)

    assert (report.outcome, report.problems, report.generation) == (Outcome.FIRST, (), 0)
    assert not make_config.state_dir.exists(), "nothing is kept"


async def test_of_a_source_that_is_down_the_last_good_list_is_told(
    server: ListServer, transport: AiohttpTransport, serve: Serve
) -> None:
    config = await serve(2)
    await server.stop()
    report = await load_once(config, transport)

    assert report.outcome is Outcome.UNREACHABLE
    assert report.problems == ("source unreachable (the source cannot be reached)",)
    assert report.is_last_good
    assert report.reading is not None
    assert len(report.reading.models) == 2


async def test_of_an_unreadable_list_without_a_last_good_one_nothing_is_told(
    server: ListServer, make_config: MakeConfig, transport: AiohttpTransport
) -> None:
    server.raw = b"{}"
    report = await load_once(make_config(server.url), transport)

    assert (report.outcome, report.reading) == (Outcome.REFUSED, None)
    assert report.problems == ("list unreadable (not a JSON array)",)
    assert render(report) == [
        f"Model list: {server.url}",
        "The list is not served: list unreadable (not a JSON array)",
        "There is no last good list: nothing can be served.",
    ]


async def test_what_was_accepted_is_no_problem_any_more(
    server: ListServer, transport: AiohttpTransport, serve: Serve
) -> None:
    config = await serve(20)
    server.listed = rows(3)
    shrunk = await load_once(config, transport)
    said = accept(config, shrunk)
    accepted = await load_once(config, transport)

    assert said == "Accepted: 3 models are served from the next refresh on."
    assert (accepted.outcome, accepted.reason) == (Outcome.CHANGED, "shrunk, but accepted")
    assert accepted.problems == ()


async def test_only_a_shrunk_list_can_be_accepted(
    server: ListServer, make_config: MakeConfig, transport: AiohttpTransport
) -> None:
    server.listed = rows(20)
    config = make_config(server.url)
    report = await load_once(config, transport)

    assert accept(config, report) == "Nothing to accept: the list is not one that shrank."
    assert not make_config.state_dir.exists()


async def test_an_acceptance_that_cannot_be_written_is_an_error(
    server: ListServer, make_config: MakeConfig, transport: AiohttpTransport
) -> None:
    server.listed = rows(3)
    config = make_config(server.url)
    report = await load_once(config, transport)
    make_config.state_dir.touch()
    shrunk = LoadReport(report.source, Outcome.SHRUNK, "it shrank", report.reading)

    with pytest.raises(StoreError):
        accept(config, shrunk)


async def test_without_a_source_the_bundled_list_is_told(
    make_config: MakeConfig, transport: AiohttpTransport
) -> None:
    report = await load_once(make_config(None), transport)

    assert (report.outcome, report.problems, report.warnings) == (Outcome.BUNDLED, (), ())
    assert render(report)[:4] == [
        "Model list: bundled list",
        "No MODEL_LIST_URL is set: the bundled demo models are served",
        "",
        "List: 7 rows, 7 models, 7 deployments, 0 rows set aside",
    ]


async def test_a_source_that_cannot_be_one_is_a_configuration_error(
    make_config: MakeConfig, transport: AiohttpTransport
) -> None:
    with pytest.raises(ConfigError, match="MODEL_LIST_URL"):
        await load_once(make_config("ftp://h/x"), transport)


async def test_all_of_a_list_is_shown(
    make_config: MakeConfig, transport: AiohttpTransport, server: ListServer
) -> None:
    server.listed = [
        row("a", aliases=["b", "c"], upstream_model="a-1", weight=2, priority=1),
        row("a", handle="/anthropic/v1/messages", prompt_price_1k=None),
        row("b", model_family=None, prompt_price_1k="1e-7"),
        row("d", handle="/nobody/v1/messages"),
        "e",
    ]
    openai = ProviderSettings(base_url="http://user:canary@h/?k=canary", api_key=Secret("canary"))
    providers = ProvidersConfig(named={"OPENAI": openai})
    report = await load_once(make_config(server.url, providers=providers), transport)
    text = "\n".join(render(report))

    assert (
        text
        == f"""\
Model list: {server.url}
The list is good; there is no last good one yet

List: 5 rows, 2 models, 3 deployments, 2 rows set aside

a  (family family; also called c)
  openai: openai chat, upstream model a-1
    http://***@h/?***
    $0.0025 per 1,000 prompt tokens, $0.01 per 1,000 completion tokens, weight 2, priority 1
  anthropic: anthropic chat, upstream model a
    https://api.anthropic.com/v1/messages
    unpriced, weight 1, priority 0
    cannot be called: ANTHROPIC_API_KEY is not set

b
  openai: openai chat, upstream model b
    http://***@h/?***
    $0.0000001 per 1,000 prompt tokens, $0.01 per 1,000 completion tokens, weight 1, priority 0

Rows set aside:
  row 3 'd': provider 'nobody' has no base URL: set TRUNKLINE_PROVIDERS__NOBODY__BASE_URL
  row 4 without a name: got 'e', expected an object

Ignored:
  row 0 'a': alias 'b' is the id of a model"""
    )
    assert len(report.warnings) == 4
    assert report.warnings[-1] == "ANTHROPIC_API_KEY is not set"
