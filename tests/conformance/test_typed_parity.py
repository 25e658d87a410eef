"""The typed ChatService says what the HTTP face says: for every recorded exchange, and for any request.

One provider replays each recording by its id in the address. The recorded request is asked twice: over
HTTP as it is, and over gRPC through the codec. The provider must be asked the same, and the two callers
be told the same: `plain` (tests/support/openai_json.py) lists the spellings that count as one.
"""

import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import grpc
import pytest
import pytest_asyncio
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from hypothesis import given, settings
from hypothesis import strategies as st

import router.app
from router.errors import InvalidRequestError
from router.providers.dialects import ADAPTERS
from router.rpc import codec
from router.values import Dialect
from router.wire.chat_request import ChatRequest
from tests.conformance.kit.anthropic_request import in_openai_words
from tests.conformance.kit.openai import payloads
from tests.conformance.kit.suite import Check, is_streamed
from tests.conformance.kit.suites import why_not
from tests.support.calls import DEPLOYMENT
from tests.support.corpus import WHY_SKIPPED, Exchange, everything
from tests.support.gateway import Gateway, gateway, row, write_list
from tests.support.openai_json import (
    EQUIVALENT,
    Json,
    load,
    message,
    params,
    plain,
    plain_params,
    some,
)
from tests.support.upstream import Connection, Request, Upstream, drip, reply, upstream
from trunkline.v1 import chat_service_pb2 as pb
from trunkline.v1 import chat_service_pb2_grpc as pb_grpc

PATHS: Final = {
    "chat": "/v1/chat/completions",
    "messages": "/v1/messages",
    "generate_content": "/v1beta/models/m:generateContent",
    "converse": "/model/m/converse",
    "chat_native": "/v2/chat",
}
"""Ends of handles, by the kind of exchange: they tell the dialect."""

PLAIN: Final[Json] = {"messages": [{"role": "user", "content": "Hi"}]}

RECORDED = {e.id: e for e in everything() if e.kind in PATHS and not why_not(e, Check.TYPED)}

needs_corpus = pytest.mark.skipif(not RECORDED, reason=WHY_SKIPPED)


@dataclass
class Told:
    """What a caller was told: chunks or one completion, or the failure that came instead or after."""

    chunks: list[Json] = field(default_factory=list)
    message: str | None = None
    code: str | None = None
    reason: str | None = None
    dropped: str | None = None


async def replay(request: Request, connection: Connection) -> None:
    recorded = RECORDED[request.target.split("/")[1]]
    if recorded.status == 200 and is_streamed(recorded):
        await drip(recorded.body)(request, connection)
    else:
        kept = {n.replace("-", "_"): v for n, v in recorded.headers.items() if n == "retry-after"}
        await reply(recorded.body, recorded.status, **kept)(request, connection)


@dataclass
class Faces:
    """One gateway by both of its faces, and the provider behind it."""

    gateway: Gateway
    provider: Upstream
    typed: Any


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def faces(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Faces]:
    path: Path = tmp_path_factory.mktemp("parity")
    rows = [row(e.id, f"/corpus/{e.id}{PATHS[e.kind]}") for e in RECORDED.values()]
    environ = {"MODEL_LIST_URL": write_list(path / "models.json", rows)}
    environ["TRUNKLINE_PROVIDERS__CORPUS__API_KEY"] = "canary-of-the-upstream"
    environ["TRUNKLINE_RETRIES"] = "0"
    async with upstream(replay) as provider:
        environ["TRUNKLINE_PROVIDERS__CORPUS__BASE_URL"] = provider.url
        async with AsyncExitStack() as stack:
            with pytest.MonkeyPatch.context() as patch:
                # Both callers ask in the same second: answers without a time of their own tell that of ours.
                clock = SimpleNamespace(time=lambda: 1_700_000_000.5, monotonic=time.monotonic)
                patch.setattr(router.app, "time", clock)
                started = await stack.enter_async_context(gateway(path, environ))
            target = grpc.aio.insecure_channel(started.grpc)
            channel = await stack.enter_async_context(target)
            yield Faces(started, provider, pb_grpc.ChatServiceStub(channel))


def asked_of(recorded: Exchange) -> Json:
    asked = PLAIN
    if recorded.kind == "chat":
        asked = {**PLAIN, **recorded.asked}
    elif recorded.kind == "messages" and recorded.asked and recorded.status == 200:
        asked = in_openai_words(recorded.asked)
    return {
        **asked,
        "model": recorded.id,
        "stream": recorded.status == 200 and is_streamed(recorded),
    }


async def over_http(faces: Faces, request: Json) -> Told:
    status, headers, body = await faces.gateway.post(request)
    told = Told(dropped=headers.get("x-trunkline-dropped-params"))
    is_stream = status == 200 and request["stream"]
    for payload in payloads(body) if is_stream else [body]:
        if payload == b"[DONE]":
            continue
        said = json.loads(payload)
        if status != 200 or (is_stream and not said.get("choices") and "error" in said):
            told.message, told.code = said["error"]["message"], said["error"].get("code")
        else:
            told.chunks.append(same(payload, is_stream=is_stream))
    return told


async def over_grpc(faces: Faces, request: Json) -> Told:
    params = codec.params_from_json(json.dumps(request).encode())
    told = Told()
    try:
        if request["stream"]:
            stream = faces.typed.StreamChatCompletion(pb.StreamChatCompletionRequest(params=params))
            async for chunk in stream:
                payload = codec.chunk_to_json(chunk.chunk)
                told.chunks.append(same(payload, is_stream=True))
            told.dropped = dropped_in(await stream.initial_metadata())
        else:
            call = faces.typed.CreateChatCompletion(pb.CreateChatCompletionRequest(params=params))
            payload = codec.completion_to_json((await call).completion)
            told.chunks.append(same(payload, is_stream=False))
            told.dropped = dropped_in(await call.initial_metadata())
    except grpc.aio.AioRpcError as exc:
        info = info_of(exc)
        told.message, told.code, told.reason = exc.details(), info.metadata.get("code"), info.reason
        told.dropped = dropped_in(exc.initial_metadata()) or dropped_in(exc.trailing_metadata())
    return told


def dropped_in(metadata: Any) -> str | None:
    found: str | None = dict(metadata or ()).get("x-trunkline-dropped-params")
    return found


def info_of(exc: grpc.aio.AioRpcError) -> ErrorInfo:
    status = Status()
    status.ParseFromString(dict(exc.trailing_metadata())["grpc-status-details-bin"])
    info = ErrorInfo()
    status.details[0].Unpack(info)
    return info


def same(payload: bytes, *, is_stream: bool) -> Json:
    said = plain(load(payload), EQUIVALENT["chunk" if is_stream else "completion"])
    # A digest of the very bytes sent, where the provider has none of its own.
    return {key: value for key, value in said.items() if key != "id"}


@needs_corpus
@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("recorded", RECORDED.values(), ids=lambda e: f"{e.provider}/{e.kind}/{e}")
async def test_both_faces_say_the_same(faces: Faces, recorded: Exchange) -> None:
    request = asked_of(recorded)
    faces.provider.requests.clear()

    http = await over_http(faces, request)
    typed = await over_grpc(faces, request)

    first, second = (plain_params(load(sent.body)) for sent in faces.provider.requests)
    assert first == second
    assert typed.chunks == http.chunks
    assert typed.message == http.message
    assert (typed.reason is None) == (http.message is None)
    assert typed.code is None or typed.code == str(http.code)
    assert typed.dropped == http.dropped


def encoded(dialect: Dialect, body: bytes) -> Json:
    """What a provider is asked for by a request body, or why it is refused."""
    try:
        request = ChatRequest.parse(body, created=0)
        exchange = ADAPTERS[dialect](request, DEPLOYMENT)
    except InvalidRequestError as exc:
        return ("refused", exc.param)
    body = exchange.http.body
    return ("asked", exchange.http.url, plain_params(load(body)), sorted(exchange.dropped))


def typed_body(body: bytes) -> bytes:
    given = codec.params_from_json(body)
    return codec.params_to_json(given, stream=json.loads(body).get("stream") is True)


@pytest.mark.parametrize("dialect", list(ADAPTERS))
@settings(max_examples=300)
@given(value=params, messages=some(message), model=st.sampled_from(["m", "ü"]))
def test_any_request_asks_the_same_by_both_faces(
    dialect: Dialect, value: Json, messages: Json, model: str
) -> None:
    # What the codec writes for absence is its own rule, and tested with it.
    request = {**value, "model": model, "messages": messages}
    for _ in ("nulls go", "what is written for them comes"):
        request = plain(request, EQUIVALENT["params"])
    body = json.dumps(request).encode()

    assert encoded(dialect, typed_body(body)) == encoded(dialect, body)
