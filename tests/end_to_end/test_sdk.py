"""The official SDK against the whole gateway: the built-in provider, and the three of the seed's list."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.support.gateway import MESSAGES, Gateway, gateway, write_list
from tests.support.upstream import Connection, Request, drip, reply, upstream

WEATHER: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path, {}) as started:
        yield started


async def test_models_are_listed_and_retrieved(demo: Gateway) -> None:
    models = [model async for model in demo.sdk().models.list()]

    assert "demo/echo" in [model.id for model in models]
    assert all(model.owned_by == "demo" and model.created > 0 for model in models)
    assert await demo.sdk().models.retrieve("demo/echo") == models[0]


async def test_a_completion_is_answered_whole(demo: Gateway) -> None:
    answer = await demo.sdk().chat.completions.create(model="demo/echo", messages=MESSAGES)

    assert ChatCompletion.model_validate_json(answer.model_dump_json(), strict=True) == answer
    assert answer.choices[0].message.content == "hi"
    assert answer.usage
    assert answer.usage.total_tokens > 0


async def test_a_completion_is_streamed_with_usage_for_those_who_ask(demo: Gateway) -> None:
    async def usages(**options: Any) -> list[Any]:
        stream = await demo.sdk().chat.completions.create(
            model="demo/echo",
            messages=[{"role": "user", "content": "a b c"}],
            stream=True,
            **options,
        )
        chunks: list[ChatCompletionChunk] = [chunk async for chunk in stream]
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        assert text == "a b c"
        assert chunks[0].choices[0].delta.role == "assistant"
        return [chunk.usage for chunk in chunks if chunk.usage]

    assert await usages() == []
    assert len(await usages(stream_options={"include_usage": True})) == 1


@pytest.mark.parametrize("model", ["demo/tools", "demo/echo"])
async def test_tools_are_called_and_their_results_answered(demo: Gateway, model: str) -> None:
    client = demo.sdk()
    first = await client.chat.completions.create(model=model, messages=MESSAGES, tools=WEATHER)
    message = first.choices[0].message
    assert message.tool_calls
    call = message.tool_calls[0]
    assert call.type == "function"
    assert "city" in json.loads(call.function.arguments)

    turn = {"role": "tool", "tool_call_id": call.id, "content": "17 degrees"}
    messages: list[Any] = [*MESSAGES, message.model_dump(exclude_none=True), turn]
    second = await client.chat.completions.create(model=model, messages=messages, tools=WEATHER)

    assert "17 degrees" in (second.choices[0].message.content or "")


async def test_an_unknown_model_is_not_found(demo: Gateway) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        await demo.sdk().chat.completions.create(model="nope", messages=MESSAGES)
    with pytest.raises(openai.NotFoundError):
        await demo.sdk().models.retrieve("nope")

    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert caught.value.request_id


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("400", openai.BadRequestError),
        ("429", openai.RateLimitError),
        ("500", openai.InternalServerError),
    ],
)
async def test_errors_arrive_as_the_sdks_own_classes(
    demo: Gateway, status: str, kind: type[openai.APIStatusError]
) -> None:
    with pytest.raises(kind):
        await demo.sdk().chat.completions.create(
            model="demo/error", messages=[{"role": "user", "content": status}]
        )


async def test_a_stream_that_breaks_off_raises_in_the_sdk(demo: Gateway) -> None:
    stream = await demo.sdk().chat.completions.create(
        model="demo/truncated", messages=[{"role": "user", "content": "a b c d e"}], stream=True
    )
    with pytest.raises(openai.APIError) as caught:
        _ = [chunk async for chunk in stream]

    assert caught.value.code == "upstream_truncated"


SEED_LIST = [
    {
        "model_version": "gpt-4o-audio-preview-2024-10-01",
        "model_family": "gpt-4",
        "handle": "/openai/v1/chat/completions",
        "prompt_price_1k": 0.0025,
        "completion_price_1k": 0.01,
    },
    {
        "model_version": "accounts/fireworks/models/llama-v3p1-405b-instruct",
        "model_family": "fireworks",
        "handle": "/fireworks/chat/completions",
        "prompt_price_1k": 0.003,
        "completion_price_1k": 0.003,
    },
    {
        "model_version": "claude-3-7-sonnet-20250219",
        "model_family": "claude-3",
        "handle": "/anthropic/v1/messages",
        "prompt_price_1k": 0.003,
        "completion_price_1k": 0.015,
    },
]
OWNERS = ["openai", "fireworks", "anthropic"]


def openai_answer(model: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": "Hello from afar", "refusal": None}
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
    }  # fmt: skip


def openai_chunks(model: str, *, usage: bool) -> bytes:
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model}
    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "content": ""},
        {"content": "Hello "},
        {"content": "from afar"},
    ]
    chunks: list[Any] = [
        {**base, "choices": [{"index": 0, "delta": d, "finish_reason": None}]} for d in deltas
    ]
    chunks.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if usage:
        chunks.append({**base, "choices": [], "usage": openai_answer(model)["usage"]})
    return (
        b"".join(b"data: " + json.dumps(c).encode() + b"\n\n" for c in chunks) + b"data: [DONE]\n\n"
    )


ANTHROPIC_ANSWER = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-3-7-sonnet-20250219",
    "content": [{"type": "text", "text": "Hello from afar"}],
    "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 3},
}  # fmt: skip


def anthropic_events() -> bytes:
    started = {
        **ANTHROPIC_ANSWER,
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": 9, "output_tokens": 1},
    }
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": started},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "Hello "},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "from afar"},
        },
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 3},
        },
        {"type": "message_stop"},
    ]
    return b"".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in events)


async def provider(request: Request, connection: Connection) -> None:
    fields = request.fields
    if request.target == "/v1/messages":
        script = drip(anthropic_events()) if fields.get("stream") else reply(ANTHROPIC_ANSWER)
    elif fields.get("stream"):
        asks = (fields.get("stream_options") or {}).get("include_usage") is True
        script = drip(openai_chunks(fields["model"], usage=asks))
    else:
        script = reply(openai_answer(fields["model"]), set_cookie="canary=1", x_canary="1")
    await script(request, connection)


async def test_the_seeds_list_is_answered_by_all_three_providers(tmp_path: Path) -> None:
    async with upstream(provider) as far:
        environ = {
            "MODEL_LIST_URL": write_list(tmp_path / "models.json", SEED_LIST),
            **{f"TRUNKLINE_PROVIDERS__{name.upper()}__BASE_URL": far.url for name in OWNERS},
            **{f"{name.upper()}_API_KEY": f"key-of-{name}" for name in OWNERS},
        }
        async with gateway(tmp_path, environ) as started:
            client = started.sdk(api_key="canary-of-the-client")
            listed = [model async for model in client.models.list()]
            assert [model.owned_by for model in listed] == OWNERS
            for row in SEED_LIST:
                model = str(row["model_version"])
                whole = await client.chat.completions.with_raw_response.create(
                    model=model, messages=MESSAGES, max_tokens=50
                )
                answer = whole.parse()
                stream = await client.chat.completions.create(
                    model=model,
                    messages=MESSAGES,
                    stream=True,
                    stream_options={"include_usage": True},
                )
                chunks = [chunk async for chunk in stream]

                assert answer.choices[0].message.content == "Hello from afar"
                assert answer.choices[0].finish_reason == "stop"
                assert answer.usage
                assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (9, 3)
                cost = (
                    9 * float(str(row["prompt_price_1k"]))
                    + 3 * float(str(row["completion_price_1k"]))
                ) / 1000
                assert float(whole.headers["x-trunkline-cost-usd"]) == pytest.approx(cost)
                assert "set-cookie" not in whole.headers
                assert "x-canary" not in whole.headers
                text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
                assert text == "Hello from afar"

        credentials = [
            r.headers.get("authorization", r.headers.get("x-api-key")) for r in far.requests
        ]
        assert credentials == [
            "Bearer key-of-openai", "Bearer key-of-openai", "Bearer key-of-fireworks",
            "Bearer key-of-fireworks", "key-of-anthropic", "key-of-anthropic",
        ]  # fmt: skip
        assert "canary" not in repr([r.headers for r in far.requests])
