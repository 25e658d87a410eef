"""A scripted list source over a real socket, a world under control, and rows of a list."""

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from router.config import ModelListConfig, ProvidersConfig, RouterConfig
from router.registry import Registry, Surroundings
from router.values import Secret


def row(model: str, **changes: Any) -> dict[str, Any]:
    """A good row; a change to None leaves the key out."""
    whole = {
        "model_version": model,
        "model_family": "family",
        "handle": "/openai/v1/chat/completions",
        "prompt_price_1k": 0.0025,
        "completion_price_1k": 0.01,
        **changes,
    }
    return {key: value for key, value in whole.items() if value is not None}


def rows(count: int, **changes: Any) -> list[dict[str, Any]]:
    return [row(f"m{number}", **changes) for number in range(count)]


@dataclass
class Reply:
    """What the source answers with."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class ListServer:
    """A real HTTP server that gives a list. `replies` by path win over `listed`."""

    def __init__(self) -> None:
        self.listed: object = []
        self.raw: bytes | None = None
        self.etag = ""
        self.last_modified = ""
        self.replies: dict[str, Reply] = {}
        self.is_hanging = False
        self.is_gzipped = False
        self.requests: list[web.BaseRequest] = []
        self.port = 0
        self._runner: web.ServerRunner | None = None
        self._released = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/models.json"

    async def start(self) -> None:
        self._runner = web.ServerRunner(web.Server(self._handle))
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        self._released.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request)
        if self.is_hanging:
            await self._released.wait()
        reply = self.replies.get(request.path)
        if reply is not None:
            return web.Response(status=reply.status, body=reply.body, headers=reply.headers)
        if self._is_known(request):
            return web.Response(status=304)
        return self._list()

    def _is_known(self, request: web.BaseRequest) -> bool:
        by_etag = self.etag and request.headers.get("if-none-match") == self.etag
        by_date = self.last_modified and (
            request.headers.get("if-modified-since") == self.last_modified
        )
        return bool(by_etag or by_date)

    def _list(self) -> web.Response:
        body = self.raw if self.raw is not None else json.dumps(self.listed).encode()
        headers = {"etag": self.etag, "last-modified": self.last_modified}
        headers = {name: value for name, value in headers.items() if value}
        if self.is_gzipped:
            body = gzip.compress(body)
            headers["content-encoding"] = "gzip"
        return web.Response(body=body, headers=headers)


class World:
    """Time, sleep and chance under the test's control."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0
        self.drawn: list[tuple[float, float]] = []
        self._pauses: asyncio.Queue[float] = asyncio.Queue()
        self._woken = asyncio.Semaphore(0)

    def surroundings(self, fetch_seconds: float = 10.0) -> Surroundings:
        return Surroundings(lambda: self.now, self._sleep, self._uniform, fetch_seconds)

    async def _sleep(self, seconds: float) -> None:
        self._pauses.put_nowait(seconds)
        await self._woken.acquire()
        self.now += seconds

    def _uniform(self, low: float, high: float) -> float:
        self.drawn.append((low, high))
        return high

    async def pause(self) -> float:
        """Return how long the refresh sleeps, once it does: then its last attempt is over."""
        return await self._pauses.get()

    def wake(self) -> None:
        self._woken.release()


@dataclass(frozen=True)
class MakeConfig:
    """Makes configurations that share a state directory."""

    state_dir: Path

    def __call__(
        self,
        source: str | None,
        *,
        providers: ProvidersConfig | None = None,
        authorization: str = "",
        refresh_seconds: float = 60.0,
    ) -> RouterConfig:
        secret = Secret(authorization) if authorization else None
        return RouterConfig(
            state_dir=self.state_dir,
            model_list=ModelListConfig(source, refresh_seconds, secret),
            providers=providers or ProvidersConfig(),
        )


Start = Callable[..., Awaitable[Registry]]
"""Starts a registry: `(source, providers, fetch_seconds)`, all optional."""


def ids(registry: Registry) -> list[str]:
    return [model.id for model in registry.snapshot.models]
