"""The report that `make conformance` prints: a pytest plugin, so that its figures are those of the tests.

Three tables: exchanges by provider and kind under each check, exchanges by feature and provider, and the
reasons why checks do not apply. Failures stand last, each with its test.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

import pytest

from tests.conformance.kit.results import Outcome, Results, Verdict
from tests.conformance.kit.suite import Check
from tests.support.corpus import Exchange, everything

WIDE: Final = 12
"""Providers with a column of their own in the table of features; the others share one."""

_RESULTS = Results()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Take a test's outcome."""
    _RESULTS.add(report)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run that leaves an exchange without a verdict or a reason."""
    is_whole = exitstatus == pytest.ExitCode.OK
    if is_whole and any(
        _RESULTS.verdict(e, c).outcome is Outcome.FAILED for e in everything() for c in Check
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the report."""
    terminalreporter.section("conformance over the recorded exchanges")
    for line in lines(everything(), _RESULTS):
        terminalreporter.write_line(line)


def lines(exchanges: Iterable[Exchange], results: Results) -> Iterator[str]:
    """Yield the report's lines."""
    verdicts = {e: {c: results.verdict(e, c) for c in Check} for e in exchanges}
    yield from _by_provider(verdicts)
    yield ""
    yield from _by_feature(verdicts)
    yield ""
    yield from _reasons(verdicts)
    yield ""
    yield from _failures(verdicts)


Verdicts = dict[Exchange, dict[Check, Verdict]]


def _cell(outcomes: Counter[Outcome]) -> str:
    """`12` passed, `12 !1` one failed beside them, `12 ~3` three not applicable; `·` for none."""
    passed = str(outcomes[Outcome.PASSED] or "")
    failed = f"!{outcomes[Outcome.FAILED]}" if outcomes[Outcome.FAILED] else ""
    others = f"~{outcomes[Outcome.NOT_APPLICABLE]}" if outcomes[Outcome.NOT_APPLICABLE] else ""
    return " ".join(filter(None, (passed, failed, others))) or "·"


def overall(verdicts: dict[Check, Verdict]) -> Outcome:
    """Return how an exchange ended: failed if any check did, not applicable if none applies."""
    outcomes = {verdict.outcome for verdict in verdicts.values()}
    order = (Outcome.FAILED, Outcome.PASSED, Outcome.NOT_APPLICABLE)
    return next(outcome for outcome in order if outcome in outcomes)


def _by_provider(verdicts: Verdicts) -> Iterator[str]:
    rows: dict[tuple[str, str], list[dict[Check, Verdict]]] = defaultdict(list)
    for exchange, found in verdicts.items():
        rows[exchange.provider, exchange.kind].append(found)
    rows["all", ""] = list(verdicts.values())
    yield "passed, !failed, ~not applicable"
    header = "".join(f"{check:>16}" for check in Check)
    yield f"{'provider':<16}{'kind':<22}{'exchanges':>9}{header}"
    for (provider, kind), row in rows.items():
        cells = [_cell(Counter(verdict[check].outcome for verdict in row)) for check in Check]
        counted = "".join(f"{cell:>16}" for cell in cells)
        yield f"{provider:<16}{kind:<22}{len(row):>9}{counted}"


def _by_feature(verdicts: Verdicts) -> Iterator[str]:
    sizes = Counter(exchange.provider for exchange in verdicts)
    columns = [provider for provider, _ in sizes.most_common(WIDE)]
    cells: dict[tuple[str, str], Counter[Outcome]] = defaultdict(Counter)
    features: Counter[str] = Counter()
    for exchange, found in verdicts.items():
        column = exchange.provider if exchange.provider in columns else "others"
        for feature in exchange.features:
            features[feature] += 1
            cells[feature, column][overall(found)] += 1
    columns.append("others")
    yield f"{'feature':<24}" + "".join(f"{column:>12}" for column in columns)
    for feature, _ in features.most_common():
        row = "".join(f"{_cell(cells[feature, column]):>12}" for column in columns)
        yield f"{feature:<24}{row}"


def _reasons(verdicts: Verdicts) -> Iterator[str]:
    counts: Counter[tuple[str, str]] = Counter()
    for found in verdicts.values():
        if overall(found) is Outcome.NOT_APPLICABLE:
            counts["exchange", found[Check.DECODE].words] += 1
            continue
        for check, verdict in found.items():
            if verdict.outcome is Outcome.NOT_APPLICABLE:
                counts[check, verdict.words] += 1
    yield "not applicable:"
    for (what, reason), count in sorted(counts.items()):
        yield f"{count:>6}  {what:<14}{reason}"


def _failures(verdicts: Verdicts) -> Iterator[str]:
    failures = [
        f"  {exchange.provider}/{exchange.kind}/{exchange.name}: {check}: {verdict.words}"
        for exchange, found in verdicts.items()
        for check, verdict in found.items()
        if verdict.outcome is Outcome.FAILED
    ]
    yield f"failed: {len(failures)}"
    yield from failures
