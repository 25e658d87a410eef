import contextlib
import json
from collections.abc import MutableMapping
from io import BytesIO
from typing import Any

import aiohttp
import pytest

from edge.handlers.base import DISCARD_BYTES
from tests.edge.fake_router import FakeRouter, Stall
from tests.edge.running_edge import RawClient, RunningEdge, StartEdge, soon

ORIGIN = "https://a.example"
PREFLIGHT = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}


def error_of(body: bytes) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/v1"),
        ("GET", "/v1/"),
        ("GET", "/v1/models/"),
        ("POST", "/v1/moderations"),
        ("POST", "/v1/chat/completions/"),
        ("DELETE", "/v1/files/1"),
        ("GET", "/static/../../etc/passwd"),
        ("GET", "/%00"),
        ("OPTIONS", "/nowhere"),
    ],
)
async def test_an_unknown_path_is_a_404_in_openais_shape(
    edge: RunningEdge, http: aiohttp.ClientSession, method: str, path: str
) -> None:
    async with http.request(method, edge.url + path) as response:
        error = error_of(await response.read())

    assert response.status == 404
    assert response.content_type == "application/json"
    assert error["type"] == "invalid_request_error"
    assert error["code"] is None


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/chat/completions", "POST"),
        ("PUT", "/v1/chat/completions", "POST"),
        ("HEAD", "/v1/chat/completions", "POST"),
        ("OPTIONS", "/v1/chat/completions", "POST"),
        ("POST", "/v1/models", "GET, HEAD"),
        ("DELETE", "/v1/models/a/b", "GET, HEAD"),
        ("POST", "/healthz", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_is_a_405_that_names_the_right_ones(
    edge: RunningEdge, http: aiohttp.ClientSession, method: str, path: str, allowed: str
) -> None:
    async with http.request(method, edge.url + path) as response:
        body = await response.read()

    assert response.status == 405
    assert response.headers["allow"] == allowed
    assert method == "HEAD" or error_of(body)["code"] is None


async def test_a_method_that_http_does_not_name_is_a_405_too(
    edge: RunningEdge, http: aiohttp.ClientSession
) -> None:
    async with http.request("PROPFIND", edge.url + "/v1/models") as response:
        assert response.status == 405
        assert error_of(await response.read())["type"] == "invalid_request_error"
        assert response.headers["allow"] == "GET, HEAD"
        assert response.headers["x-request-id"]


async def test_head_is_get_without_the_body(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    router.will_answer(b'{"data":[]}')

    async with http.head(edge.url + "/v1/models") as response:
        assert response.status == 200
        assert response.headers["content-length"] == "11"
        assert await response.read() == b""


async def test_the_callers_request_id_comes_back_and_goes_to_the_router(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    router.will_answer()

    async with http.get(edge.url + "/v1/models", headers={"x-request-id": "mine 1"}) as response:
        assert response.headers["x-request-id"] == "mine 1"

    assert router.seen[0].metadata["x-request-id"] == "mine 1"


async def test_an_unfit_request_id_is_replaced_in_both_directions(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    router.will_answer()

    async with http.get(edge.url + "/v1/models", headers={"x-request-id": "x" * 129}) as response:
        given = response.headers["x-request-id"]

    assert len(given) == 32
    assert router.seen[0].metadata["x-request-id"] == given


async def test_no_answer_says_what_serves_it(
    edge: RunningEdge, http: aiohttp.ClientSession
) -> None:
    for path in ("/healthz", "/nowhere"):
        async with http.get(edge.url + path) as response:
            assert "server" not in response.headers
            assert "etag" not in response.headers


async def test_a_preflight_is_granted_without_a_key_and_without_the_router(
    start_edge: StartEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    edge = await start_edge(cors_origins=(ORIGIN,))
    asked = {**PREFLIGHT, "Access-Control-Request-Headers": "authorization,content-type"}

    async with http.options(edge.url + "/v1/chat/completions", headers=asked) as response:
        assert response.status == 204
        assert response.headers["access-control-allow-origin"] == ORIGIN
        assert response.headers["access-control-allow-methods"] == "POST"
        assert response.headers["access-control-allow-headers"] == "authorization,content-type"
        assert response.headers["vary"] == "Origin"

    assert router.seen == []


async def test_a_foreign_origin_is_granted_nothing(
    start_edge: StartEdge, http: aiohttp.ClientSession
) -> None:
    edge = await start_edge(cors_origins=("https://b.example",))

    async with http.options(edge.url + "/v1/models", headers=PREFLIGHT) as response:
        assert response.status == 204
        assert not [name for name in response.headers if name.lower().startswith("access-control")]


async def test_answers_and_errors_can_be_read_by_an_allowed_page(
    start_edge: StartEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    edge = await start_edge(cors_origins=(ORIGIN,))
    router.will_answer()

    for path in ("/v1/models", "/nowhere", "/v1/chat/completions"):
        async with http.get(edge.url + path, headers={"Origin": ORIGIN}) as response:
            assert response.headers["access-control-allow-origin"] == ORIGIN
            assert "x-request-id" in response.headers["access-control-expose-headers"]


async def test_a_refusal_of_a_small_body_keeps_the_connection(edge: RunningEdge) -> None:
    client = await RawClient.connect(edge)
    for _ in range(2):
        await client.send(b"POST /no HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello")
        answer = await client.read_answer()

        assert answer.status == 404
        assert "connection" not in answer.headers
    client.leave()


async def test_a_refusal_of_a_large_body_is_read_before_the_connection_closes(
    edge: RunningEdge, http: aiohttp.ClientSession
) -> None:
    body = b"x" * 8 * DISCARD_BYTES

    async with http.post(edge.url + "/v1/moderations", data=BytesIO(body)) as response:
        assert response.status == 404
        assert response.headers["connection"] == "close"
        assert error_of(await response.read())["message"].startswith("Unknown URL")


async def test_a_body_where_none_belongs_is_dropped_and_bounded(
    edge: RunningEdge, http: aiohttp.ClientSession
) -> None:
    async with http.get(edge.url + "/healthz", data=BytesIO(b"x" * DISCARD_BYTES)) as response:
        assert response.status == 200
    async with http.get(
        edge.url + "/healthz", data=BytesIO(b"x" * (DISCARD_BYTES + 1))
    ) as response:
        assert response.status == 413


async def test_requests_in_a_row_and_in_a_heap_are_answered_in_order(edge: RunningEdge) -> None:
    client = await RawClient.connect(edge)
    paths = [b"/healthz", b"/nowhere", b"/healthz"]
    await client.send(b"".join(b"GET %b HTTP/1.1\r\nhost: x\r\n\r\n" % path for path in paths))

    assert [(await client.read_answer()).status for _ in paths] == [200, 404, 200]
    client.leave()


async def test_http_1_0_is_answered_and_closed(edge: RunningEdge) -> None:
    client = await RawClient.connect(edge)
    await client.send(b"GET /healthz HTTP/1.0\r\n\r\n")

    assert (await client.read_answer()).status == 200
    assert await client.is_closed_by_peer()
    client.leave()


@pytest.mark.parametrize(
    "request_",
    [
        b"NONSENSE\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"POST /no HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
    ids=lambda request: repr(request[:30]),
)
async def test_broken_framing_costs_its_connection_only(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter, request_: bytes
) -> None:
    client = await RawClient.connect(edge)
    # A head over the limit is not read to its end, which costs its sender a reset.
    with contextlib.suppress(ConnectionResetError):
        await client.send(request_)
        await client.read_rest()
    client.leave()

    async with http.get(edge.url + "/healthz") as response:
        assert response.status == 200
    assert router.seen == []


async def test_a_client_that_leaves_amid_its_body_is_forgotten(
    edge: RunningEdge, router: FakeRouter
) -> None:
    client = await RawClient.connect(edge)
    await client.post(b"", "expect: 100-continue", length=10)
    assert (await client.read_head()).status == 100
    await client.send(b"{")
    client.leave()

    assert await edge.app._in_flight.wait_empty(10)
    labels = {"route": "/v1/chat/completions", "status": "499"}
    assert edge.count("trunkline_edge_requests_total", **labels) == 1
    assert edge.count("trunkline_edge_requests_in_flight") == 0
    assert router.seen == []


async def test_what_no_router_has_seen_leaves_one_line(
    edge: RunningEdge,
    http: aiohttp.ClientSession,
    router: FakeRouter,
    logs: list[MutableMapping[str, Any]],
) -> None:
    router.will_answer()
    async with http.get(edge.url + "/nowhere", headers={"authorization": "Bearer s3cret"}):
        pass
    async with http.get(edge.url + "/v1/models"):
        pass

    assert len(logs) == 1
    assert logs[0]["event"] == "request_refused"
    assert logs[0]["path"] == "/nowhere"
    assert logs[0]["status"] == 404
    assert "s3cret" not in repr(logs)


async def test_every_answer_is_counted_by_route_and_status(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    router.will_answer()
    for path in ("/v1/models", "/v1/models/a", "/v1/models/b", "/nowhere", "/elsewhere"):
        async with http.get(edge.url + path):
            pass

    def count(route: str, status: str) -> float:
        return edge.count("trunkline_edge_requests_total", route=route, status=status)

    assert count("/v1/models", "200") == 1
    assert count("/v1/models/{id=**}", "200") == 2
    assert count("none", "404") == 2
    assert edge.count("trunkline_edge_requests_in_flight") == 0


@pytest.mark.parametrize("where", ["call_metadata", "call_timeout"])
async def test_the_unforeseen_is_a_500_and_a_traceback_in_the_log(
    where: str,
    edge: RunningEdge,
    http: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
    logs: list[MutableMapping[str, Any]],
) -> None:
    def burst(*_: object) -> None:
        raise RuntimeError("10.0.0.7 is on fire")

    monkeypatch.setattr(f"edge.handlers.forwarding.{where}", burst)
    async with http.get(edge.url + "/v1/models") as response:
        body = await response.read()

    assert response.status == 500
    assert error_of(body)["code"] == "internal_error"
    assert b"10.0.0.7" not in body
    failed = logs.pop(0)
    assert failed["event"] == "request_failed"
    assert failed["exc_info"]


async def test_a_stopped_edge_cuts_what_is_left_and_cancels_its_calls(
    edge: RunningEdge, router: FakeRouter
) -> None:
    stall = Stall()
    router.answer = stall.answer
    client = await RawClient.connect(edge)
    await client.post(b"{}")
    await soon(stall.entered.wait())

    await edge.app.close()

    await soon(stall.cancelled.wait())
    assert await client.is_closed_by_peer()
    client.leave()
