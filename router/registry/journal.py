"""What the log says when a list replaces another."""

from typing import Final

import structlog

from router.registry.good import GoodList, price_jumps
from router.registry.pace import Pace
from router.registry.rows import Note
from router.routing.snapshot import Snapshot

_log = structlog.get_logger()

LOGGED: Final = 10
"""Rows, prices and aliases that one log line names; `trunkline models` shows all."""


def _missing_keys(snapshot: Snapshot, pace: Pace) -> set[str]:
    deployments = (d for model in pace(snapshot.models) for d in model.deployments)
    found = (deployment.provider.missing_variable for deployment in deployments)
    return {variable for variable in found if variable}


def log_replaced(before: Snapshot, good: GoodList, ignored: tuple[Note, ...], pace: Pace) -> None:
    now = good.snapshot
    _log.info(
        "model_list_replaced",
        generation=now.generation,
        models=len(now.models),
        deployments=good.extent.served,
        set_aside=len(now.set_aside),
    )
    if missing := sorted(_missing_keys(now, pace)):
        _log.warning("provider_keys_missing", variables=missing)
    if now.set_aside:
        rows = [f"row {s.row} {s.model!r}: {s.reason}" for s in now.set_aside[:LOGGED]]
        _log.warning("rows_set_aside", count=len(now.set_aside), first=rows)
    if ignored:
        notes = [f"row {n.row} {n.model!r}: {n.text}" for n in ignored[:LOGGED]]
        _log.warning("aliases_ignored", count=len(ignored), first=notes)
    if jumps := price_jumps(before, now, pace):
        _log.warning("prices_jumped", count=len(jumps), first=list(jumps[:LOGGED]))
