"""Chooses among the deployments of a model. Pure: randomness is a parameter."""

from collections.abc import Callable, Iterable

from router.values import Deployment


def missing_key(deployment: Deployment) -> str | None:
    """Return the name of the variable that a deployment's key is missing from; None if it can be called."""
    provider = deployment.provider
    return provider.key_variable if provider.api_key is None and provider.signer is None else None


def in_order(
    deployments: Iterable[Deployment], random: Callable[[], float]
) -> tuple[Deployment, ...]:
    """Return the deployments in the order in which to try them.

    Those that can be called come first, then lower `priority` before higher; among equals chance decides,
    by `weight`. `random` returns numbers of [0, 1).
    """
    listed = tuple(deployments)
    if len(listed) == 1:
        return listed

    def rank(deployment: Deployment) -> tuple[bool, int, float]:
        # Weighted order without replacement: u ** (1 / weight), largest first (Efraimidis and Spirakis,
        # "Weighted random sampling with a reservoir", 2006).
        share = random() ** (1 / deployment.weight) if deployment.weight > 0 else -1.0
        return (missing_key(deployment) is not None, deployment.priority, -share)

    return tuple(sorted(listed, key=rank))
