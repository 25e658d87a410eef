import asyncio

import pytest
from tornado.httputil import HTTPConnection

from edge.inflight import InFlight
from tests.edge.running_edge import soon


class Request:
    def __init__(self) -> None:
        self.connection = HTTPConnection()

    def cancel_call(self) -> None:
        """Nothing runs for it."""


@pytest.fixture
async def request_() -> "Request":
    return Request()


async def test_nothing_in_flight_is_empty_at_once() -> None:
    assert await InFlight().wait_empty(0)


async def test_waiting_ends_with_the_last_request(request_: Request) -> None:
    in_flight = InFlight()
    in_flight.add(request_)
    waiting = asyncio.create_task(in_flight.wait_empty(60))

    in_flight.discard(request_)

    assert await soon(waiting)


async def test_waiting_gives_up_after_its_time(request_: Request) -> None:
    in_flight = InFlight()
    in_flight.add(request_)

    assert not await in_flight.wait_empty(0.01)
    assert in_flight.connections() == {request_.connection}
    assert repr(in_flight) == "<InFlight 1>"


async def test_a_request_can_leave_twice(request_: Request) -> None:
    in_flight = InFlight()
    in_flight.add(request_)
    in_flight.discard(request_)
    in_flight.discard(request_)

    assert len(in_flight) == 0
