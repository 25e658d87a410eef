"""Opens the way to the routers: which of them gets a call, and what becomes of it when one dies.

Strategy: gRPC itself balances, watches and retries; this module only tells it how.

- Calls go in turn to the routers that say they serve (`grpc.health.v1.Health/Watch`). While none says so,
  they go to any that can be reached: why nothing can be served is a router's to say (a router without a
  list still names its reason, and lists no models), and a request that arrives while a router stops is
  still answered.
- A call whose router is lost before it has begun to answer is sent to the next one. Once an answer has
  begun there is no second attempt: nothing is ever told twice. Failures that a router tells forbid the
  retry themselves (`grpc-retry-pushback-ms`), since their code is the same.
- A router that hangs is found by a ping that stays without answer.

Source: https://github.com/grpc/proposal, A6 (retries), A17 (health checks of clients).
"""

import json
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

import grpc

from edge.config import MESSAGE_MARGIN_BYTES, EdgeConfig
from trunkline.v1 import forward_service_pb2

MAX_METADATA_BYTES = 1024 * 1024
"""A provider's error that passes whole travels in trailing metadata; gRPC's own limit is 8 KiB."""

_FORWARD: Final = forward_service_pb2.DESCRIPTOR.services_by_name["ForwardService"].full_name

_REACHABLE: Final[dict[str, Any]] = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [{"service": _FORWARD}],
            "retryPolicy": {
                "maxAttempts": 5,  # the most that gRPC allows: under load a lost connection takes a moment
                # Short: the next router is there already. What waits here is one that has just died.
                "initialBackoff": "0.05s",
                "maxBackoff": "0.5s",
                "backoffMultiplier": 2,
                # A router that stops cancels what it has not begun; what we cancel is never sent again.
                "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
            },
        }
    ],
    # No `retryThrottling`: it counts the failures that routers tell too, so that a provider's outage would
    # switch off the retries of a dead router's calls. Those are bounded by what was in flight there.
}

_SERVING: Final = {**_REACHABLE, "healthCheckConfig": {"serviceName": ""}}

Begin = Callable[..., Any]
"""Begins calls of one method, as a channel's `unary_unary` and its kin return it."""


class RouterChannel(grpc.aio.Channel):
    """A channel to all routers of a target. Lives as long as its edge; close it after the edge.

    `serving` takes calls to routers that say they serve, `reachable` to any. They share their connections.
    `apart` are channels to each router by itself.
    """

    def __init__(
        self,
        serving: grpc.aio.Channel,
        reachable: grpc.aio.Channel,
        apart: tuple[grpc.aio.Channel, ...],
    ) -> None:
        self._serving = serving
        self._reachable = reachable
        self._apart = apart

    def __repr__(self) -> str:
        return f"<RouterChannel {self.get_state().name} routers={len(self.each)}>"

    @property
    def each(self) -> tuple[grpc.aio.Channel, ...]:
        """A channel to each router where the target lists their addresses, else this one for all."""
        return self._apart or (self,)

    @property
    def has_serving(self) -> bool:
        """Whether a router says that it serves."""
        return self.get_state(try_to_connect=True) is grpc.ChannelConnectivity.READY

    def unary_unary(self, *args: Any, **kwargs: Any) -> Any:
        """See the base class, as for all below."""
        serving = self._serving.unary_unary(*args, **kwargs)
        return self._either(serving, self._reachable.unary_unary(*args, **kwargs))

    def unary_stream(self, *args: Any, **kwargs: Any) -> Any:
        serving = self._serving.unary_stream(*args, **kwargs)
        return self._either(serving, self._reachable.unary_stream(*args, **kwargs))

    def _either(self, serving: Begin, reachable: Begin) -> Begin:
        def begin(request: object, **options: Any) -> Any:
            return (serving if self.has_serving else reachable)(request, **options)

        return begin

    def stream_unary(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("No service of a router takes streams.")

    def stream_stream(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("No service of a router takes streams.")

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:  # noqa: FBT001, FBT002 (as the base has it)
        """READY while a router says that it serves."""
        return self._serving.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._serving.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._serving.channel_ready()

    async def close(self, grace: float | None = None) -> None:
        for channel in (self._serving, self._reachable, *self._apart):
            await channel.close(grace)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        await self.close()


def routers_of(channel: grpc.aio.Channel) -> tuple[grpc.aio.Channel, ...]:
    """A channel to each router behind `channel`, as far as single ones are known."""
    return channel.each if isinstance(channel, RouterChannel) else (channel,)


def open_channel(config: EdgeConfig) -> RouterChannel:
    """A channel that spreads calls over the target's addresses. Begins to connect; the caller closes it,
    after the edge.
    """
    options = _options(config)

    def opened(target: str, service_config: dict[str, Any]) -> grpc.aio.Channel:
        told = ("grpc.service_config", json.dumps(service_config))
        return grpc.aio.insecure_channel(target, options=(*options, told))

    channel = RouterChannel(
        opened(config.router_target, _SERVING),
        opened(config.router_target, _REACHABLE),
        tuple(opened(target, _REACHABLE) for target in addresses_of(config.router_target)),
    )
    # Until the first connection nothing is known of the routers' health.
    channel.get_state(try_to_connect=True)
    return channel


def addresses_of(target: str) -> tuple[str, ...]:
    """The addresses, as targets, of a target that lists them; empty if it names them in another way."""
    scheme, _, rest = target.partition(":")
    if scheme not in ("ipv4", "ipv6") or "," not in rest:
        return ()
    return tuple(f"{scheme}:{address}" for address in rest.split(","))


def _options(config: EdgeConfig) -> tuple[tuple[str, int], ...]:
    message_bytes = config.max_body_bytes + MESSAGE_MARGIN_BYTES
    timeout_ms = round(config.keepalive_timeout * 1000)
    return (
        ("grpc.max_send_message_length", message_bytes),
        ("grpc.max_receive_message_length", message_bytes),
        ("grpc.max_metadata_size", MAX_METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", MAX_METADATA_BYTES),
        # A request larger than this could not be sent again.
        ("grpc.per_rpc_retry_buffer_size", message_bytes + MAX_METADATA_BYTES),
        # A restarted router is found again within seconds; gRPC's own ceiling is two minutes.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2000),
        # In spite of its name, how long a connection may take: one to a router that hangs never comes about.
        ("grpc.min_reconnect_backoff_ms", timeout_ms),
        # A router that hangs, or vanished without closing its connections, is noticed. The first timeout
        # is what TCP gets, the second what the ping gets: it would be a minute.
        ("grpc.keepalive_time_ms", round(config.keepalive_time * 1000)),
        ("grpc.keepalive_timeout_ms", timeout_ms),
        ("grpc.http2.ping_timeout_ms", timeout_ms),
        # A completion may be silent for longer than two pings.
        ("grpc.http2.max_pings_without_data", 0),
    )
