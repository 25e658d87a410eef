"""A whole gateway in the test's own event loop: both tiers, over real sockets."""

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import openai

from edge.app import EdgeApp
from edge.config import EdgeLimits
from launch import config as configuration
from launch.serve import (
    edge_running,
    local_address,
    local_server,
    new_metrics,
    router_running,
)
from router.app import RouterApp

GRPC, IN_PROCESS = "grpc", "inprocess"

channel_kind = IN_PROCESS
"""What the edges of gateways call their routers through; tests/end_to_end has both, one after the other."""

MESSAGES: list[Any] = [{"role": "user", "content": "hi"}]


@dataclass
class Gateway:
    """A running gateway."""

    url: str
    grpc: str
    router: RouterApp
    edge: EdgeApp
    http: aiohttp.ClientSession
    clients: list[openai.AsyncOpenAI] = field(default_factory=list)

    def sdk(self, **options: Any) -> openai.AsyncOpenAI:
        """The official client. It tries once: a test sees each answer."""
        client = openai.AsyncOpenAI(
            **{"base_url": f"{self.url}/v1", "api_key": "any", "max_retries": 0, **options}
        )
        self.clients.append(client)
        return client

    async def post(
        self, body: object, *, path: str = "/v1/chat/completions", **headers: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send a request as it is; give status, headers and body."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"content-type": "application/json"}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        async with self.http.post(self.url + path, data=data, headers=sent) as response:
            return response.status, response.headers, await response.read()


def row(model: str, handle: str, **fields: object) -> dict[str, object]:
    return {"model_version": model, "handle": handle, **fields}


def write_list(path: Path, rows: Iterable[object]) -> str:
    path.write_text(json.dumps(list(rows)), encoding="utf-8")
    return str(path)


@asynccontextmanager
async def gateway(
    state: Path, environ: Mapping[str, str], limits: EdgeLimits | None = None
) -> AsyncIterator[Gateway]:
    """Give a gateway configured by `environ`, on free ports of loopback."""
    config = configuration.load(
        {
            "TRUNKLINE_STATE_DIR": str(state),
            "TRUNKLINE_HTTP_PORT": "0",
            "TRUNKLINE_GRPC_PORT": "0",
            "TRUNKLINE_DRAIN_SECONDS": "5",
            **environ,
        }
    )
    if limits:
        config = replace(config, edge=replace(config.edge, limits=limits))
    metrics = new_metrics()
    local = local_server(config)
    async with (
        router_running(config, metrics, local) as (router, grpc_port),
        edge_running(
            config,
            local.open_channel()
            if channel_kind == IN_PROCESS
            else local_address("127.0.0.1", grpc_port),
            metrics,
        ) as (edge, http_port),
        aiohttp.ClientSession() as http,
    ):
        started = Gateway(
            f"http://127.0.0.1:{http_port}", f"127.0.0.1:{grpc_port}", router, edge, http
        )
        try:
            yield started
        finally:
            for client in started.clients:
                await client.close()
