"""When a list that was fetched replaces the good one. Pure.

An unreadable or oversized list never comes this far. One that serves nothing never replaces another.
One of ten rows or more that shrinks below half may be a fault of its source, so it is refused until
three fetches in a row bring the same models, or an operator accepts it.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import merge
from typing import Final

from router.registry.pace import Pace, at_once, batches
from router.registry.rows import Reading

GUARDED_ROWS: Final = 10
AGREEING_FETCHES: Final = 3


@dataclass(frozen=True, slots=True)
class Extent:
    """How much a list offers. `served` counts the rows that are not set aside; `ids` is a digest."""

    rows: int
    served: int
    models: int
    ids: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many fetches in a row brought the models whose digest is `ids`."""

    ids: str
    fetches: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a list replaces the good one; if not, `reason` says why.

    `agreement` is for the next judgement. `is_shrunk` holds for a list that was accepted all the same, too.
    """

    is_accepted: bool
    reason: str = ""
    is_shrunk: bool = False
    agreement: Agreement | None = None


ACCEPTED: Final = Verdict(is_accepted=True)


def extent_of(reading: Reading, pace: Pace = at_once) -> Extent:
    served = sum(len(model.deployments) for model in pace(reading.models))
    ids = digest_of_ids((model.id for model in reading.models), pace)
    return Extent(reading.rows, served, len(reading.models), ids)


def digest_of_ids(ids: Iterable[str], pace: Pace = at_once) -> str:
    """Return a digest of a set of model ids, whatever their order."""
    # Sorted in runs that are merged: one call would take long.
    runs = [sorted(run) for run in pace(batches(ids))]
    found = hashlib.sha256()
    for number, batch in enumerate(pace(batches(merge(*runs)))):
        found.update(("\n" * (number > 0) + "\n".join(batch)).encode())
    return found.hexdigest()


def judge(
    reading: Reading,
    good: Extent | None,
    agreement: Agreement | None = None,
    accepted_ids: str | None = None,
    pace: Pace = at_once,
) -> Verdict:
    """Judge a list by the one that is served, if any.

    `agreement` is what the judgement before gave; `accepted_ids` the digest that an operator accepted.
    """
    if not reading.models:
        return Verdict(is_accepted=False, reason=_barren(reading))
    new = extent_of(reading, pace)
    if good is None or not _is_shrunk(new, good):
        return ACCEPTED
    fetches = agreement.fetches + 1 if agreement and agreement.ids == new.ids else 1
    if fetches >= AGREEING_FETCHES or accepted_ids == new.ids:
        return Verdict(is_accepted=True, is_shrunk=True)
    reason = (
        f"list refused: it shrank from {good.served} served rows to {new.served} "
        f"({good.models} models to {new.models}); fetch {fetches} of {AGREEING_FETCHES} that must "
        "agree, or run 'trunkline models --accept'"
    )
    return Verdict(
        is_accepted=False, reason=reason, is_shrunk=True, agreement=Agreement(new.ids, fetches)
    )


def _is_shrunk(new: Extent, good: Extent) -> bool:
    is_below_half = new.served * 2 < good.served or new.models * 2 < good.models
    return good.rows >= GUARDED_ROWS and is_below_half


def _barren(reading: Reading) -> str:
    if not reading.rows:
        return "list refused: it is empty"
    first = reading.set_aside[0]
    return (
        f"list refused: none of its {reading.rows} rows can be served "
        f"(row {first.row}: {first.reason})"
    )
