"""Puts the gRPC server together: services, limits, health, reflection."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from router.pipeline.authenticate import Authenticate
from router.rpc.chat import ChatService
from router.rpc.codec import StandingOf
from router.rpc.door import Door
from router.rpc.embeddings import EmbeddingService
from router.rpc.forward import ForwardService
from router.rpc.health import NOT_SERVING, SERVING, HealthService
from router.rpc.models import ModelService
from router.rpc.reflection import ReflectionService
from router.rpc.routes import RouteService
from router.rpc.status import MAX_METADATA_BYTES
from trunkline.v1 import (
    chat_service_pb2,
    chat_service_pb2_grpc,
    embedding_service_pb2,
    embedding_service_pb2_grpc,
    forward_service_pb2,
    forward_service_pb2_grpc,
    model_service_pb2,
    model_service_pb2_grpc,
    route_service_pb2,
    route_service_pb2_grpc,
    status_pb2,
)

_NAMES: Final = (
    chat_service_pb2.DESCRIPTOR.services_by_name["ChatService"].full_name,
    embedding_service_pb2.DESCRIPTOR.services_by_name["EmbeddingService"].full_name,
    model_service_pb2.DESCRIPTOR.services_by_name["ModelService"].full_name,
    route_service_pb2.DESCRIPTOR.services_by_name["RouteService"].full_name,
    forward_service_pb2.DESCRIPTOR.services_by_name["ForwardService"].full_name,
)

MAX_PENDING_CALLS = 16_384
"""Calls that have arrived and are not begun. Beyond it gRPC cuts some by chance, without a reason that a
caller could read; its own number is 1,000, less than the edges in front of one router send at once."""


@dataclass(frozen=True, slots=True)
class State:
    """What a router says of itself, and of a deployment, at the moment of asking."""

    router: Callable[[], status_pb2.RouterStatus]
    standing: StandingOf


@dataclass(frozen=True, slots=True)
class Port:
    """How a server's port is served; with `is_shared` other workers listen on it too."""

    max_message_bytes: int
    is_shared: bool = False


class RpcServer:
    """A gRPC server of all services. `health` is to be told what is served.

    `beside` are servers of other kinds that serve the same, from `start` until `stop`.
    """

    def __init__(
        self,
        door: Door,
        authenticate: Authenticate,
        state: State,
        *,
        port: Port,
        beside: Sequence[grpc.aio.Server] = (),
    ) -> None:
        self.server = grpc.aio.server(
            options=(
                ("grpc.max_receive_message_length", port.max_message_bytes),
                ("grpc.max_send_message_length", port.max_message_bytes),
                ("grpc.max_metadata_size", MAX_METADATA_BYTES),
                # A port in use must be an error and not a second listener that steals calls.
                ("grpc.so_reuseport", int(port.is_shared)),
                # Edges ask whether we are still there while a call is silent; gRPC's default of one question
                # in five minutes would end their connection, and a long completion with it.
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
                ("grpc.http2.max_ping_strikes", 0),
                ("grpc.server.max_pending_requests", MAX_PENDING_CALLS),
                ("grpc.server.max_pending_requests_hard_limit", 2 * MAX_PENDING_CALLS),
            )
        )
        self.health = HealthService(state.router)
        self._standing = state.standing
        self._reflection = ReflectionService(
            (*_NAMES, health.SERVICE_NAME, reflection.SERVICE_NAME), authenticate
        )
        self._servers = (self.server, *beside)
        for server in self._servers:
            self._register(door, server)

    def _register(self, door: Door, server: grpc.aio.Server) -> None:
        chat_service_pb2_grpc.add_ChatServiceServicer_to_server(ChatService(door), server)
        embedding_service_pb2_grpc.add_EmbeddingServiceServicer_to_server(
            EmbeddingService(door), server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            ModelService(door, self._standing), server
        )
        route_service_pb2_grpc.add_RouteServiceServicer_to_server(RouteService(door), server)
        forward_service_pb2_grpc.add_ForwardServiceServicer_to_server(ForwardService(door), server)
        health_pb2_grpc.add_HealthServicer_to_server(self.health, server)
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(self._reflection, server)

    async def start(self) -> None:
        """Take calls."""
        for server in self._servers:
            await server.start()

    async def stop(self, grace: float | None) -> None:
        """Take no more calls; cancel those under way after `grace` seconds, at once if None."""
        await asyncio.gather(*(server.stop(grace) for server in self._servers))

    async def serve(self, *, is_serving: bool) -> None:
        """Tell the watchers of the health service whether calls can be served."""
        state = SERVING if is_serving else NOT_SERVING
        for name in ("", *_NAMES):
            await self.health.set(name, state)
