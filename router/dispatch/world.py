"""What dispatch takes from the world: transport, clocks, chance, signatures, and what it knows and tells."""

from collections.abc import Awaitable, Callable, Iterator
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
    """Bytes: of a request body, and of a whole answer."""

    request: int
    answer: int


class Gates:
    """The gates in front of deployments whose providers have a limit. Lives as long as the application.

    `queue` is how many calls may wait for one deployment.
    """

    def __init__(self, queue: int = 64) -> None:
        self.queue = queue
        self._gates: dict[str, Gate] = {}

    def of(self, deployment: Deployment) -> Gate | None:
        """Return the gate in front of a deployment; None where nothing bounds it.

        It goes by the limit that is asked for last, and never forgets who is in.
        """
        limit = deployment.provider.max_concurrency
        if limit is None:
            return None
        gate = self._gates.get(deployment.target)
        if gate is None:
            words = "Too many calls of this model are under way."
            gate = self._gates[deployment.target] = Gate(limit, self.queue, words)
        elif (gate.limit, gate.queue) != (limit, self.queue):
            gate.follow(limit, self.queue)
        return gate

    def known(self) -> Iterator[Gate]:
        """Yield every gate."""
        yield from self._gates.values()

    def forget_unused(self) -> None:
        """Forget the gates that nobody is in or waits for."""
        self._gates = {
            key: gate for key, gate in self._gates.items() if gate.inside or gate.waiting
        }


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
    gates: Gates = field(default_factory=Gates)
    masks: dict[tuple[Secret, ...], Mask] = field(default_factory=dict, repr=False)

    def mask(self, secrets: tuple[Secret, ...]) -> Mask:
        """Return the mask of a provider's secrets; there are as many as providers are configured."""
        mask = self.masks.get(secrets)
        if mask is None:
            if len(self.masks) >= MAX_MASKS:
                self.masks.clear()
            mask = self.masks[secrets] = Mask(secrets)
        return mask
