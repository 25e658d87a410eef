import dataclasses

import pytest

from edge.config import EdgeConfig


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost", "LocalHost"]
)
def test_loopback_hosts_are_not_beyond_loopback(host: str) -> None:
    assert not EdgeConfig(http_host=host).is_beyond_loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.1", "example.org", "127.1"])
def test_every_other_host_is_beyond_loopback(host: str) -> None:
    assert EdgeConfig(http_host=host).is_beyond_loopback


def test_the_configuration_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        EdgeConfig().http_port = 1  # type: ignore[misc]
