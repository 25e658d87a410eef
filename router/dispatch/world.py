"""What dispatch takes from the world: transport, clocks, chance, signatures, and what it knows and tells."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from router.dispatch.journal import Journal
from router.gate import Gate
from router.routing.health import HealthBook
from router.transport.seam import Transport
from router.values import Deployment, Provider, Secret
from router.wire.http import HttpRequest
from router.wire.mask import Mask

Sign = Callable[[Provider, HttpRequest], Awaitable[HttpRequest]]
"""Authorizes a request by the credential chain of its provider's cloud.

Raises `CredentialMissingError`, naming what was looked for, if the chain gives no credential.
"""


MAX_MASKS: Final = 1000
"""Kept for reuse; more come together only where the configuration changes very often."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes: of a request body, and of a whole answer. `queue`: of calls that wait for one deployment."""

    request: int
    answer: int
    queue: int = 64


@dataclass(frozen=True, slots=True)
class World:
    """One for all calls; lives as long as the application.

    `clock` gives Unix time in seconds, `random` numbers of [0, 1).
    """

    transport: Transport
    book: HealthBook
    journal: Journal
    limits: Limits
    sign: Sign
    clock: Callable[[], float]
    random: Callable[[], float]
    gates: dict[str, Gate] = field(default_factory=dict)
    masks: dict[tuple[Secret, ...], Mask] = field(default_factory=dict, repr=False)

    def mask(self, secrets: tuple[Secret, ...]) -> Mask:
        """Return the mask of a provider's secrets; there are as many as providers are configured."""
        mask = self.masks.get(secrets)
        if mask is None:
            if len(self.masks) >= MAX_MASKS:
                self.masks.clear()
            mask = self.masks[secrets] = Mask(secrets)
        return mask

    def gate(self, deployment: Deployment) -> Gate | None:
        """Return the gate in front of a deployment; None where nothing bounds it."""
        limit = deployment.provider.max_concurrency
        if limit is None:
            return None
        gate = self.gates.get(deployment.target)
        if gate is None or gate.limit != limit:
            words = f"Too many calls of '{deployment.model}' are under way."
            gate = self.gates[deployment.target] = Gate(limit, self.limits.queue, words)
        return gate
