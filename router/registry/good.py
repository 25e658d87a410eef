"""A list that passed: how it is served, and what its successor must know of it. Pure."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from router.config import Policy
from router.registry.guard import Extent, extent_of
from router.registry.location import NO_VALIDATORS, Validators
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
    validators: Validators = NO_VALIDATORS,
) -> GoodList:
    """Make a good list of a reading that has models; the generation grows unless it is the past's own.

    It is served by the default policy until it is `governed` by another.
    """
    fingerprint = _fingerprint(reading, digest)
    is_new = not past.generation or fingerprint != past.fingerprint
    generation = past.generation + is_new
    created = {
        model.id: past.created.get(model.id, int(now)) if model.created is None else model.created
        for model in reading.models
    }
    return GoodList(
        snapshot=_snapshot(reading, generation, created),
        extent=extent_of(reading),
        digest=digest,
        past=Past(generation, fingerprint, MappingProxyType(_remembered(past.created, created))),
        confirmed_at=now,
        validators=validators,
    )


def is_same(reading: Reading, snapshot: Snapshot) -> bool:
    """Tell whether a list offers what `snapshot` offers: other bytes, but nothing of it matters here."""
    return (
        len(reading.models) == len(snapshot.models)
        and reading.set_aside == snapshot.set_aside
        and all(
            _model(listed, model.created) == model and listed.created in (None, model.created)
            for listed, model in zip(reading.models, snapshot.models, strict=True)
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


def _fingerprint(reading: Reading, digest: str) -> str:
    """A digest of what decides how a list is served: its bytes, and what its handles mean."""
    providers = (d.provider for model in reading.models for d in model.deployments)
    meanings = sorted({(p.name, p.base_url, str(p.dialect), p.whole_handle) for p in providers})
    return digest_of(repr((digest, meanings, len(reading.set_aside))).encode())


def _remembered(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    """Join two maps of ages; of the models that are gone only the last ones stay."""
    gone = [item for item in before.items() if item[0] not in now]
    return dict(gone[-MAX_GONE:]) | dict(now)


def _snapshot(reading: Reading, generation: int, created: Mapping[str, int]) -> Snapshot:
    models = tuple(_model(listed, created[listed.id]) for listed in reading.models)
    names = {alias: model for model in models for alias in model.aliases}
    names |= {model.id: model for model in models}
    return Snapshot(
        generation=generation,
        models=models,
        set_aside=reading.set_aside,
        by_name=MappingProxyType(names),
        listing=listing(models),
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


def price_jumps(before: Snapshot, after: Snapshot) -> tuple[str, ...]:
    """Return a sentence for each deployment whose price changed by more than the factor `PRICE_JUMP`."""
    known = {_place(d): d for model in before.models for d in model.deployments}
    return tuple(
        f"{d.model} at {d.provider.name}: {kind} price was {old}, is {new}"
        for model in after.models
        for d in model.deployments
        if (was := known.get(_place(d)))
        for kind, old, new in _changes(was, d)
        if old > new * PRICE_JUMP or new > old * PRICE_JUMP
    )


def _place(d: Deployment) -> tuple[str, str, str, str]:
    return d.model, d.provider.name, d.path, d.upstream_model


def _changes(was: Deployment, now: Deployment) -> Iterator[tuple[str, Any, Any]]:
    if was.price and now.price:
        yield "prompt", was.price.prompt_1k, now.price.prompt_1k
        yield "completion", was.price.completion_1k, now.price.completion_1k
