"""The model list at one moment: immutable, numbered, swapped as a whole."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import msgspec

from router.config import Policy
from router.errors import ModelNotFoundError
from router.values import Deployment


class Model(msgspec.Struct, frozen=True, gc=False):
    """A model that callers can name. `created` is Unix time in seconds; `deployments` has one or more."""

    id: str
    created: int
    owned_by: str
    family: str
    deployments: tuple[Deployment, ...]
    aliases: tuple[str, ...] = ()


class SetAside(msgspec.Struct, frozen=True, gc=False):
    """A row of the list that is not served, and why. `row` counts from 0."""

    row: int
    model: str
    reason: str


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Snapshot:
    """One state of the list. `generation` grows with every change; 0 is the state before any list.

    `models` is in the order of the source list. `by_name` finds a model by its id or an alias, `targets` are
    the places of all deployments. `listing` is the OpenAI form of the whole list, made once per generation.
    `policy` is how its calls are routed.
    """

    generation: int
    models: tuple[Model, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    by_name: Mapping[str, Model] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    targets: AbstractSet[str] = field(default=frozenset(), repr=False)
    listing: bytes = field(default=b'{"object":"list","data":[]}', repr=False)
    policy: Policy = field(default_factory=Policy)

    def find(self, name: str) -> Model:
        """Return the model that callers call `name`.

        Raises:
            ModelNotFoundError: if it is not on the list.

        """
        model = self.by_name.get(name)
        if model is None:
            msg = f"The model '{_shown(name)}' does not exist or you do not have access to it."
            raise ModelNotFoundError(msg, param="model")
        return model


def entry(model: Model) -> bytes:
    """Return the OpenAI form of a model (https://platform.openai.com/docs/api-reference/models/object)."""
    return msgspec.json.encode(_entry(model))


def listing(batches: Iterable[Iterable[Model]]) -> bytes:
    """Return the OpenAI form of a list of models, which come in batches."""
    parts = [b'{"object":"list","data":[']
    for batch in batches:
        parts += (msgspec.json.encode([_entry(model) for model in batch])[1:-1], b",")
    # Joined once: a long list is copied no more than it must be.
    return b"".join((*parts[: max(1, len(parts) - 1)], b"]}"))


def _entry(model: Model) -> dict[str, object]:
    return {
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": model.owned_by,
    }


EMPTY: Final = Snapshot(generation=0)
"""What is served before any list was loaded."""

_SHOWN_NAME = 200


def _shown(name: str) -> str:
    """A caller's name for a model as it may stand in a message: printable and of bounded length."""
    name = "".join(ch if ch.isprintable() else "\N{REPLACEMENT CHARACTER}" for ch in name)
    return name if len(name) <= _SHOWN_NAME else name[:_SHOWN_NAME] + "…"
