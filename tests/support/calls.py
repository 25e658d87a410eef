"""Calls and deployments for tests of what lies behind the transports."""

import asyncio
import json
from dataclasses import replace
from decimal import Decimal
from time import perf_counter

from router.calls import Call, CallRecord, Event, Operation, Stage
from router.routing.snapshot import Model, Snapshot
from router.values import Deployment, Dialect, Endpoint, Price, Provider, Secret

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


def snapshot(*deployments: Deployment) -> Snapshot:
    model = Model("m", 1, "p", "", deployments or (DEPLOYMENT,))
    return Snapshot(generation=7, models=(model,), by_name={"m": model})


def call(listed: Snapshot | None = None, *, stream: bool = False, **fields: object) -> Call:
    """A chat call for the model `m`; must be made while a loop runs."""
    now = asyncio.get_running_loop().time()
    body = json.dumps({"model": "m", "messages": [], "stream": stream, **fields}).encode()
    return Call(
        operation=Operation.CHAT,
        request_id="r",
        credential=None,
        snapshot=listed or snapshot(),
        deadline=now + 60,
        record=CallRecord(started=perf_counter()),
        body=lambda: body,
        is_stream=stream,
    )


def with_body(made: Call, body: bytes) -> Call:
    return replace(made, body=lambda: body)


async def collect(stage: Stage, made: Call) -> list[Event]:
    return [event async for event in stage(made)]
