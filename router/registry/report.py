"""The loaded list as lines of text, for `trunkline models`. Pure."""

from collections.abc import Iterator
from typing import Final

from router.registry.location import masked
from router.registry.once import LoadReport, Outcome
from router.registry.rows import ListedModel, Reading
from router.registry.status import when
from router.values import Deployment

_OUTCOMES: Final = {
    Outcome.BUNDLED: "No MODEL_LIST_URL is set: the bundled demo models are served",
    Outcome.FIRST: "The list is good; there is no last good one yet",
    Outcome.UNCHANGED: "The list is good; it offers what the last good one offers",
    Outcome.CHANGED: "The list is good; it replaces the last good one",
    Outcome.SHRUNK: "The list is not served",
    Outcome.REFUSED: "The list is not served",
    Outcome.UNREACHABLE: "There is no list to be had",
}


def render(report: LoadReport) -> list[str]:
    """Return the lines that show a report."""
    return list(_lines(report))


def _lines(report: LoadReport) -> Iterator[str]:
    yield f"Model list: {report.source}"
    yield _OUTCOMES[report.outcome] + (report.reason and f": {report.reason}")
    if report.generation:
        yield f"Last good list: generation {report.generation}, {when(report.confirmed_at)}"
    if report.reading is None:
        yield "There is no last good list: nothing can be served."
        return
    yield ""
    yield _summary(report.reading, is_last_good=report.is_last_good)
    for model in report.reading.models:
        yield ""
        yield from _model(model)
    yield from _section(
        "Rows set aside:",
        [f"row {s.row} {_quoted(s.model)}: {s.reason}" for s in report.reading.set_aside],
    )
    yield from _section(
        "Ignored:", [f"row {n.row} {_quoted(n.model)}: {n.text}" for n in report.reading.notes]
    )


def _summary(reading: Reading, *, is_last_good: bool) -> str:
    deployments = sum(len(model.deployments) for model in reading.models)
    return (
        f"{'Last good list' if is_last_good else 'List'}: {_count(reading.rows, 'row')}, "
        f"{_count(len(reading.models), 'model')}, {_count(deployments, 'deployment')}, "
        f"{_count(len(reading.set_aside), 'row')} set aside"
    )


def _model(model: ListedModel) -> Iterator[str]:
    traits = [
        model.family and f"family {model.family}",
        model.aliases and f"also called {', '.join(model.aliases)}",
    ]
    stated = "; ".join(trait for trait in traits if trait)
    yield f"{model.id}  ({stated})" if stated else model.id
    for deployment in model.deployments:
        yield from _deployment(deployment)


def _deployment(d: Deployment) -> Iterator[str]:
    yield f"  {d.provider.name}: {d.dialect} {d.endpoint}, upstream model {d.upstream_model}"
    yield f"    {masked(d.url)}"
    yield f"    {_price(d)}, weight {d.weight:g}, priority {d.priority}"
    if variable := d.provider.missing_variable:
        yield f"    cannot be called: {variable} is not set"


def _price(d: Deployment) -> str:
    if d.price is None:
        return "unpriced"
    return (
        f"${d.price.prompt_1k:f} per 1,000 prompt tokens, "
        f"${d.price.completion_1k:f} per 1,000 completion tokens"
    )


def _section(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield title
        yield from (f"  {line}" for line in lines)


def _quoted(name: str) -> str:
    return f"'{name}'" if name else "without a name"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
