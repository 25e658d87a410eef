import aiohttp
import pytest
from grpc import StatusCode
from yarl import URL

from tests.edge.fake_router import Failure, FakeRouter
from tests.edge.running_edge import RawClient, RunningEdge


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models",
        "/v1/models/gpt-4o",
        "/v1/models/accounts/fireworks/models/llama-v3",
        "/v1/models/accounts%2Ffireworks%2Fmodels%2Fllama",
        "/v1/models/a%20b%25c",
        "/v1/models/%ff%00",
        "/v1/models/../../etc/passwd",
        "/v1/models/..%2f..%2fetc%2fpasswd",
        "/v1/models//double//",
        "/v1/models/a;b=c:d@e!f'g",
        "/v1/models/" + "x" * 5000,
    ],
)
async def test_the_path_goes_to_the_router_as_it_came(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter, path: str
) -> None:
    router.will_answer(b'{"id":"m"}')

    async with http.get(URL(edge.url + path, encoded=True)) as response:
        assert response.status == 200
        assert await response.read() == b'{"id":"m"}'

    assert router.seen[0].request.method == "GET"
    assert router.seen[0].request.path == path
    assert router.seen[0].request.body == b""


async def test_bytes_that_no_url_may_hold_are_encoded(
    edge: RunningEdge, router: FakeRouter
) -> None:
    router.will_answer()
    client = await RawClient.connect(edge)
    await client.send("GET /v1/models/café HTTP/1.1\r\nhost: x\r\n\r\n".encode())

    assert (await client.read_answer()).status == 200
    assert router.seen[0].request.path == "/v1/models/caf%C3%A9"
    client.leave()


async def test_the_query_stays_here(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    router.will_answer()

    async with http.get(edge.url + "/v1/models?limit=1"):
        pass

    assert router.seen[0].request.path == "/v1/models"


async def test_an_unknown_model_is_a_404_in_the_routers_words(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    words = "The model `no/such` does not exist."
    router.will_fail(Failure(StatusCode.NOT_FOUND, "MODEL_NOT_FOUND", words, {"param": "model"}))

    async with http.get(edge.url + "/v1/models/no/such") as response:
        error = (await response.json())["error"]

    assert response.status == 404
    assert error == {
        "message": words,
        "type": "invalid_request_error",
        "param": "model",
        "code": "model_not_found",
    }
