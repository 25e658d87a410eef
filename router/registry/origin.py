"""What the configuration says of the list's origin: where it is fetched, and where it is kept."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from router.config import ProvidersConfig, RouterConfig
from router.errors import ConfigError
from router.registry.good import GoodList, confirmed, digest_of, make
from router.registry.location import Location, LocationError, locate, masked
from router.registry.pace import Pace, at_once
from router.registry.rows import Reading, read
from router.registry.scan import ListError
from router.registry.source import FETCH_SECONDS, Source
from router.registry.store import Saved, Store
from router.transport.seam import Transport

BUNDLED: Final = Path(__file__).with_name("bundled.json")
"""Served where no source is configured, and never instead of one that is."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A configured source and the place of its last good list. `shown` holds no credential."""

    shown: str
    source: Source
    store: Store


def location_of(config: RouterConfig) -> Location | None:
    """Return where the list comes from; None for the bundled one.

    Raises:
        ConfigError: if the source is neither a URL nor a path.

    """
    configured = config.model_list.source
    if configured is None:
        return None
    try:
        return locate(configured)
    except LocationError as exc:
        expected = f"http(s)://…, file:///… or a path ({exc})"
        raise ConfigError("MODEL_LIST_URL", repr(masked(configured)), expected) from exc


def origin_of(
    config: RouterConfig, transport: Transport, seconds: float = FETCH_SECONDS
) -> Origin | None:
    """Return the list's origin; None for the bundled one. `seconds` bounds a fetch.

    Raises:
        ConfigError: if the source is neither a URL nor a path.

    """
    location = location_of(config)
    if location is None:
        return None
    source = Source(
        location,
        transport,
        config.model_list.authorization,
        connect_seconds=config.policy.timeouts.connect,
        seconds=seconds,
    )
    return Origin(location.shown, source, Store(config.state_dir, location))


def read_bundled(providers: ProvidersConfig) -> Reading:
    return read(BUNDLED.read_bytes(), providers)


def revive(
    saved: Saved, providers: ProvidersConfig, pace: Pace = at_once
) -> tuple[Reading, GoodList] | None:
    """Return a saved list as it is served under this configuration; None if nothing of it can be."""
    try:
        reading = read(saved.body, providers, pace)
    except ListError:
        return None
    if not reading.models:
        return None
    digest = digest_of(saved.body)
    good = make(reading, digest, saved.past, saved.saved_at, pace)
    return reading, confirmed(good, saved.saved_at, saved.validators)
