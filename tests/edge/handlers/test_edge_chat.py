import json
from collections.abc import AsyncIterator
from io import BytesIO

import aiohttp
import pytest
from grpc import StatusCode

from tests.edge.fake_router import Failure, FakeRouter
from tests.edge.running_edge import RawClient, RunningEdge, StartEdge
from trunkline.v1.forward_service_pb2 import ForwardRequest

PATH = "/v1/chat/completions"
STREAM = b'{"stream":true}'
JSON = {"content-type": "application/json"}
MIB = 1024 * 1024


async def post(
    http: aiohttp.ClientSession, edge: RunningEdge, body: bytes, **headers: str
) -> tuple[int, bytes]:
    sent = {"content-type": "application/json"}
    sent.update({name.replace("_", "-"): value for name, value in headers.items()})
    async with http.post(edge.url + PATH, data=BytesIO(body), headers=sent) as response:
        return response.status, await response.read()


def code_of(body: bytes) -> str | None:
    code: str | None = json.loads(body)["error"]["code"]
    return code


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m",  "x": 1.0, "big": 12345678901234567890}\n',
        b"",
        b"not json",
        b'{"a":"\xff"}',
        b"[" * 100_000,
    ],
    ids=lambda body: repr(body[:20]),
)
async def test_the_body_goes_to_the_router_as_it_came_for_it_is_the_judge(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter, body: bytes
) -> None:
    router.will_answer(b'{"id":"1"}')

    assert await post(http, edge, body) == (200, b'{"id":"1"}')
    assert router.seen[0].request == ForwardRequest(method="POST", path=PATH, body=body)


async def test_a_body_in_many_pieces_arrives_as_one(edge: RunningEdge, router: FakeRouter) -> None:
    router.will_answer()
    client = await RawClient.connect(edge)
    await client.send(
        f"POST {PATH} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    )
    body = json.dumps({"text": "x" * 200_000}).encode()
    for start in range(0, len(body), 7001):
        piece = body[start : start + 7001]
        await client.send(b"%x\r\n%b\r\n" % (len(piece), piece))
    await client.send(b"0\r\n\r\n")

    assert (await client.read_answer()).status == 200
    assert router.seen[0].request.body == body
    client.leave()


async def test_a_body_at_the_limit_passes_and_one_byte_more_does_not(
    start_edge: StartEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    edge = await start_edge(max_body_bytes=1000)
    router.will_answer()

    assert (await post(http, edge, b"x" * 1000))[0] == 200
    status, body = await post(http, edge, b"x" * 1001)
    assert status == 413
    assert b"1000 bytes" in body
    assert len(router.seen) == 1


async def test_a_length_over_the_limit_is_refused_before_the_body_comes(
    edge: RunningEdge,
) -> None:
    client = await RawClient.connect(edge)
    await client.post(b"{", length=10**12)

    answer = await client.read_answer()

    assert answer.status == 413
    assert answer.headers["connection"] == "close"
    assert code_of(answer.body) is None
    client.leave()


@pytest.mark.parametrize("length", ["9" * 30, "9" * 5000])
async def test_a_length_that_is_no_machine_number_is_malformed(
    edge: RunningEdge, length: str
) -> None:
    client = await RawClient.connect(edge)
    await client.send(
        f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n".encode()
    )

    assert (await client.read_answer()).status == 400
    client.leave()


async def test_a_client_that_sends_all_of_a_huge_body_reads_the_answer(
    start_edge: StartEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    edge = await start_edge(max_body_bytes=MIB)

    status, body = await post(http, edge, b"x" * 32 * MIB)

    assert status == 413
    assert code_of(body) is None
    assert router.seen == []


async def test_a_chunked_body_over_the_limit_is_refused_while_it_comes(
    start_edge: StartEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    edge = await start_edge(max_body_bytes=MIB)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(32):
            yield b"x" * MIB

    async with http.post(edge.url + PATH, data=pieces(), headers=JSON) as response:
        assert response.status == 413
        assert response.headers["connection"] == "close"
        assert code_of(await response.read()) is None
    assert router.seen == []
    assert await edge.app._in_flight.wait_empty(10)


async def test_after_a_refusal_the_connection_is_kept_for_a_while_only(
    edge: RunningEdge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.handlers.base.LINGER_SECONDS", 0.05)
    client = await RawClient.connect(edge)
    await client.post(b"{", length=10**12)

    assert (await client.read_answer()).status == 413
    assert await client.is_closed_by_peer()
    assert await edge.app._in_flight.wait_empty(10)
    client.leave()


async def test_and_for_so_many_bytes_only(
    edge: RunningEdge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.handlers.base.LINGER_BYTES", 1000)
    client = await RawClient.connect(edge)
    await client.post(b"x" * 2000, length=10**12)

    assert (await client.read_answer()).status == 413
    assert await client.is_closed_by_peer()
    client.leave()


async def test_one_chunk_that_claims_too_much_is_refused_at_the_limit(
    start_edge: StartEdge,
) -> None:
    edge = await start_edge(max_body_bytes=100)
    client = await RawClient.connect(edge)
    head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    await client.send(head + b"ffffffffff\r\n" + b"x" * 200)

    assert (await client.read_answer()).status == 413
    client.leave()


async def test_who_asks_before_sending_is_told_to_go_on_or_why_not(
    start_edge: StartEdge, router: FakeRouter
) -> None:
    edge = await start_edge(max_body_bytes=100)
    router.will_answer()
    client = await RawClient.connect(edge)

    await client.post(b"", "expect: 100-continue", length=2)
    assert (await client.read_head()).status == 100
    await client.send(b"{}")
    assert (await client.read_answer()).status == 200

    await client.post(b"", "expect: 100-continue", length=101)
    assert (await client.read_answer()).status == 413
    client.leave()


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": "text/plain"},
        {"content_type": "application/x-www-form-urlencoded"},
        {"content_type": "multipart/form-data; boundary=x"},
        {"content_type": "application/json; charset=utf-16"},
        {"content_encoding": "gzip"},
    ],
)
async def test_a_body_in_another_form_is_a_415(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter, headers: dict[str, str]
) -> None:
    status, body = await post(http, edge, b"{}", **headers)

    assert status == 415
    assert json.loads(body)["error"]["type"] == "invalid_request_error"
    assert router.seen == []


async def test_a_body_without_a_type_is_accepted_unless_a_page_sends_it(
    edge: RunningEdge, router: FakeRouter
) -> None:
    router.will_answer()
    client = await RawClient.connect(edge)

    await client.post(b"{}")
    assert (await client.read_answer()).status == 200
    await client.post(b"{}", "origin: https://evil.example")
    assert (await client.read_answer()).status == 415
    client.leave()


async def test_a_failure_carries_its_status_headers_and_time_to_wait(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    headers = (("x-trunkline-attempts", "3"), ("x-trunkline-provider", "demo"))
    router.will_fail(
        Failure(
            StatusCode.RESOURCE_EXHAUSTED,
            "RATE_LIMIT_EXCEEDED",
            "Slow down.",
            retry_seconds=6.2,
            headers=headers,
        )
    )

    async with http.post(edge.url + PATH, json={}) as response:
        error = (await response.json())["error"]

    assert response.status == 429
    assert response.headers["retry-after"] == "7"
    assert response.headers["x-trunkline-attempts"] == "3"
    assert error["type"] == "rate_limit_error"
    assert error["code"] == "rate_limit_exceeded"


async def test_without_a_router_the_answer_is_503_and_names_no_address(
    start_edge: StartEdge, http: aiohttp.ClientSession
) -> None:
    edge = await start_edge(router_target="127.0.0.1:1")

    for body in (b"{}", STREAM):
        async with http.post(edge.url + PATH, data=body, headers=JSON) as response:
            text = await response.read()
            assert response.status == 503
            assert response.headers["retry-after"] == "1"
            assert code_of(text) == "no_healthy_deployment"
            assert b"127.0.0.1" not in text
