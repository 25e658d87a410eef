"""Tests that have a gateway run twice: its edge calls its router in-process, and over gRPC."""

from collections.abc import Iterator

import pytest

from tests.support import gateway

PROCESSES = ("test_processes", "test_readme")
"""What runs commands, which choose for themselves."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.module.__name__.rpartition(".")[2] not in PROCESSES:
        kinds = (gateway.IN_PROCESS, gateway.GRPC)
        metafunc.parametrize("channel_kind", kinds, indirect=True, scope="module")


@pytest.fixture(autouse=True, scope="module")
def channel_kind(request: pytest.FixtureRequest) -> Iterator[str]:
    """The channel of all gateways of a test; fixtures that have one for a whole module ask for it."""
    kind: str = getattr(request, "param", gateway.channel_kind)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gateway, "channel_kind", kind)
        yield kind
