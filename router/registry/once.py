"""Loads the list a single time, for the command line: nothing is served, and nothing is kept."""

import asyncio
from dataclasses import dataclass, replace
from enum import StrEnum

from router.config import RouterConfig
from router.registry.good import GoodList, is_same
from router.registry.guard import extent_of, judge
from router.registry.origin import Origin, location_of, origin_of, read_bundled, revive
from router.registry.rows import Reading, read
from router.registry.scan import ListError
from router.registry.source import Fetched, SourceError
from router.registry.store import Store
from router.transport.seam import Transport


class Outcome(StrEnum):
    """What a router would make of the list as it is now."""

    BUNDLED = "bundled"
    FIRST = "first"
    UNCHANGED = "unchanged"
    CHANGED = "changed"
    SHRUNK = "shrunk"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


FAILED = frozenset({Outcome.SHRUNK, Outcome.REFUSED, Outcome.UNREACHABLE})


@dataclass(frozen=True, slots=True)
class LoadReport:
    """The list as loaded, and how it compares with the last good one.

    `reading` is the source's list, or the last good one if the source gave none that can be read
    (`is_last_good`), or None if there is neither. `generation` and `confirmed_at` (Unix seconds) are those
    of the last good list; 0 if there is none. `reason` says why the source's list would not be served.
    """

    source: str
    outcome: Outcome
    reason: str = ""
    reading: Reading | None = None
    is_last_good: bool = False
    generation: int = 0
    confirmed_at: float = 0.0

    @property
    def problems(self) -> tuple[str, ...]:
        """What stands in the way of serving the list; empty if nothing does."""
        return (self.reason,) if self.outcome in FAILED else ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What would be served otherwise than the list states, or cannot be called."""
        if self.reading is None:
            return ()
        missing = {
            variable: None
            for model in self.reading.models
            for deployment in model.deployments
            if (variable := deployment.provider.missing_variable)
        }
        aside = (
            f"row {s.row} {s.model!r} is set aside: {s.reason}" for s in self.reading.set_aside
        )
        notes = (f"row {n.row} {n.model!r}: {n.text}" for n in self.reading.notes)
        keys = (f"{variable} is not set" for variable in missing)
        return (*aside, *notes, *keys)


async def load_once(config: RouterConfig, transport: Transport) -> LoadReport:
    """Fetch and check the list, and compare it with the last good one.

    Raises:
        ConfigError: if the configured source is neither a URL nor a path.

    """
    origin = origin_of(config, transport)
    if origin is None:
        return LoadReport("bundled list", Outcome.BUNDLED, reading=read_bundled(config.providers))
    saved = await asyncio.to_thread(origin.store.load)
    revived = await asyncio.to_thread(revive, saved, config.providers) if saved else None
    last_good = _last_good(origin, *revived) if revived else None
    try:
        fetched = await origin.source.fetch()
        reading = await asyncio.to_thread(_read, fetched, config)
    except SourceError as exc:
        return _without(origin, last_good, Outcome.UNREACHABLE, str(exc))
    except ListError as exc:
        return _without(origin, last_good, Outcome.REFUSED, f"list unreadable ({exc})")
    outcome, reason = _outcome(origin, reading, revived[1] if revived else None)
    base = last_good or LoadReport(origin.shown, outcome)
    return replace(base, outcome=outcome, reason=reason, reading=reading, is_last_good=False)


def _read(fetched: Fetched | None, config: RouterConfig) -> Reading:
    if fetched is None:  # impossible: nothing was said of a version
        raise SourceError("source gave no list")
    return read(fetched.body, config.providers)


def _last_good(origin: Origin, reading: Reading, good: GoodList) -> LoadReport:
    return LoadReport(
        origin.shown,
        Outcome.UNREACHABLE,
        reading=reading,
        is_last_good=True,
        generation=good.past.generation,
        confirmed_at=good.confirmed_at,
    )


def _without(
    origin: Origin, last_good: LoadReport | None, outcome: Outcome, reason: str
) -> LoadReport:
    return replace(last_good or LoadReport(origin.shown, outcome), outcome=outcome, reason=reason)


def _outcome(origin: Origin, reading: Reading, good: GoodList | None) -> tuple[Outcome, str]:
    verdict = judge(reading, good.extent if good else None, accepted_ids=origin.store.accepted())
    if not verdict.is_accepted:
        return (Outcome.SHRUNK if verdict.is_shrunk else Outcome.REFUSED), verdict.reason
    if good is None:
        return Outcome.FIRST, ""
    if is_same(reading, good.snapshot):
        return Outcome.UNCHANGED, ""
    return Outcome.CHANGED, "shrunk, but accepted" if verdict.is_shrunk else ""


def accept(config: RouterConfig, report: LoadReport) -> str:
    """Accept the shrunk list of a report; return what that leads to, as a sentence.

    The router takes it at its next refresh, running or started later, if the source still gives the same
    models then.

    Raises:
        StoreError: if the state directory cannot be written.

    """
    location = location_of(config)
    if report.outcome is not Outcome.SHRUNK or report.reading is None or location is None:
        return "Nothing to accept: the list is not one that shrank."
    Store(config.state_dir, location).accept(extent_of(report.reading).ids)
    return f"Accepted: {len(report.reading.models)} models are served from the next refresh on."
