"""Asks a running router where a request would go, and puts its answer into lines for people."""

import json
from collections.abc import Iterator
from typing import Any

import grpc

from edge.status import from_rpc_error
from router.values import Secret
from trunkline.v1.forward_service_pb2 import ForwardRequest
from trunkline.v1.forward_service_pb2_grpc import ForwardServiceStub

SECONDS = 10.0
"""How long a router may take to answer."""


class ExplainError(Exception):
    """There is no explanation; the message says why."""


async def ask(target: str, body: bytes, key: Secret | None) -> dict[str, Any]:
    """Return a router's explanation for a request body.

    Raises:
        ExplainError: if no router answers, or it refuses the request.

    """
    metadata = (("authorization", f"Bearer {key.reveal()}"),) if key else ()
    async with grpc.aio.insecure_channel(target) as channel:
        try:
            response = await ForwardServiceStub(channel).Forward(
                ForwardRequest(method="POST", path="/v1/route:explain", body=body),
                timeout=SECONDS,
                metadata=metadata,
            )
        except grpc.aio.AioRpcError as exc:
            failure = from_rpc_error(exc)
            if not failure.is_told:
                msg = f"no router answers at {target}; start one, or set TRUNKLINE_ROUTER"
                raise ExplainError(msg) from exc
            raise ExplainError(json.loads(failure.body)["error"]["message"]) from exc
    explanation: dict[str, Any] = json.loads(response.body)
    return explanation


def render(said: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that show an explanation."""
    yield (
        f"{said['model']}: generation {said['generation']}, {said['balancing']}, "
        f"{said['retries']} retries"
    )
    yield from _section("In this order:", said["candidates"])
    yield from _section("Passed over now:", said["skipped"])


def _section(title: str, entries: list[dict[str, Any]]) -> Iterator[str]:
    if entries:
        yield ""
        yield title
    for number, entry in enumerate(entries, 1):
        yield f"  {number}. [{entry['chain']}] {entry['model']} at {entry['provider']}"
        yield (
            f"     upstream model {entry['upstream_model']}, key {entry['key_number']}, "
            f"priority {entry['priority']}, weight {entry['weight']:g}, breaker {entry['breaker']}, "
            f"{entry['calls_in_flight']} calls under way"
        )
        if entry["dropped_params"]:
            yield f"     would drop {', '.join(entry['dropped_params'])}"
        if entry["reason"]:
            again = entry.get("retry_in_seconds")
            yield f"     {entry['reason']}" + (f", next try in {again:g} s" if again else "")
