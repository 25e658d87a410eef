"""Roles of the messages of a chat request, as every dialect that translates reads them."""

from collections.abc import Collection, Sequence
from typing import Final

from router.errors import InvalidRequestError
from router.providers import fields
from router.providers.fields import Members

SYSTEM_ROLES: Final = frozenset({"system", "developer"})
"""Who instructs the model; most dialects tell them apart from the conversation, not from each other."""


def role_of(message: Members, param: str, known: Collection[str]) -> str:
    """Return the role of a message.

    Raises:
        InvalidRequestError: if it is none of `known`; `param` is the message's place.

    """
    role = fields.required_text(message, "role", param)
    if role not in known:
        listed = ", ".join(sorted(known))
        msg = f"Invalid value for '{param}.role': '{role}'. Supported values are: {listed}."
        raise InvalidRequestError(msg, param=f"{param}.role")
    return role


def leading_system(roles: Sequence[str]) -> int:
    """Return how many messages of the system's stand before any other."""
    return next((i for i, r in enumerate(roles) if r not in SYSTEM_ROLES), len(roles))


def following(roles: Sequence[str]) -> list[str | None]:
    """Return, for each message, the role of the next one that is not the system's; None at the end."""
    found: list[str | None] = []
    after: str | None = None
    for role in reversed(roles):
        found.append(after)
        after = after if role in SYSTEM_ROLES else role
    return found[::-1]
