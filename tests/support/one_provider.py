"""A gateway whose model `m` runs at one scripted provider."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from edge.config import EdgeLimits
from tests.support.gateway import MESSAGES, Gateway, gateway, row, write_list
from tests.support.upstream import Script, Upstream, upstream

OPENAI: Final = "/openai/v1/chat/completions"
ANTHROPIC: Final = "/anthropic/v1/messages"

ROLE: Final = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
CONTENT: Final = b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
FINISH: Final = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE: Final = b"data: [DONE]\n\n"

KEY: Final = "canary-of-the-upstream"

PATIENCE: Final = 90
"""Seconds until a test that waits for an event fails; nothing is asserted of the time it takes."""


@asynccontextmanager
async def running(
    tmp_path: Path, script: Script, *, handle: str = OPENAI, model: str = "", **environ: str
) -> AsyncIterator[tuple[Gateway, Upstream]]:
    """Give the gateway and the provider; `model` is the provider's own name for `m`."""
    async with upstream(script) as provider:
        fields = {"upstream_model": model} if model else {}
        rows = [row("m", handle, **fields)]
        async with gateway(
            tmp_path, {**environ_of(tmp_path, provider, rows), **environ}
        ) as started:
            yield started, provider


@asynccontextmanager
async def bounded(
    tmp_path: Path, script: Script, limits: EdgeLimits, **environ: str
) -> AsyncIterator[tuple[Gateway, Upstream]]:
    """Give a gateway whose edge has these limits, and the provider."""
    async with upstream(script) as provider:
        told = {**environ_of(tmp_path, provider, [row("m", OPENAI)]), **environ}
        async with gateway(tmp_path, told, limits) as started:
            yield started, provider


def environ_of(tmp_path: Path, provider: Upstream, rows: Iterable[object]) -> dict[str, str]:
    """Return the variables of a gateway that reaches `provider` by these rows."""
    return {
        "MODEL_LIST_URL": write_list(tmp_path / "models.json", rows),
        "TRUNKLINE_PROVIDERS__OPENAI__BASE_URL": provider.url,
        "TRUNKLINE_PROVIDERS__ANTHROPIC__BASE_URL": provider.url,
        "TRUNKLINE_RETRY_BACKOFF": "0.001",
        "OPENAI_API_KEY": KEY,
        "ANTHROPIC_API_KEY": KEY,
    }


def request(*, stream: bool = False, **fields: object) -> dict[str, object]:
    return {"model": "m", "messages": MESSAGES, "stream": stream, **fields}


def frames(body: bytes) -> list[bytes]:
    """Return the payloads of an event stream."""
    return [part.removeprefix(b"data: ") for part in body.split(b"\n\n") if part]


def error_of(body: bytes) -> dict[str, Any]:
    """Return OpenAI's error object, whole as it must be."""
    error: dict[str, Any] = json.loads(body)["error"]
    assert error.keys() >= {"message", "type", "param", "code"}
    return error


def event(**fields: object) -> bytes:
    """Return one event of a stream."""
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def content(text: str) -> bytes:
    """Return the event of a chunk with `text`."""
    return event(choices=[{"index": 0, "delta": {"content": text}}])
