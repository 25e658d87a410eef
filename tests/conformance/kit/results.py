"""What the tests of a run said of each exchange: the report's only source, so that it cannot disagree.

A test counts for every exchange whose file's name stands in its id (each ends in the exchange's own id,
`…__0a1b2c3d4e`); which check it belongs to, its name tells.
"""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import pytest

from tests.conformance.kit.suite import Check
from tests.conformance.kit.suites import UNCHECKED, why_not
from tests.support.corpus import Exchange

_ID = re.compile(r"__([0-9a-f]{10})\b")

_WORDS: Final = (
    (re.compile(r"split|byte|cut_|arrive"), (Check.SPLIT,)),
    (re.compile(r"request|asks"), (Check.ROUND_TRIP,)),
    (re.compile(r"both_faces"), (Check.TYPED,)),
    (re.compile(r"passes_unchanged"), (Check.DECODE, Check.ROUND_TRIP)),
)
"""Words in the names of tests, and the checks that they tell of; any other test is of the decode check."""


class Outcome(StrEnum):
    """How a check of an exchange ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Verdict:
    """How a check of an exchange ended; `words` are the reason, or the tests that failed."""

    outcome: Outcome
    words: str = ""


@dataclass
class Results:
    """Passed and failed tests by exchange and check; lives as long as one run."""

    passed: dict[tuple[str, Check], int] = field(default_factory=lambda: defaultdict(int))
    failed: dict[tuple[str, Check], list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, report: pytest.TestReport) -> None:
        """Take the outcome of one test's phase; a skipped one says nothing."""
        if report.outcome == "failed":
            for key in keys_of(report.nodeid):
                self.failed[key].append(report.nodeid)
        elif report.outcome == "passed" and report.when == "call":
            for key in keys_of(report.nodeid):
                self.passed[key] += 1

    def verdict(self, exchange: Exchange, check: Check) -> Verdict:
        """Return how a check of an exchange ended. One that no test took, without a reason, has failed."""
        key = (exchange.id, check)
        if self.failed.get(key):
            return Verdict(Outcome.FAILED, "; ".join(self.failed[key]))
        if self.passed.get(key):
            return Verdict(Outcome.PASSED)
        reason = why_not(exchange, check)
        return Verdict(Outcome.NOT_APPLICABLE if reason else Outcome.FAILED, reason or UNCHECKED)


def keys_of(nodeid: str) -> list[tuple[str, Check]]:
    """Return the exchanges that a test is about, each with the check that it belongs to."""
    name, _, parameters = nodeid.rpartition("::")[2].partition("[")
    checks = next((checks for words, checks in _WORDS if words.search(name)), (Check.DECODE,))
    return [(found, check) for found in _ID.findall(parameters) for check in checks]
