"""Keys decide who may call; without keys everybody may."""

import pytest

from router.errors import UnauthenticatedError
from router.pipeline import Authenticate
from router.values import Secret

KEYS = (Secret("first-key"), Secret("second-key"))


@pytest.mark.parametrize("credential", [None, Secret(""), Secret("Bearer anything")])
def test_without_keys_any_or_no_credential_is_accepted(credential: Secret | None) -> None:
    Authenticate(()).check(credential)

    assert not Authenticate(()).checks_keys


@pytest.mark.parametrize("text", ["Bearer first-key", "bearer second-key", "BEARER  first-key "])
def test_a_known_key_is_accepted(text: str) -> None:
    Authenticate(KEYS).check(Secret(text))

    assert Authenticate(KEYS).checks_keys


@pytest.mark.parametrize(
    "text",
    [
        "",
        "first-key",
        "Basic first-key",
        "Bearer",
        "Bearer first-ke",
        "Bearer first-key2",
        "Bearer é",
    ],
)
def test_anything_else_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UnauthenticatedError) as caught:
        Authenticate(KEYS).check(Secret(text))

    assert "first" not in caught.value.message


def test_no_credential_is_refused() -> None:
    with pytest.raises(UnauthenticatedError):
        Authenticate(KEYS).check(None)
