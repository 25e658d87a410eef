"""Asks a router for its state.

The standard health service needs no credential; the router's own words travel beside its answer, in
trailing metadata.
"""

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from trunkline.v1.status_pb2 import RouterStatus

STATUS_KEY = "trunkline-status-bin"

Check = grpc.aio.UnaryUnaryMultiCallable[HealthCheckRequest, HealthCheckResponse]
"""The health service's `Check`, as a stub has it."""


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
