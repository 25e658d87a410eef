import aiohttp
import pytest

from tests.edge.fake_router import FakeRouter
from tests.edge.running_edge import RunningEdge
from trunkline.v1.forward_service_pb2 import ForwardRequest

PATH = "/v1/embeddings"
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("body", [b'{"model":"m","input":[1.0]}\n', b"", b'{"stream":true}'])
async def test_a_body_goes_to_the_router_as_it_came_and_never_streams(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter, body: bytes
) -> None:
    router.will_answer(b'{"object":"list"}')

    async with http.post(edge.url + PATH, data=body, headers=JSON) as response:
        assert response.status == 200
        assert response.headers["content-type"] == "application/json"
        assert await response.read() == b'{"object":"list"}'
    assert router.seen[0].request == ForwardRequest(method="POST", path=PATH, body=body)


async def test_a_body_that_is_not_json_by_its_type_is_refused_as_for_chat(
    edge: RunningEdge, http: aiohttp.ClientSession, router: FakeRouter
) -> None:
    headers = {"content-type": "text/xml"}
    async with http.post(edge.url + PATH, data=b"x", headers=headers) as response:
        assert response.status == 415
    assert not router.seen
