"""Keeps the model list of a running router fresh.

One attempt goes source, rows, guard, disk, snapshot, and ends with a good list or with a reason; nothing
that a source sends, and no fault of ours on the way, ends the refresh itself.
"""

import asyncio
import random
import time
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog

from router.config import RouterConfig
from router.errors import ConfigError
from router.registry.good import (
    NO_PAST,
    GoodList,
    confirmed,
    digest_of,
    governed,
    is_same,
    make,
)
from router.registry.guard import ACCEPTED, Agreement, Verdict, judge
from router.registry.journal import log_replaced
from router.registry.location import NO_VALIDATORS
from router.registry.origin import Origin, origin_of, read_bundled, revive
from router.registry.pace import REST_SECONDS, Pace, in_slices, let_go
from router.registry.rows import Note, Reading, read
from router.registry.scan import ListError
from router.registry.source import FETCH_SECONDS, Fetched, SourceError
from router.registry.status import Status, degraded
from router.registry.store import Saved, StoreError
from router.routing.snapshot import EMPTY, Snapshot
from router.transport.seam import Transport

_log = structlog.get_logger()

_T = TypeVar("_T")

BACKOFF_SECONDS: Final = 1.0
"""The first pause while nothing is served; it doubles up to the period of the refresh."""

JITTER: Final = (0.9, 1.1)
"""Spreads the refreshes of routers that were started together."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a registry takes from the world. Tests put their own in place.

    `clock` gives Unix time in seconds, `uniform` a random number between two; a fetch takes at most
    `fetch_seconds`.
    """

    clock: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    uniform: Callable[[float, float], float] = random.uniform
    fetch_seconds: float = FETCH_SECONDS


@dataclass(frozen=True, slots=True)
class _Offer:
    """A fetched list, compared with the one that is served.

    `good` is what it makes: None where nothing has changed, or where it is refused. `notes` are what was
    ignored of it.
    """

    digest: str
    good: GoodList | None = None
    notes: tuple[Note, ...] = ()
    verdict: Verdict = ACCEPTED


def _place_of(origin: Origin | None) -> Path | None:
    return origin.store.path if origin else None


class Registry:
    """The model list. Lives as long as the application: `start` it, `close` it.

    `snapshot` is the list now; it is replaced in one assignment, so that a call which holds on to it keeps
    one state to its end.
    """

    def __init__(
        self,
        config: RouterConfig,
        transport: Transport,
        surroundings: Surroundings = Surroundings(),
    ) -> None:
        """Raise `ConfigError` if the configured source is neither a URL nor a path."""
        self.snapshot: Snapshot = replace(EMPTY, policy=config.policy)
        self._transport = transport
        self._world = surroundings
        self._origin = origin_of(config, transport, surroundings.fetch_seconds)
        self._served_from: Origin | None = None
        """Of the list that is served: not yet the configured origin after a move; None is the bundled one."""
        self._follow(config)
        self._good: GoodList | None = None
        self._past = NO_PAST
        self._unsaved: tuple[Saved, str] | None = None
        self._agreement: Agreement | None = None
        self._failure = ""
        self._failures = 0
        self._attempting = asyncio.Lock()
        self._changed = asyncio.Event()
        self._is_closed = False
        self._is_foreign = False
        self._retired: list[Iterable[Any]] = []
        """What lists were made of that no call holds any more, to be freed piece by piece."""
        self._rest = 0.0
        """How long work pauses between its slices: not while the router is only starting."""
        self._task: asyncio.Task[None] | None = None

    def _follow(self, config: RouterConfig) -> None:
        self._providers = config.providers
        self._policy = config.policy
        self._period = config.model_list.refresh_seconds

    def __repr__(self) -> str:
        source = self._origin.shown if self._origin else "bundled"
        return f"<Registry source={source!r} generation={self.snapshot.generation}>"

    async def start(self) -> None:
        """Load the list, or the last good one, or none for now; then keep it fresh until `close`."""
        if self._origin is None:
            reading = await asyncio.to_thread(read_bundled, self._providers)
            self._served_from = None
            await self._replace(make(reading, "", self._past, self._world.clock()), reading.notes)
            return
        await self._restore(self._origin)
        await self.refresh_now()
        self._begin_refreshes()

    def _begin_refreshes(self) -> None:
        self._rest = REST_SECONDS
        if not self._is_closed and self._task is None:  # closed while the source was asked
            self._task = asyncio.create_task(self._keep_fresh(), name="model-list-refresh")

    async def reconfigure(
        self, config: RouterConfig, at_swap: Callable[[], None] = lambda: None
    ) -> bool:
        """Serve the list by another configuration, as a new generation, from one call to the next.

        `at_swap` is called in between, for what else is to change at the same moment.
        Returns whether the configuration names another source. Then `move` to it: the list that is served
        stays until that one gives a good one.

        Raises:
            ConfigError: if the source cannot be one, or no row could be served any more; nothing is changed.

        """
        origin = origin_of(config, self._transport, self._world.fetch_seconds)
        # By where it is kept: another credential within the address is another source too.
        is_moved = _place_of(origin) != _place_of(self._origin)
        async with self._attempting:
            again = None if is_moved and origin is None else await self._reread(config)
            if again and not again[0].models and is_moved:
                again = None  # the list that is about to go stays as it is
            elif again and not again[0].models:
                shown = self._origin.shown if self._origin else "bundled list"
                raise ConfigError("providers", repr(shown), "settings by which a row can be served")

            def swap() -> None:
                self._follow(config)
                at_swap()

            if again:
                await self._serve_again(*again, swap)
            else:
                swap()
                self.snapshot = replace(self.snapshot, policy=config.policy)
                self._doubt()
            self._origin, self._is_foreign = origin, is_moved or self._is_foreign
        return is_moved

    async def _reread(self, config: RouterConfig) -> tuple[Reading, Saved | None] | None:
        """Return what is served now as `config` reads it; None if there is nothing, or it cannot be found."""
        if self.snapshot.generation == 0:
            return None
        if self._served_from is None:
            return await asyncio.to_thread(read_bundled, config.providers), None
        store = self._served_from.store
        saved = self._unsaved[0] if self._unsaved else await self._apart(store.load)
        if saved is None:
            return None
        return await self._apart(read, saved.body, config.providers), saved

    async def _serve_again(
        self, reading: Reading, saved: Saved | None, at_swap: Callable[[], None]
    ) -> None:
        past = replace(self._past, fingerprint="")  # of no list: the generation grows
        digest = self._good.digest if self._good else ""
        validators = saved.validators if saved else NO_VALIDATORS
        when = self._good.confirmed_at if self._good else self._world.clock()
        made = await self._apart(make, reading, digest, past, when)
        new = confirmed(made, when, validators)
        if self._served_from and saved:
            await self._keep(self._served_from, Saved.of(new, saved.body))
        await self._replace(new, reading.notes, at_swap)

    async def move(self) -> None:
        """Turn to the source of the configuration, after one that was another."""
        origin = self._origin
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self._failure, self._unsaved, self._agreement = "", None, None
        if origin is None:
            self._past = replace(self._past, fingerprint="")
            await self.start()
            return
        self._doubt()
        await self.refresh_now()
        self._begin_refreshes()

    def _doubt(self) -> None:
        """Have the next list read, whatever the source says of its version: it may mean something else."""
        if self._good:
            self._good = replace(self._good, validators=NO_VALIDATORS, digest="")

    async def close(self) -> None:
        """Stop the refresh and end all watches. The snapshot stays."""
        self._is_closed = True
        self._changed.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def refresh_now(self) -> Snapshot:
        """Ask the source now; return what is served then. Never fails: `degraded` says what went wrong."""
        if self._origin is None:
            return self.snapshot
        async with self._attempting:
            self._failure = await self._attempt(self._origin)
            self._failures = self._failures + 1 if self._failure else 0
            if self._failure:
                _log.warning(
                    "model_list_not_refreshed",
                    source=self._origin.shown,
                    reason=self._failure,
                    generation=self.snapshot.generation,
                )
        return self.snapshot

    def degraded(self) -> tuple[str, ...]:
        """Return what does not work as it should, one sentence each; empty if all is well."""
        return degraded(self.status)

    @property
    def status(self) -> Status:
        """The list that is served, in numbers, and what is wrong with it."""
        good = self._good
        return Status(
            generation=self.snapshot.generation,
            rows=good.extent.rows if good else 0,
            served=good.extent.served if good else 0,
            set_aside=len(self.snapshot.set_aside),
            confirmed_at=good.confirmed_at if good else 0.0,
            failure=self._failure,
            unsaved=self._unsaved[1] if self._unsaved else "",
        )

    async def watch(self) -> AsyncGenerator[Snapshot, None]:
        """Yield the list as it is now, if there is one, and again after each change, until `close`.

        A slow reader misses generations between, never the newest.
        """
        seen = EMPTY.generation
        while not self._is_closed:
            changed, snapshot = self._changed, self.snapshot
            if snapshot.generation > seen:
                seen = snapshot.generation
                yield snapshot
            else:
                await changed.wait()

    async def _keep_fresh(self) -> None:
        while True:
            await self._world.sleep(self._pause())
            await self.refresh_now()

    def _pause(self) -> float:
        if self.snapshot.generation == 0:
            doubled = BACKOFF_SECONDS * 2.0 ** min(max(self._failures - 1, 0), 32)
            return min(doubled, self._period)
        return self._period * self._world.uniform(*JITTER)

    async def _apart(self, work: Callable[..., _T], *arguments: Any) -> _T:
        """Return what `work` gives, which takes long for a long list, out of the event loop's way."""
        return await in_slices(work, *arguments, rest=self._rest)

    async def _restore(self, origin: Origin) -> None:
        """Serve the last good list from disk, until the source has been asked."""
        saved = await self._apart(origin.store.load)
        if saved is None:
            return
        self._past = saved.past
        revived = await self._apart(revive, saved, self._providers)
        if revived is None:
            return
        reading, good = revived
        if good.past != saved.past:  # the configuration has changed: a generation of its own
            await self._keep(origin, Saved.of(good, saved.body))
        self._served_from = origin
        await self._replace(good, reading.notes)

    async def _attempt(self, origin: Origin) -> str:
        """Ask the source once. Return why its list is not served; empty if it is."""
        agreement, self._agreement = self._agreement, None
        known = self._good.validators if self._good else NO_VALIDATORS
        try:
            await self._free_retired()
            if self._unsaved:
                await self._keep(self._served_from or origin, self._unsaved[0])
            fetched = await origin.source.fetch(known)
            return await self._take(origin, fetched, agreement)
        except SourceError as exc:
            return str(exc)
        except ListError as exc:
            return f"list unreadable ({exc})"
        except Exception as exc:  # noqa: BLE001 (the refresh outlives any fault; the log has it)
            _log.exception("refresh_failed_unexpectedly", source=origin.shown)
            return f"internal error ({type(exc).__name__})"

    async def _take(
        self, origin: Origin, fetched: Fetched | None, agreement: Agreement | None
    ) -> str:
        """Serve what was fetched, unless it is no other list or is refused; return why it is refused."""
        now = self._world.clock()
        if fetched is None:
            self._good = self._good and confirmed(self._good, now)
            return ""
        offer = await self._apart(self._examine, origin, fetched.body, agreement)
        if not offer.verdict.is_accepted:
            self._agreement = offer.verdict.agreement
            return offer.verdict.reason
        if offer.good is None:
            self._good = self._good and confirmed(self._good, now, fetched.validators, offer.digest)
            return ""
        new = confirmed(offer.good, now, fetched.validators)
        # Disk first: were the process killed between, no generation would be given twice.
        await self._keep(origin, Saved.of(new, fetched.body))
        self._is_foreign, self._served_from = False, origin
        await self._replace(new, offer.notes)
        await asyncio.to_thread(origin.store.forget_accepted)
        return ""

    def _examine(
        self, origin: Origin, body: bytes, agreement: Agreement | None, pace: Pace
    ) -> _Offer:
        """Compare a list with the one that is served, and make it one that can be; in a thread."""
        good, digest = self._good, digest_of(body)
        if good and digest == good.digest:
            return _Offer(digest)
        reading = read(body, self._providers, pace)
        offer = self._judged(origin, reading, digest, agreement, pace)
        held: list[Iterable[Any]] = [reading.models]
        del reading
        let_go(held, pace)
        return offer

    def _judged(
        self,
        origin: Origin,
        reading: Reading,
        digest: str,
        agreement: Agreement | None,
        pace: Pace,
    ) -> _Offer:
        good = None if self._is_foreign else self._good
        if good and is_same(reading, good.snapshot, pace):
            return _Offer(digest)
        # Two sources are not compared: the new one was chosen.
        extent = good.extent if good else None
        verdict = judge(reading, extent, agreement, origin.store.accepted(), pace)
        if not verdict.is_accepted:
            return _Offer(digest, verdict=verdict)
        made = make(reading, digest, self._past, self._world.clock(), pace)
        return _Offer(digest, made, reading.notes)

    async def _keep(self, origin: Origin, saved: Saved) -> None:
        try:
            await self._apart(origin.store.save, saved)
        except StoreError as exc:
            _log.warning("model_list_not_saved", reason=str(exc))
            self._unsaved = (saved, str(exc))
        else:
            self._unsaved = None

    async def _replace(
        self, good: GoodList, notes: tuple[Note, ...], at_swap: Callable[[], None] = lambda: None
    ) -> None:
        at_swap()
        before, good = self.snapshot, governed(good, self._policy)
        self._good, self._past = good, good.past
        self.snapshot = good.snapshot
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        self._retire(before)
        await self._apart(log_replaced, before, good, notes)

    def _retire(self, snapshot: Snapshot) -> None:
        """Keep what a list is made of until its last call has ended, and then until it is freed.

        Whoever drops the last reference, a call most likely, would free all of it at once.
        """
        # What refers to the models goes before them.
        parts = (snapshot.models, (snapshot.targets,), (snapshot.by_name,))
        weakref.finalize(snapshot, self._retired.extend, parts).atexit = False

    async def _free_retired(self) -> None:
        if self._retired:
            await self._apart(let_go, self._retired)
