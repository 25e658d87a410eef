"""Calls and deployments for tests of what lies behind the transports."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from time import perf_counter

from prometheus_client import CollectorRegistry

from router.calls import Call, CallRecord, Event, Operation, Stage
from router.config import Policy
from router.dispatch import Journal, Limits, World
from router.routing.health import HealthBook
from router.routing.snapshot import Model, Snapshot
from router.transport.seam import Transport
from router.values import Deployment, Dialect, Endpoint, Price, Provider, Secret
from router.wire.http import HttpRequest

DEPLOYMENT = Deployment(
    model="m",
    upstream_model="up",
    provider=Provider(
        "p",
        "http://host",
        Secret("key-of-ours"),
        key_variable="P_API_KEY",
        secrets=(Secret("key-of-ours"), Secret('he"ader/secret')),
    ),
    dialect=Dialect.OPENAI,
    endpoint=Endpoint.CHAT,
    path="/v1/chat/completions",
    price=Price(Decimal("0.001"), Decimal("0.002")),
)

ONE_ATTEMPT = Policy(retries=0)
"""For tests of a single attempt: a failure is not tried again."""


async def unsigned(provider: Provider, request: HttpRequest) -> HttpRequest:
    raise AssertionError("only providers with a signer are signed for")


def world(
    transport: Transport,
    *,
    random: Callable[[], float] = lambda: 0.5,
    book: HealthBook | None = None,
) -> World:
    """What dispatch takes from the world, with nothing left to chance."""
    return World(
        transport=transport,
        book=book or HealthBook(random),
        journal=Journal(CollectorRegistry()),
        limits=Limits(request=1_000_000, answer=1_000_000),
        sign=unsigned,
        clock=lambda: 1_700_000_000.5,
        random=random,
    )


def snapshot(*deployments: Deployment) -> Snapshot:
    model = Model("m", 1, "p", "", deployments or (DEPLOYMENT,))
    return Snapshot(generation=7, models=(model,), by_name={"m": model})


def call(
    listed: Snapshot | None = None,
    *,
    stream: bool = False,
    policy: Policy = ONE_ATTEMPT,
    **fields: object,
) -> Call:
    """A chat call for the model `m`; must be made while a loop runs."""
    now = asyncio.get_running_loop().time()
    body = json.dumps({"model": "m", "messages": [], "stream": stream, **fields}).encode()
    return Call(
        operation=Operation.CHAT,
        request_id="r",
        credential=None,
        snapshot=replace(listed or snapshot(), policy=policy),
        deadline=now + 60,
        record=CallRecord(started=perf_counter()),
        body=lambda: body,
        is_stream=stream,
    )


def with_body(made: Call, body: bytes) -> Call:
    return replace(made, body=lambda: body)


async def collect(stage: Stage, made: Call) -> list[Event]:
    return [event async for event in stage(made)]
