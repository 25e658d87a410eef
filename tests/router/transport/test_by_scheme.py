"""The scheme of an address chooses the transport."""

import pytest

from router.transport.by_scheme import SchemeTransport
from router.transport.memory import MemoryResponse, MemoryTransport
from router.wire.http import HttpRequest


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("demo://builtin/v1", b"built in"),
        ("demo:x", b"built in"),
        ("http://host/demo:", b"network"),
        ("https://demo/", b"network"),
        ("demos://x", b"network"),
        ("", b"network"),
    ],
)
async def test_a_request_goes_to_the_transport_of_its_scheme(url: str, body: bytes) -> None:
    built_in = MemoryTransport(lambda _: MemoryResponse(parts=[b"built in"]))
    network = MemoryTransport(lambda _: MemoryResponse(parts=[b"network"]))
    transport = SchemeTransport({"demo": built_in}, network)

    async with transport.send(HttpRequest("POST", url), connect_timeout=1) as response:
        assert await response.read(100) == body

    assert len(built_in.sent) + len(network.sent) == 1
