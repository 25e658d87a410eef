"""One list, read: each row by itself, bad ones set aside with reasons. Pure.

Rows with one `model_version` are deployments of one model, which stands where its first row stands.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import msgspec

from router.config import ProvidersConfig
from router.registry import fields
from router.registry.fields import Row, RowError
from router.registry.pace import Pace, at_once, untracked
from router.registry.scan import rows_of
from router.routing.handle import HandleError, language_of, parse
from router.routing.providers import at_location, resolve
from router.routing.snapshot import SetAside
from router.values import Deployment, Dialect, Endpoint, Provider


@dataclass(frozen=True, slots=True)
class Note:
    """Something of a row that was ignored while the row is served. `row` counts from 0."""

    row: int
    model: str
    text: str


class ListedModel(msgspec.Struct, frozen=True, gc=False):
    """A model as the list states it. `created` is None where no row of it says."""

    id: str
    family: str
    created: int | None
    deployments: tuple[Deployment, ...]
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """A list as read: `rows` is how many it has, good and bad."""

    rows: int
    models: tuple[ListedModel, ...]
    set_aside: tuple[SetAside, ...] = ()
    notes: tuple[Note, ...] = ()


def read(data: bytes, providers: ProvidersConfig, pace: Pace = at_once) -> Reading:
    """Read a list.

    Raises:
        ListError: if the list as a whole cannot be read. A bad row never raises.

    """
    resolver = _Resolver(providers)
    # By number: a dict of rows, unlike a list of them, is not looked at by the collector. So below.
    good: dict[int, _GoodRow] = {}
    set_aside: list[SetAside] = []
    number = -1
    for number, value in enumerate(pace(rows_of(data))):
        try:
            good[number] = _good_row(value, resolver)
        except (RowError, HandleError) as exc:
            set_aside.append(SetAside(number, _name_in(value), str(exc)))
    models, notes = _models_of(good, pace)
    for _ in pace(range(len(good))):
        good.popitem()  # all at once would take long
    return Reading(number + 1, models, tuple(set_aside), notes)


@dataclass(frozen=True, slots=True)
class _Target:
    """What a handle means under the configuration."""

    provider: Provider
    dialect: Dialect
    endpoint: Endpoint
    path: str
    spares: tuple[Provider, ...] = ()
    """The provider with each of its spare keys."""


class _Resolver:
    """Finds what handles mean. Remembers each: many rows share one, and failures are found once too."""

    def __init__(self, config: ProvidersConfig) -> None:
        self._config = config
        self._providers: dict[str, Provider] = {}
        self._targets: dict[str, _Target | HandleError] = {}

    def target(self, handle: str) -> _Target:
        known = self._targets.get(handle)
        if known is None:
            try:
                known = self._resolve(handle)
            except HandleError as exc:
                known = exc.with_traceback(None)
            self._targets[handle] = known
        if isinstance(known, HandleError):
            raise RowError(str(known))
        return known

    def _resolve(self, text: str) -> _Target:
        handle = parse(text)
        provider = self._providers.get(handle.provider)
        if provider is None:
            provider = resolve(handle.provider, self._config)
            self._providers[handle.provider] = provider
        dialect, endpoint = language_of(handle.path, provider.dialect)
        provider = at_location(provider, handle.path)
        path = text if provider.whole_handle else handle.path
        spares = tuple(replace(provider, api_key=key) for key in provider.spare_keys)
        return _Target(provider, dialect, endpoint, path, spares)


class _GoodRow(msgspec.Struct, frozen=True, gc=False):
    model: str
    family: str
    created: int | None
    deployment: Deployment
    aliases: tuple[object, ...]


def _good_row(value: object, resolver: _Resolver) -> _GoodRow:
    if not isinstance(value, dict):
        raise RowError(f"got {fields.shown(value)}, expected an object")
    model = fields.model_version(value)
    return _GoodRow(
        model=model,
        family=fields.family(value),
        created=fields.whole(value, "created", 0, fields.MAX_SECONDS),
        deployment=_deployment(model, value, resolver.target(fields.handle(value))),
        aliases=fields.aliases(value),
    )


def _deployment(model: str, row: Row, target: _Target) -> Deployment:
    deployment = Deployment(
        model=model,
        upstream_model=fields.name(row, "upstream_model") or model,
        provider=target.provider,
        dialect=target.dialect,
        endpoint=target.endpoint,
        path=target.path,
        price=fields.price(row, has_completions=target.endpoint is Endpoint.CHAT),
        weight=fields.weight(row),
        priority=fields.whole(row, "priority", -fields.MAX_INT32, fields.MAX_INT32) or 0,
        context_window=fields.whole(row, "context_window", 1, fields.MAX_INT64),
        max_output_tokens=fields.whole(row, "max_output_tokens", 1, fields.MAX_INT64),
    )
    if not target.spares:
        return deployment
    spares = tuple(msgspec.structs.replace(deployment, provider=each) for each in target.spares)
    return msgspec.structs.replace(deployment, spares=spares)


def _name_in(value: object) -> str:
    """What a bad row calls its model, as far as that can be shown; empty if it does not say."""
    stated = value.get("model_version") if isinstance(value, dict) else None
    if not isinstance(stated, str):
        return ""
    return stated if fields.is_name(stated) else fields.shown(stated)


def _models_of(
    rows: Mapping[int, _GoodRow], pace: Pace
) -> tuple[tuple[ListedModel, ...], tuple[Note, ...]]:
    firsts: dict[str, _GoodRow] = {}
    # Of a model's further rows: few models have any, and a list for each would keep the collector busy.
    others: dict[str, list[_GoodRow]] = {}
    for row in pace(rows.values()):
        if firsts.setdefault(row.model, row) is not row:
            others.setdefault(row.model, []).append(row)
    aliases: dict[str, dict[str, None]] = {}
    notes = tuple(_give_aliases(rows, firsts, aliases, pace))
    models = {
        model: _listed((first, *others.get(model, ())), aliases.get(model, ()))
        for model, first in pace(firsts.items())
    }
    return untracked(models.values()), notes


def _give_aliases(
    rows: Mapping[int, _GoodRow],
    ids: Mapping[str, object],
    given: dict[str, dict[str, None]],
    pace: Pace,
) -> Iterator[Note]:
    """Give each alias to the first model that states it, unless it is a model's id; note the others.

    `given` maps the models to theirs: a dict keeps the order and finds repetitions.
    """
    owners: dict[str, str] = {}
    for number, row in pace(rows.items()):
        for alias in row.aliases:
            if not isinstance(alias, str) or not fields.is_name(alias):
                yield Note(number, row.model, f"alias {fields.shown(alias)} is not a usable name")
            elif alias in ids:
                yield Note(number, row.model, f"alias '{alias}' is the id of a model")
            elif (owner := owners.setdefault(alias, row.model)) != row.model:
                yield Note(number, row.model, f"alias '{alias}' is an alias of '{owner}'")
            else:
                given.setdefault(row.model, {})[alias] = None


def _listed(rows: tuple[_GoodRow, ...], aliases: Iterable[str]) -> ListedModel:
    return ListedModel(
        id=rows[0].model,
        family=rows[0].family,
        created=next((row.created for row in rows if row.created is not None), None),
        deployments=tuple(row.deployment for row in rows),
        aliases=tuple(aliases),
    )
