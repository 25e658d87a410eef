"""Deployments and lists of them, for tests of routing."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from msgspec import structs

from router.config import Policy
from router.errors import RateLimitedError, UpstreamError, UpstreamRejectedError
from router.routing.health import HealthBook
from router.routing.route import Ask, Route
from router.routing.snapshot import Model, Snapshot
from router.values import Deployment, Dialect, Endpoint, Provider, Secret


def provider(name: str = "p", *keys: str, **fields: Any) -> Provider:
    first, *spares = map(Secret, keys or ("key",))
    return Provider(
        name, f"http://{name}", first, key_variable="P_API_KEY", spare_keys=tuple(spares), **fields
    )


def deployment(name: str, of: Provider | None = None, **fields: Any) -> Deployment:
    """A deployment whose name at its provider is `name`."""
    of = of or provider()
    made = Deployment("m", name, of, Dialect.OPENAI, Endpoint.CHAT, "/chat", **fields)
    spares = tuple(
        structs.replace(made, provider=replace(of, api_key=key)) for key in of.spare_keys
    )
    return structs.replace(made, spares=spares)


def listed(policy: Policy | None = None, **models: list[Deployment]) -> Snapshot:
    """A list of `models`: each one's deployments, by its id."""
    made = {name: Model(name, 1, "p", "", tuple(places)) for name, places in models.items()}
    return Snapshot(7, tuple(made.values()), by_name=made, policy=policy or Policy())


def route(
    snapshot: Snapshot,
    book: HealthBook,
    now: float = 0.0,
    *,
    model: str = "m",
    random: Callable[[], float] = lambda: 0.5,
) -> Route:
    ask = Ask(snapshot.find(model), Endpoint.CHAT, is_stream=False, now=now)
    return Route(snapshot, ask, book, random)


def failed(kind: type[UpstreamError], stated_wait: float | None = None) -> UpstreamError:
    """A failure as a provider tells it."""
    error = kind(kind.__name__, retry_after=stated_wait)
    error.upstream_status = (
        429 if kind is RateLimitedError else 400 if kind is UpstreamRejectedError else 500
    )
    error.stated_wait = stated_wait
    return error
