"""A call of a model on Bedrock, from the caller's request to the signed one on the wire and back."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from router.calls import Batch, Body, Event
from router.dispatch import Dispatcher
from router.errors import RateLimitedError, UpstreamAuthError
from router.transport.http import AiohttpTransport
from router.transport.signing import Signers
from router.values import Deployment, Dialect, Endpoint, Provider, Secret, Signer, Usage
from tests.support.aws_events import event, stream
from tests.support.calls import call, collect, snapshot, world
from tests.support.upstream import Connection, Request, Script, Upstream, reply, upstream

MODEL = "us.amazon.nova-2-lite-v1:0"
USAGE = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}
ANSWER = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hello"}]}},
    "stopReason": "end_turn",
    "usage": USAGE,
}
EVENTS: list[dict[str, Any]] = [
    {"messageStart": {"role": "assistant"}},
    {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "Hello"}}},
    {"messageStop": {"stopReason": "end_turn"}},
    {"metadata": {"usage": USAGE}},
]
MESSAGES = [{"role": "user", "content": "Hi"}]


@pytest.fixture(autouse=True)
def fake_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-a-test")


def streamed(data: bytes) -> Script:
    async def script(request: Request, connection: Connection) -> None:
        await connection.head(200, {"content-type": "application/vnd.amazon.eventstream"})
        for at in range(0, len(data), 50):
            await connection.chunk(data[at : at + 50])
        await connection.end()

    return script


@asynccontextmanager
async def called(
    script: Script, *, is_stream: bool = False, key: Secret | None = None
) -> AsyncIterator[tuple[Upstream, list[Event], Usage | None]]:
    """Call the model once; give the provider with what it got, and what the caller got."""
    async with upstream(script) as server:
        provider = Provider(
            "bedrock", server.url, key, "AWS_BEARER_TOKEN_BEDROCK", signer=Signer.AWS
        )
        path = f"/model/{MODEL}/converse"
        deployment = Deployment("m", MODEL, provider, Dialect.BEDROCK, Endpoint.CHAT, path)
        transport = AiohttpTransport()
        dispatcher = Dispatcher(replace(world(transport), sign=Signers().sign))
        made = call(snapshot(deployment), stream=is_stream, messages=MESSAGES)
        try:
            events = await collect(dispatcher.chat, made)
            yield server, events, made.record.usage
        except UpstreamAuthError:
            assert made.record.attempts == len(server.requests)
            raise
        finally:
            await transport.close()


async def test_a_unary_call_is_signed_and_answered() -> None:
    async with called(reply(ANSWER)) as (server, events, usage):
        (asked,) = server.requests
        assert asked.target == f"/model/{MODEL}/converse"
        scope = "AKIDEXAMPLE/" + asked.headers["x-amz-date"][:8] + "/eu-west-1/bedrock/aws4_request"
        assert f"Credential={scope}," in asked.headers["authorization"]
        assert asked.fields == {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}
        (body,) = events
        assert isinstance(body, Body)
        assert json.loads(body.body)["choices"][0]["message"]["content"] == "Hello"
        assert usage == Usage(3, 2)


async def test_a_streamed_call_is_signed_for_its_own_path() -> None:
    async with called(streamed(stream(EVENTS)), is_stream=True) as (server, events, usage):
        (asked,) = server.requests
        assert asked.target == f"/model/{MODEL}/converse-stream"
        assert asked.headers["authorization"].startswith("AWS4-HMAC-SHA256 ")
        batches = [e for e in events if isinstance(e, Batch)]
        chunks = [json.loads(chunk) for batch in batches for chunk in batch.chunks]
        assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks) == "Hello"
        assert [batch.is_done for batch in batches][-1]
        assert usage == Usage(3, 2)


async def test_a_key_replaces_the_signature() -> None:
    async with called(reply(ANSWER), key=Secret("ABSK-of-a-test")) as (server, _, _):
        (asked,) = server.requests
        assert asked.headers["authorization"] == "Bearer ABSK-of-a-test"
        assert "x-amz-date" not in asked.headers


async def test_an_exception_before_any_content_is_a_plain_failure() -> None:
    data = stream(EVENTS[:1]) + event("throttlingException", {"message": "slow down"}, "exception")
    with pytest.raises(RateLimitedError, match="slow down"):
        async with called(streamed(data), is_stream=True):
            pass


async def test_without_credentials_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    sent: list[Request] = []

    async def script(request: Request, connection: Connection) -> None:
        sent.append(request)

    with pytest.raises(UpstreamAuthError, match="AWS_BEARER_TOKEN_BEDROCK"):
        async with called(script):
            pass
    assert sent == []
