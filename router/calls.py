"""One call of a caller, on its way through the router, and what happens to it."""

from collections.abc import AsyncGenerator, Callable
from copy import copy
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple, Self

from router.errors import TrunklineError
from router.routing.snapshot import Model, Snapshot
from router.values import Deployment, Secret, Usage


class Operation(StrEnum):
    """What a caller asks for. REFUSE: something that there is not; its `body` raises what is wrong."""

    CHAT = "chat"
    EMBEDDINGS = "embeddings"
    LIST_MODELS = "list_models"
    GET_MODEL = "get_model"
    WATCH_MODELS = "watch_models"
    EXPLAIN = "explain"
    REFUSE = "refuse"


_OF_ONE_ATTEMPT: Final = ("deployment", "dropped", "upstream_status", "sent", "answered", "usage")


@dataclass(slots=True)
class CallRecord:
    """What happened to a call, filled in on its way: for its response metadata, its log line, the metrics.

    `model` is the list's name for it, `asked_model` what the
    caller called it. Times are seconds of the performance counter (the loop's clock counts whole
    milliseconds); 0 is "not reached".
    """

    started: float
    model: str = ""
    asked_model: str = ""
    deployment: Deployment | None = None
    attempts: int = 0
    dropped: tuple[str, ...] = ()
    upstream_status: int | None = None
    sent: float = 0.0
    answered: float = 0.0
    first_content: float = 0.0
    usage: Usage | None = None
    failure: TrunklineError | None = None
    is_cancelled: bool = False
    on_settled: list[Callable[[], None]] = field(default_factory=list, repr=False)

    _costed: tuple[Usage, Deployment, Decimal] | None = field(default=None, repr=False)

    def begin(self, deployment: Deployment) -> None:
        """Note an attempt. What the one before left behind is none of its own: other prices, other times."""
        self.deployment = deployment
        self.dropped, self.upstream_status, self.usage = (), None, None
        self.sent = self.answered = 0.0

    def kept(self) -> Self:
        """Return a copy, for `as_in`."""
        return copy(self)

    def as_in(self, before: "CallRecord") -> None:
        """Say of the attempt what was kept of an earlier one: the one that the caller is told of."""
        for name in _OF_ONE_ATTEMPT:
            setattr(self, name, getattr(before, name))

    @property
    def cost(self) -> Decimal | None:
        """US dollars; None where the model is unpriced or usage is unknown."""
        usage, deployment = self.usage, self.deployment
        if usage is None or deployment is None or deployment.price is None:
            return None
        if self._costed and self._costed[0] is usage and self._costed[1] is deployment:
            return self._costed[2]
        cost = deployment.price.cost(usage)
        self._costed = (usage, deployment, cost)
        return cost

    @property
    def status(self) -> str:
        """How the call ended, as logs and metrics say it."""
        if self.is_cancelled:
            return "CANCELLED"
        return self.failure.reason if self.failure else "OK"


@dataclass(slots=True)
class Call:
    """One request, whatever the transport. Nobody changes it but for its record.

    `body` makes OpenAI's JSON of what the caller sent; it is called once, when the caller is known, and
    raises `InvalidRequestError`. `name` is the model for GET_MODEL. `deadline` is in seconds of the loop's
    clock; `has_own_deadline`: it is the one that we set, not the caller's. `snapshot` serves the call to its
    end. `tells_last`: the caller reads what is told beside a whole answer behind it.
    """

    operation: Operation
    request_id: str
    credential: Secret | None
    snapshot: Snapshot = field(repr=False)
    deadline: float
    record: CallRecord
    body: Callable[[], bytes] = field(default=bytes, repr=False)
    name: str = ""
    is_stream: bool = False
    is_strict: bool = False
    has_own_deadline: bool = False
    tells_last: bool = False


class Body(NamedTuple):
    """A whole answer: OpenAI's JSON."""

    body: bytes


class Batch(NamedTuple):
    """Chunks that arrived together, each OpenAI's JSON; `is_done`: the end mark is to be written."""

    chunks: tuple[bytes, ...]
    is_done: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """The models that were asked for: all of the call's snapshot, or the one."""

    snapshot: Snapshot
    model: Model | None = None


Event = Body | Batch | Listing
"""What a call answers with. The first event is the commit point: after it there is no other answer."""

Stage = Callable[[Call], AsyncGenerator[Event, None]]
"""A stage of the pipeline, and the pipeline itself: a call in, events out; failures are raised."""
