"""A list that passed: how it is served, and what its successor must know of it. Pure."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from router.config import Policy
from router.registry.guard import Extent, extent_of
from router.registry.location import NO_VALIDATORS, Validators
from router.registry.pace import Pace, at_once, batches, untracked
from router.registry.rows import ListedModel, Reading
from router.routing.snapshot import Model, Snapshot, listing
from router.values import Deployment

MAX_GONE: Final = 10_000
"""Models no longer listed whose age is remembered, should they come back."""

PRICE_JUMP: Final = 10
"""A price that changes by more than this factor may have got into the wrong unit."""


@dataclass(frozen=True, slots=True)
class Past:
    """What was before a list. `created` maps the ids ever served to Unix time in seconds.

    `fingerprint` tells whether a list read again after a restart is served as it was before it.
    """

    generation: int = 0
    fingerprint: str = ""
    created: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}), repr=False)


NO_PAST: Final = Past()


@dataclass(frozen=True, slots=True)
class GoodList:
    """A list that is fit to be served. `digest` is that of its bytes, `confirmed_at` Unix time in seconds."""

    snapshot: Snapshot
    extent: Extent
    digest: str
    past: Past
    """As the next list will see it: this list included."""
    confirmed_at: float
    validators: Validators = NO_VALIDATORS


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def make(
    reading: Reading,
    digest: str,
    past: Past,
    now: float,
    pace: Pace = at_once,
) -> GoodList:
    """Make a good list of a reading that has models; the generation grows unless it is the past's own.

    It is served by the default policy until it is `governed` by another.
    """
    fingerprint = _fingerprint(reading, digest, pace)
    is_new = not past.generation or fingerprint != past.fingerprint
    generation = past.generation + is_new
    created = {
        model.id: past.created.get(model.id, int(now)) if model.created is None else model.created
        for model in pace(reading.models)
    }
    remembered = _remembered(past.created, created, pace)
    return GoodList(
        snapshot=_snapshot(reading, generation, created, pace),
        extent=extent_of(reading, pace),
        digest=digest,
        past=Past(generation, fingerprint, MappingProxyType(remembered)),
        confirmed_at=now,
    )


def is_same(reading: Reading, snapshot: Snapshot, pace: Pace = at_once) -> bool:
    """Tell whether a list offers what `snapshot` offers: other bytes, but nothing of it matters here."""
    return (
        len(reading.models) == len(snapshot.models)
        and reading.set_aside == snapshot.set_aside
        and all(
            _model(listed, model.created) == model and listed.created in (None, model.created)
            for listed, model in pace(zip(reading.models, snapshot.models, strict=True))
        )
    )


def governed(good: GoodList, policy: Policy) -> GoodList:
    """Return a good list whose calls are routed by `policy`."""
    return replace(good, snapshot=replace(good.snapshot, policy=policy))


def confirmed(
    good: GoodList, now: float, validators: Validators | None = None, digest: str = ""
) -> GoodList:
    """Return a good list that the source has just given again, perhaps in other bytes."""
    return replace(
        good,
        confirmed_at=now,
        validators=good.validators if validators is None else validators,
        digest=digest or good.digest,
    )


def _fingerprint(reading: Reading, digest: str, pace: Pace) -> str:
    """A digest of what decides how a list is served: its bytes, and what its handles mean."""
    # Few, of many rows: told apart by what they are in memory first.
    providers = {id(d.provider): d.provider for m in pace(reading.models) for d in m.deployments}
    meanings = sorted(
        {(p.name, p.base_url, str(p.dialect), p.whole_handle) for p in providers.values()}
    )
    return digest_of(repr((digest, meanings, len(reading.set_aside))).encode())


def _remembered(before: Mapping[str, int], now: Mapping[str, int], pace: Pace) -> Mapping[str, int]:
    """Join two maps of ages; of the models that are gone only the last ones stay."""
    gone = [item for item in pace(before.items()) if item[0] not in now]
    return dict(gone[-MAX_GONE:]) | dict(now) if gone else now


def _snapshot(
    reading: Reading, generation: int, created: Mapping[str, int], pace: Pace
) -> Snapshot:
    by_id = {each.id: _model(each, created[each.id]) for each in pace(reading.models)}
    models = untracked(by_id.values())
    aliases = {alias: model for model in pace(models) for alias in model.aliases}
    return Snapshot(
        generation=generation,
        models=models,
        set_aside=reading.set_aside,
        by_name=MappingProxyType(aliases | by_id),
        # Not a set: the collector looks into those again and again.
        targets={d.target: None for model in pace(models) for d in model.deployments}.keys(),
        listing=listing(pace(batches(models))),
    )


def _model(listed: ListedModel, created: int) -> Model:
    return Model(
        id=listed.id,
        created=created,
        owned_by=listed.deployments[0].provider.name,
        family=listed.family,
        deployments=listed.deployments,
        aliases=listed.aliases,
    )


def price_jumps(before: Snapshot, after: Snapshot, pace: Pace = at_once) -> tuple[str, ...]:
    """Return a sentence for each deployment whose price changed by more than the factor `PRICE_JUMP`."""
    return tuple(
        f"{d.model} at {d.provider.name}: {kind} price was {old}, is {new}"
        for model in pace(after.models)
        for was, d in _kept(before.by_name.get(model.id), model)
        for kind, old, new in _changes(was, d)
        if old > new * PRICE_JUMP or new > old * PRICE_JUMP
    )


def _kept(before: Model | None, now: Model) -> Iterator[tuple[Deployment, Deployment]]:
    """Yield each deployment of a model that it had before: as it was, as it is."""
    if before is None or before.deployments == now.deployments:
        return
    known = {_place(d): d for d in before.deployments}
    for deployment in now.deployments:
        if was := known.get(_place(deployment)):
            yield was, deployment


def _place(d: Deployment) -> tuple[str, str, str, str]:
    return d.model, d.provider.name, d.path, d.upstream_model


def _changes(was: Deployment, now: Deployment) -> Iterator[tuple[str, Any, Any]]:
    if was.price and now.price:
        yield "prompt", was.price.prompt_1k, now.price.prompt_1k
        yield "completion", was.price.completion_1k, now.price.completion_1k
