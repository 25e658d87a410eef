"""Asks routers for their states.

The standard health service needs no credential; the router's own words travel beside its answer, in
trailing metadata.
"""

import asyncio
from collections.abc import Sequence

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from trunkline.v1.status_pb2 import RouterStatus

STATUS_KEY = "trunkline-status-bin"

Check = grpc.aio.UnaryUnaryMultiCallable[HealthCheckRequest, HealthCheckResponse]
"""The health service's `Check`, as a stub has it."""


OTHERS_SECONDS = 0.5
"""How long the others are waited for once a router is known that can serve: who asks whether the edge is
ready often waits for a second only, and one router that hangs must not take the edge out of service."""

States = Sequence[RouterStatus | None]
"""Of each router its state; None for those that do not answer."""


def can_serve(state: RouterStatus | None) -> bool:
    """Whether a router with this state can answer requests."""
    return state is not None and state.serves_list and not state.draining


async def ask_routers(checks: Sequence[Check], seconds: float) -> States:
    """The states of all routers, asked at once, within `seconds`."""
    asking = [
        asyncio.create_task(ask_router(check, seconds), name=f"ask-router-{number}")
        for number, check in enumerate(checks, 1)
    ]
    try:
        answered, _ = await asyncio.wait(asking, timeout=min(OTHERS_SECONDS, seconds))
        if not any(can_serve(task.result()) for task in answered):
            answered, _ = await asyncio.wait(asking)
        return [task.result() if task in answered else None for task in asking]
    finally:
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)


async def ask_router(check: Check, seconds: float, *, waits: bool = False) -> RouterStatus | None:
    """The state of a router, None if none answers within `seconds`.

    `waits`: a router that cannot be reached yet is waited for. A server that says nothing of itself but
    its health is taken as one that checks no keys.
    """
    call = check(HealthCheckRequest(), timeout=seconds, wait_for_ready=waits)
    try:
        answer = await call
        metadata = await call.trailing_metadata()
    except grpc.aio.AioRpcError:
        return None
    for key, value in metadata:
        if key == STATUS_KEY and isinstance(value, bytes):
            try:
                return RouterStatus.FromString(value)
            except DecodeError:
                return None
    return RouterStatus(serves_list=answer.status == HealthCheckResponse.SERVING)
