"""The first decision of every call: may this caller call at all?"""

import hashlib
import hmac
from collections.abc import AsyncGenerator, Iterable

from router.calls import Call, Event, Stage
from router.errors import UnauthenticatedError
from router.values import Secret

_SCHEME = "bearer "


class Authenticate:
    """Accepts the configured keys; without any, everybody. Lives as long as the application."""

    def __init__(self, keys: Iterable[Secret]) -> None:
        self.follow(keys)

    def follow(self, keys: Iterable[Secret]) -> None:
        """Accept these keys, and no others, from now on."""
        self._digests = tuple(_digest(key.reveal()) for key in keys)

    @property
    def checks_keys(self) -> bool:
        """Whether a credential is needed."""
        return bool(self._digests)

    def check(self, credential: Secret | None) -> None:
        """Accept the value of an `authorization` header, or raise.

        Every key is compared, in constant time, so that the time taken tells nothing of any.

        Raises:
            UnauthenticatedError: if keys are configured and this is none of them.

        """
        if not self._digests:
            return
        text = credential.reveal() if credential else ""
        if text[: len(_SCHEME)].lower() != _SCHEME:
            msg = "You didn't provide an API key. Send it in the header 'Authorization: Bearer <key>'."
            raise UnauthenticatedError(msg)
        given = _digest(text[len(_SCHEME) :].strip())
        if not sum([hmac.compare_digest(given, known) for known in self._digests]):
            msg = "Incorrect API key provided."
            raise UnauthenticatedError(msg)

    def __call__(self, following: Stage) -> Stage:
        """Return the stage that checks a call's credential before `following`."""

        def stage(call: Call) -> AsyncGenerator[Event, None]:
            self.check(call.credential)
            return following(call)

        return stage


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
