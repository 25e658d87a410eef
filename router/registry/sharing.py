"""One list for several workers of a machine: the leader asks the source, the others follow it.

What they share lies in the state directory: the last good list, with its generation, and beside it how the
leader's last attempt ended. So all serve the same generation and tell of the same trouble, and the source is
asked once. A follower writes nothing and asks nobody.
"""

import asyncio
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from router.config import RouterConfig
from router.registry.good import confirmed, digest_of, make
from router.registry.origin import Origin, revive
from router.registry.registry import Registry
from router.registry.rows import Reading
from router.registry.store import Saved, Told
from router.routing.snapshot import Snapshot
from router.transport.seam import Transport

FOLLOW_SECONDS: Final = 1.0
"""How often a follower looks whether the list on disk is another one: one system call."""


class Part(StrEnum):
    """What a process does for the list: all that is to be done for itself, for others too, or nothing."""

    ALONE = "alone"
    LEADS = "leads"
    FOLLOWS = "follows"


class Leader(Registry):
    """A registry that tells its followers how it fares."""

    async def refresh_now(self) -> Snapshot:
        snapshot = await super().refresh_now()
        if self._origin is not None:
            good = self._good
            told = Told(self._failure, good.confirmed_at if good else 0.0)
            await asyncio.to_thread(self._origin.store.tell, told)
        return snapshot


class Follower(Registry):
    """A registry that serves what its leader has found good."""

    _seen: object = None

    async def start(self) -> None:
        if self._origin is None:
            await super().start()
            return
        await self.refresh_now()
        self._begin_refreshes()

    async def move(self) -> None:
        self._seen = None
        await super().move()

    async def refresh_now(self) -> Snapshot:
        """Look at what the leader has left; return what is served then."""
        if self._origin is not None:
            async with self._attempting:
                await self._look(self._origin)
        return self.snapshot

    async def _look(self, origin: Origin) -> None:
        await self._free_retired()
        seen = await asyncio.to_thread(origin.store.state)
        if seen != self._seen:
            saved = await self._apart(origin.store.load)
            self._seen = seen
            if saved and self._is_newer(saved):
                await self._adopt(origin, saved)
        told = await asyncio.to_thread(origin.store.told)
        self._failure = told.failure
        if self._good and told.confirmed_at > self._good.confirmed_at:
            self._good = confirmed(self._good, told.confirmed_at)

    def _is_newer(self, saved: Saved) -> bool:
        """Whether a list is not what is served, nor what lay there before the configuration named its source.

        The leader counts anew if it has lost what it knew.
        """
        if self._good is None:
            return True
        is_later = saved.saved_at > self._good.confirmed_at
        return saved.past.generation > self.snapshot.generation or (
            is_later and saved.past != self._past
        )

    async def _adopt(self, origin: Origin, saved: Saved) -> None:
        revived = await self._apart(revive, saved, self._providers)
        if revived is not None:
            reading, good = revived
            self._served_from = origin
            await self._replace(good, reading.notes)

    async def _serve_again(
        self, reading: Reading, saved: Saved | None, at_swap: Callable[[], None]
    ) -> None:
        # The generation is what the leader's is, or is about to be.
        past = saved.past if saved else self._past
        when = saved.saved_at if saved else self._world.clock()
        digest = digest_of(saved.body) if saved else ""
        new = await self._apart(make, reading, digest, past, when)
        await self._replace(new, reading.notes, at_swap)

    def _pause(self) -> float:
        return FOLLOW_SECONDS


_KINDS: Final[Mapping[Part, type[Registry]]] = MappingProxyType(
    {Part.ALONE: Registry, Part.LEADS: Leader, Part.FOLLOWS: Follower}
)


def registry_of(part: Part, config: RouterConfig, transport: Transport) -> Registry:
    """Return the registry of a process that plays this part.

    Raises:
        ConfigError: if the configured source is neither a URL nor a path.

    """
    return _KINDS[part](config, transport)
