"""The in-memory twin keeps the contract of a transport."""

import pytest

from router.errors import UpstreamTruncatedError, UpstreamUnavailableError
from router.transport.memory import MemoryResponse, MemoryTransport
from router.transport.seam import Transport
from router.wire.http import HttpRequest

REQUEST = HttpRequest("POST", "http://host/", {"x": "1"}, b"{}")


async def test_what_was_sent_is_remembered_and_answered() -> None:
    transport = MemoryTransport(
        lambda request: MemoryResponse(201, {"h": "v"}, [request.body, b"!"])
    )

    async with transport.send(REQUEST, connect_timeout=1) as response:
        body = await response.read(3)

    assert (response.status, response.headers, body) == (201, {"h": "v"}, b"{}!")
    assert transport.sent == [REQUEST]


async def test_parts_arrive_one_read_each_and_an_error_is_raised_in_its_place() -> None:
    answer = MemoryResponse(parts=[b"a", b"b", UpstreamTruncatedError("cut"), b"never"])
    transport: Transport = MemoryTransport(lambda _: answer)

    async with transport.send(REQUEST, connect_timeout=1) as response:
        seen = [await response.read_some(), await response.read_some()]
        with pytest.raises(UpstreamTruncatedError):
            await response.read_some()

    assert seen == [b"a", b"b"]


async def test_an_answer_above_the_limit_is_a_failure() -> None:
    transport = MemoryTransport(lambda _: MemoryResponse(parts=[b"ab", b"c"]))

    async with transport.send(REQUEST, connect_timeout=1) as response:
        with pytest.raises(UpstreamUnavailableError, match="larger than 2 bytes"):
            await response.read(2)
