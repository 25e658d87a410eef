"""Disconnects reach the provider, silence of a reader stops the flow, and no ending is forged."""

import asyncio
import json
from pathlib import Path
from typing import Any

import grpc
import openai
import pytest

from tests.support.gateway import MESSAGES
from tests.support.one_provider import (
    CONTENT,
    DONE,
    FINISH,
    PATIENCE,
    ROLE,
    error_of,
    request,
    running,
)
from tests.support.upstream import (
    Connection,
    Request,
    Script,
    Upstream,
    drip,
    hang,
    hang_up,
    reply,
    reset,
)
from trunkline.v1 import chat_service_pb2 as chat
from trunkline.v1 import chat_service_pb2_grpc as chat_grpc


async def send_raw(
    gateway_url: str, body: dict[str, object]
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = gateway_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    data = json.dumps(body).encode()
    head = [
        "POST /v1/chat/completions HTTP/1.1",
        "host: x",
        "content-type: application/json",
        f"content-length: {len(data)}",
    ]
    writer.write("\r\n".join([*head, "", ""]).encode() + data)
    await writer.drain()
    return reader, writer


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_before_the_first_byte_ends_the_upstream_request(
    tmp_path: Path, *, stream: bool
) -> None:
    async with running(tmp_path, hang) as (started, provider):
        _, writer = await send_raw(started.url, request(stream=stream))
        await asyncio.wait_for(provider.arrived.wait(), PATIENCE)
        writer.close()

        await asyncio.wait_for(provider.left.wait(), PATIENCE)


async def test_a_client_that_leaves_in_mid_stream_ends_the_upstream_request(tmp_path: Path) -> None:
    async with running(tmp_path, drip(ROLE, CONTENT, then=hang)) as (started, provider):
        reader, writer = await send_raw(started.url, request(stream=True))
        await asyncio.wait_for(reader.readuntil(b'"hi"'), PATIENCE)
        writer.close()

        await asyncio.wait_for(provider.left.wait(), PATIENCE)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_grpc_caller_that_cancels_ends_the_upstream_request(
    tmp_path: Path, *, stream: bool
) -> None:
    async with (
        running(tmp_path, hang) as (started, provider),
        grpc.aio.insecure_channel(started.grpc) as channel,
    ):
        stub = chat_grpc.ChatServiceStub(channel)
        params = chat.ChatCompletionParams(
            model="m", messages=[chat.ChatMessage(role="user", content="hi")]
        )
        call: Any
        if stream:
            call = stub.StreamChatCompletion(chat.StreamChatCompletionRequest(params=params))
            reading = asyncio.ensure_future(call.read())
        else:
            call = stub.CreateChatCompletion(chat.CreateChatCompletionRequest(params=params))
            reading = asyncio.ensure_future(_result(call))
        await asyncio.wait_for(provider.arrived.wait(), PATIENCE)
        call.cancel()

        await asyncio.wait_for(provider.left.wait(), PATIENCE)
        with pytest.raises(asyncio.CancelledError):
            await reading


async def _result(call: Any) -> Any:
    return await call


async def test_a_client_that_stops_reading_stops_the_provider(tmp_path: Path) -> None:
    size = 64 * 1024
    flood = b'data: {"choices":[{"index":0,"delta":{"content":"' + b"x" * size + b'"}}]}\n\n'
    wanted = 100 * 1024 * 1024

    async def flooding(request: Request, connection: Connection) -> None:
        await connection.head(200, {"content-type": "text/event-stream"})
        while connection.sent < wanted:
            await connection.chunk(flood)
        await connection.chunk(FINISH + DONE)
        await connection.end()

    async with running(tmp_path, flooding) as (started, provider):
        reader, writer = await send_raw(started.url, request(stream=True))
        await asyncio.wait_for(reader.readuntil(b"data:"), PATIENCE)
        stalled = await _stalled(provider)
        assert stalled < wanted / 4

        read = 0
        while data := await asyncio.wait_for(reader.read(1 << 20), PATIENCE):
            read += len(data)
            if data.endswith(b"0\r\n\r\n"):
                break
        writer.close()

    assert read > wanted


async def _stalled(provider: Upstream) -> int:
    """Wait until the provider has been unable to send anything more for many turns of the loop."""
    connection, quiet = provider.connections[0], 0
    sent = connection.sent
    while quiet < 50:
        await asyncio.sleep(0.01)
        quiet = quiet + 1 if connection.sent == sent else 0
        sent = connection.sent
    return sent


@pytest.mark.parametrize("end", [hang_up, reset])
async def test_a_stream_that_breaks_off_after_content_ends_with_an_error_frame_and_no_end_mark(
    tmp_path: Path, end: Script
) -> None:
    async with running(tmp_path, drip(ROLE, CONTENT, then=end)) as (started, _):
        status, _, body = await started.post(request(stream=True))

    frames = [part for part in body.split(b"\n\n") if part]
    assert status == 200
    assert json.loads(frames[-1].removeprefix(b"data: "))["error"]["code"] == "upstream_truncated"
    assert b"[DONE]" not in body


@pytest.mark.parametrize("script", [drip(ROLE, then=hang_up), drip(ROLE, then=reset), drip()])
async def test_a_stream_that_breaks_off_before_content_is_an_http_error(
    tmp_path: Path, script: Script
) -> None:
    async with running(tmp_path, script) as (started, _):
        status, _, body = await started.post(request(stream=True))

    assert status == 502
    assert json.loads(body)["error"]["code"] == "upstream_truncated"


@pytest.mark.parametrize(
    ("script", "stream", "status", "code"),
    [
        (reply(b"<html>"), False, 502, "upstream_unavailable"),
        (reply(b"<html>"), True, 502, "upstream_unavailable"),
        # Bytes that are no event stream and do not say that they are JSON: a stream without an end.
        (reply(b"<html>", content_type="text/html"), False, 502, "upstream_unavailable"),
        (reply(b"<html>", content_type="text/html"), True, 502, "upstream_truncated"),
        (reply(b"{"), False, 502, "upstream_unavailable"),
        (reply(b"{"), True, 502, "upstream_unavailable"),
        (reply(b"", 302, location="/x"), False, 502, "upstream_unavailable"),
        (reply(b"", 302, location="/x"), True, 502, "upstream_unavailable"),
        (hang_up, False, 502, "upstream_unavailable"),
        (hang_up, True, 502, "upstream_unavailable"),
        (reset, False, 502, "upstream_unavailable"),
        (reset, True, 502, "upstream_unavailable"),
        (reply({"error": {"message": "m"}}, 503), False, 503, "overloaded"),
        (reply({"error": {"message": "m"}}, 503), True, 503, "overloaded"),
        (reply({"error": {"message": "m"}}, 504), False, 504, "timeout"),
        (reply({"error": {"message": "m"}}, 504), True, 504, "timeout"),
    ],
)
async def test_whatever_a_provider_does_the_caller_gets_a_clear_error(
    tmp_path: Path, script: Script, stream: bool, status: int, code: str
) -> None:
    async with running(tmp_path, script) as (started, _):
        got, headers, body = await started.post(request(stream=stream))

    assert (got, error_of(body)["code"]) == (status, code)
    assert ("retry-after" in headers) == (status == 503)


async def test_a_deadline_of_the_caller_is_kept(tmp_path: Path) -> None:
    async with running(tmp_path, hang) as (started, provider):
        status, _, body = await started.post(request(stream=False), x_trunkline_timeout="0.2")
        await asyncio.wait_for(provider.left.wait(), PATIENCE)

    assert (status, json.loads(body)["error"]["code"]) == (504, "timeout")


async def test_a_silent_provider_meets_the_first_token_timeout(tmp_path: Path) -> None:
    async with running(tmp_path, drip(ROLE, then=hang), TRUNKLINE_TIMEOUTS__FIRST_TOKEN="0.2") as (
        started,
        provider,
    ):
        with pytest.raises(openai.APIStatusError) as caught:
            await started.sdk().chat.completions.create(model="m", messages=MESSAGES, stream=True)
        await asyncio.wait_for(provider.left.wait(), PATIENCE)

    assert caught.value.status_code == 504


async def test_the_gateway_lives_on_after_every_kind_of_bad_input(tmp_path: Path) -> None:
    bodies: list[bytes] = [
        b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 200_000, b'{"model":' * 50_000,
        b'{"model":"m","messages":[],"messages":1}', b'{"model":"m","model":"n","messages":[]}',
        b'{"model":"../../etc/passwd","messages":[]}', b'{"model":"m\\u0000","messages":[]}',
        b'{"model":"m","messages":[{}],"stream":"yes"}', b'{"model":"m","messages":[],"x":NaN}',
    ]  # fmt: skip
    async with running(tmp_path, reply({"choices": []})) as (started, _):
        for body in bodies:
            status, _, answer = await started.post(body)
            assert status in (400, 404), body[:50]
            assert json.loads(answer)["error"].keys() >= {"message", "type", "param", "code"}
        assert (await started.post(request(stream=False)))[0] == 200
