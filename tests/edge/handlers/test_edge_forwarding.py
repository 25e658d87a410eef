import aiohttp
import pytest

from tests.edge.fake_router import FakeRouter, Stall
from tests.edge.running_edge import RawClient, RunningEdge, StartEdge

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_credential_trace_and_strictness_reach_the_router(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    router.will_answer()
    headers = {
        "authorization": "Bearer key",
        "traceparent": TRACEPARENT,
        "x-trunkline-strict": "true",
        "cookie": "a=b",
    }

    async with http.get(edge.url + "/v1/models", headers=headers):
        pass

    sent = router.seen[0].metadata
    assert sent["authorization"] == "Bearer key"
    assert sent["traceparent"] == TRACEPARENT
    assert sent["x-trunkline-strict"] == "true"
    assert sent["x-trunkline-trailing"] == "true"
    assert "cookie" not in sent


@pytest.mark.parametrize("credential", [b"Bearer caf\xc3\xa9", b"Bearer \xff", b"B" * 20_000])
async def test_a_credential_that_cannot_travel_is_left_out_for_the_router_to_judge(
    edge: RunningEdge, router: FakeRouter, credential: bytes
) -> None:
    router.will_answer()
    client = await RawClient.connect(edge)
    await client.send(
        b"GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: " + credential + b"\r\n\r\n"
    )

    assert (await client.read_answer()).status == 200
    assert "authorization" not in router.seen[0].metadata
    client.leave()


@pytest.mark.parametrize("tells_last", [True, False], ids=["behind it", "in front of it"])
async def test_the_answer_keeps_body_type_and_listed_headers(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter, *, tells_last: bool
) -> None:
    router.tells_last = tells_last
    router.will_answer(
        b" {}\n",
        "application/json; charset=utf-8",
        x_trunkline_provider="demo",
        x_trunkline_cost_usd="0.001",
        server_timing="upstream;dur=12",
        x_ratelimit_remaining="9",
    )

    async with http.get(edge.url + "/v1/models") as response:
        assert await response.read() == b" {}\n"
        assert response.headers["content-type"] == "application/json; charset=utf-8"
        assert response.headers["x-trunkline-provider"] == "demo"
        assert response.headers["x-trunkline-cost-usd"] == "0.001"
        assert response.headers["server-timing"] == "upstream;dur=12"
        assert "x-ratelimit-remaining" not in response.headers


async def test_a_content_type_that_is_no_header_value_is_replaced(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    router.will_answer(kind="text/html\r\nset-cookie: a=b")

    async with http.get(edge.url + "/v1/models") as response:
        assert response.headers["content-type"] == "application/json"
        assert "set-cookie" not in response.headers


async def test_the_deadline_is_the_callers_within_ours(
    start_edge: StartEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    edge = await start_edge(total_timeout=60.0)
    router.will_answer()
    for headers in ({}, {"x-trunkline-timeout": "5"}, {"x-trunkline-timeout": "500"}):
        async with http.get(edge.url + "/v1/models", headers=headers):
            pass

    ours, callers, bounded = (seen.seconds or 0 for seen in router.seen)
    assert 60 < ours < 63
    assert callers < 7
    assert 60 < bounded < 63


async def test_a_deadline_that_passes_is_a_504(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    router.answer = Stall().answer
    headers = {"x-trunkline-timeout": "0.05"}

    async with http.get(edge.url + "/v1/models", headers=headers) as response:
        assert response.status == 504
        assert (await response.json())["error"]["code"] == "timeout"


@pytest.mark.parametrize("asked", ["0", "-1", "nan", "soon", "1,2"])
async def test_a_deadline_that_is_none_is_a_400(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter, asked: str
) -> None:
    headers = {"x-trunkline-timeout": asked}

    async with http.get(edge.url + "/v1/models", headers=headers) as response:
        error = (await response.json())["error"]

    assert response.status == 400
    assert error["param"] == "x-trunkline-timeout"
    assert router.seen == []
