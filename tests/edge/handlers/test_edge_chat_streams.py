import json
from collections.abc import AsyncIterator

import aiohttp
from grpc import StatusCode

from tests.edge.fake_router import Context, Failure, FakeRouter, Stall, chunks
from tests.edge.running_edge import RawClient, RunningEdge, StartEdge, soon
from trunkline.v1.forward_service_pb2 import ForwardRequest, ForwardStreamResponse

PATH = "/v1/chat/completions"
STREAM = b'{"stream":true}'
JSON = {"content-type": "application/json"}
MIB = 1024 * 1024


async def read_stream(
    http: aiohttp.ClientSession, edge: RunningEdge, **headers: str
) -> tuple[int, bytes]:
    sent = {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
    async with http.post(edge.url + PATH, data=STREAM, headers=sent) as response:
        return response.status, await response.read()


def code_of(body: bytes) -> str | None:
    code: str | None = json.loads(body)["error"]["code"]
    return code


async def test_a_stream_is_framed_and_ends_with_the_mark_of_the_router(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    router.will_stream(
        chunks(b'{"a":1}', b'{"b":\n2}'),
        chunks(b'{"c":3}', done=True),
        x_trunkline_provider="demo",
        x_secret="s",
    )

    async with http.post(edge.url + PATH, data=STREAM, headers=JSON) as response:
        body = await response.read()

    assert response.status == 200
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-accel-buffering"] == "no"
    assert response.headers["x-trunkline-provider"] == "demo"
    assert "x-secret" not in response.headers
    assert body == b'data: {"a":1}\n\ndata: {"b":\ndata: 2}\n\ndata: {"c":3}\n\ndata: [DONE]\n\n'
    assert router.seen[0].rpc == "ForwardStream"
    assert router.seen[0].request == ForwardRequest(method="POST", path=PATH, body=STREAM)


async def test_without_the_mark_of_the_router_there_is_none(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    router.will_stream(chunks(b"{}"))

    assert await read_stream(http, edge) == (200, b"data: {}\n\n")


async def test_a_stream_of_nothing_is_an_empty_200(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    router.will_stream()

    assert await read_stream(http, edge) == (200, b"")


async def test_the_chunks_of_one_message_leave_in_one_write(
    edge: RunningEdge, router: FakeRouter
) -> None:
    stall = Stall(chunks(b"1", b"2", b"3"))
    router.stream = stall.stream
    client = await RawClient.connect(edge)
    await client.post(STREAM)

    await client.read_head()
    size = int(await soon(client.reader.readline()), 16)

    assert await soon(client.reader.readexactly(size)) == b"data: 1\n\ndata: 2\n\ndata: 3\n\n"
    client.leave()


async def test_a_chunk_is_passed_on_while_the_next_one_is_waited_for(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    stall = Stall(chunks(b"{}"))
    router.stream = stall.stream

    async with http.post(edge.url + PATH, data=STREAM, headers=JSON) as response:
        assert await response.content.readuntil(b"\n\n") == b"data: {}\n\n"
        assert not stall.release.is_set()
        stall.release.set()
        assert await response.content.read() == b"data: [DONE]\n\n"


async def test_a_failure_before_the_first_message_is_an_http_failure(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    router.will_fail(Failure(StatusCode.NOT_FOUND, "MODEL_NOT_FOUND", "No such model."))

    status, body = await read_stream(http, edge)

    assert status == 404
    assert code_of(body) == "model_not_found"


class Cut:
    """A stream that fails behind its messages."""

    def __init__(self, *messages: ForwardStreamResponse, failure: Failure) -> None:
        self.messages = messages
        self.failure = failure

    async def stream(
        self, request: ForwardRequest, context: Context
    ) -> AsyncIterator[ForwardStreamResponse]:
        for message in self.messages:
            yield message
        await self.failure.abort(context)


TRUNCATED = Failure(StatusCode.UNAVAILABLE, "UPSTREAM_TRUNCATED", "The answer broke off.")


async def test_a_failure_after_content_is_one_frame_and_no_mark(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    router.stream = Cut(chunks(b'{"a":1}'), failure=TRUNCATED).stream

    status, body = await read_stream(http, edge)

    first, last, rest = body.split(b"\n\n")
    assert status == 200
    assert first == b'data: {"a":1}'
    assert json.loads(last.removeprefix(b"data: ")) == {
        "error": {
            "message": "The answer broke off.",
            "type": "api_error",
            "param": None,
            "code": "upstream_truncated",
        }
    }
    assert rest == b""


async def test_a_failure_after_the_mark_is_not_told(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    router.stream = Cut(chunks(b"{}", done=True), failure=TRUNCATED).stream

    assert await read_stream(http, edge) == (200, b"data: {}\n\ndata: [DONE]\n\n")


async def test_a_deadline_that_passes_amid_a_stream_is_a_frame(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    router.stream = Stall(chunks(b"{}")).stream

    status, body = await read_stream(http, edge, x_trunkline_timeout="0.3")

    assert status == 200
    assert code_of(body.removeprefix(b"data: {}\n\ndata: ")) == "timeout"


async def test_a_router_that_dies_amid_a_stream_is_a_cut_answer(
    start_edge: StartEdge, http: aiohttp.ClientSession
) -> None:
    stall = Stall(chunks(b"{}"))
    mortal = FakeRouter(stream=stall.stream)
    server = await mortal.start()
    edge = await start_edge(router_target=f"127.0.0.1:{mortal.port}")

    async with http.post(edge.url + PATH, data=STREAM, headers=JSON) as response:
        await response.content.readuntil(b"\n\n")
        await server.stop(None)
        rest = await response.content.read()

    assert code_of(rest.removeprefix(b"data: ")) == "upstream_truncated"
    assert b"[DONE]" not in rest


async def test_a_stream_to_http_1_0_ends_with_its_connection(
    edge: RunningEdge, router: FakeRouter
) -> None:
    router.will_stream(chunks(b"{}", done=True))
    client = await RawClient.connect(edge)
    length = len(STREAM)
    await client.send(
        f"POST {PATH} HTTP/1.0\r\nconnection: keep-alive\r\ncontent-length: {length}\r\n\r\n".encode()
        + STREAM
    )

    answer = await client.read_head()

    assert "transfer-encoding" not in answer.headers
    assert await client.read_rest() == b"data: {}\n\ndata: [DONE]\n\n"
    client.leave()


async def test_a_connection_serves_a_stream_and_then_more(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    router.will_stream(chunks(b"{}", done=True))
    router.will_answer()

    for body in (STREAM, b"{}", STREAM):
        async with http.post(edge.url + PATH, data=body, headers=JSON) as response:
            assert response.status == 200
            await response.read()
