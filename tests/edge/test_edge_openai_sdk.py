import json
from collections.abc import AsyncIterator

import openai
import pytest
from grpc import StatusCode

from tests.edge.fake_router import Context, Failure, FakeRouter, Stall, chunks
from tests.edge.running_edge import RunningEdge, soon
from trunkline.v1.forward_service_pb2 import ForwardRequest, ForwardStreamResponse

COMPLETION = {
    "id": "c-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello!"},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}


def chunk(text: str) -> bytes:
    delta = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    body = {
        "id": "c-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [delta],
    }
    return json.dumps(body, indent=1).encode()


@pytest.fixture
async def sdk(edge: RunningEdge) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=edge.url + "/v1", api_key="key", max_retries=0, timeout=20
    ) as client:
        yield client


async def test_a_completion(sdk: openai.AsyncOpenAI, router: FakeRouter) -> None:
    router.will_answer(json.dumps(COMPLETION).encode())

    completion = await sdk.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "Hi"}]
    )

    assert completion.choices[0].message.content == "Hello!"
    assert completion._request_id == router.seen[0].metadata["x-request-id"]
    assert router.seen[0].metadata["authorization"] == "Bearer key"


async def test_a_stream(sdk: openai.AsyncOpenAI, router: FakeRouter) -> None:
    router.will_stream(chunks(chunk("Hel"), chunk("lo")), chunks(chunk("!"), done=True))

    stream = await sdk.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "Hi"}], stream=True
    )
    texts = [part.choices[0].delta.content async for part in stream]

    assert texts == ["Hel", "lo", "!"]


async def test_a_stream_that_is_left_cancels_the_call(
    sdk: openai.AsyncOpenAI, router: FakeRouter
) -> None:
    stall = Stall(chunks(chunk("Hel")))
    router.stream = stall.stream

    stream = await sdk.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "Hi"}], stream=True
    )
    async for _ in stream:
        break
    await stream.close()

    await soon(stall.cancelled.wait())


async def test_a_stream_that_breaks_off_raises(sdk: openai.AsyncOpenAI, router: FakeRouter) -> None:
    async def stream(
        request: ForwardRequest, context: Context
    ) -> AsyncIterator[ForwardStreamResponse]:
        yield chunks(chunk("Hel"))
        await Failure(StatusCode.UNAVAILABLE, "UPSTREAM_TRUNCATED", "Broke off.").abort(context)

    router.stream = stream
    answer = await sdk.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "Hi"}], stream=True
    )

    first = await anext(aiter(answer))
    with pytest.raises(openai.APIError, match="Broke off") as caught:
        await anext(aiter(answer))

    assert first.choices[0].delta.content == "Hel"
    assert caught.value.code == "upstream_truncated"


async def test_the_list_of_models(sdk: openai.AsyncOpenAI, router: FakeRouter) -> None:
    model = {"id": "a/b", "object": "model", "created": 1, "owned_by": "demo"}
    router.will_answer(json.dumps({"object": "list", "data": [model]}).encode())
    assert [found.id async for found in sdk.models.list()] == ["a/b"]

    router.will_answer(json.dumps(model).encode())
    assert (await sdk.models.retrieve("a/b")).owned_by == "demo"
    assert router.seen[-1].request.path in {"/v1/models/a/b", "/v1/models/a%2Fb"}


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        (StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", openai.BadRequestError),
        (StatusCode.UNAUTHENTICATED, "INVALID_API_KEY", openai.AuthenticationError),
        (StatusCode.NOT_FOUND, "MODEL_NOT_FOUND", openai.NotFoundError),
        (StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMIT_EXCEEDED", openai.RateLimitError),
        (StatusCode.INTERNAL, "UPSTREAM_AUTH", openai.InternalServerError),
        (StatusCode.UNAVAILABLE, "OVERLOADED", openai.InternalServerError),
        (StatusCode.DEADLINE_EXCEEDED, "TIMEOUT", openai.InternalServerError),
    ],
)
async def test_each_failure_is_the_sdks_own_error(
    sdk: openai.AsyncOpenAI,
    router: FakeRouter,
    code: StatusCode,
    reason: str,
    error: type[openai.APIStatusError],
) -> None:
    router.will_fail(Failure(code, reason, "The reason.", {"param": "model"}))

    for streams in (False, True):
        with pytest.raises(error, match=r"The reason\.") as caught:
            await sdk.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "Hi"}], stream=streams
            )

        assert caught.value.param == "model"
        assert caught.value.request_id == router.seen[-1].metadata["x-request-id"]


async def test_an_endpoint_that_is_not_served_is_a_not_found_error(
    sdk: openai.AsyncOpenAI,
) -> None:
    with pytest.raises(openai.NotFoundError, match="Unknown URL"):
        await sdk.responses.create(model="m", input="x" * 3_000_000)
