"""What providers say when they refuse: status and words arrive, whatever they are wrapped in."""

import json
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.support.one_provider import CONTENT, ROLE, error_of, frames, request, running
from tests.support.typed import failure_of, posted, streamed, stubs, unary, until_failure
from tests.support.upstream import Script, drip, reply
from trunkline.v1 import forward_service_pb2 as forward

HALF = '"half of an emoji: \\ud83d"'
SHAPED = f'{{"error":{{"message":{HALF},"type":"t","param":null,"code":"c"}}}}'.encode()
SHAPES = {
    "openai": SHAPED,
    "incomplete": f'{{"error":{{"message":{HALF}}}}}'.encode(),
    "bare": f'{{"detail":{HALF}}}'.encode(),
    "text": HALF.encode(),
    "unknown": f'{{"a":1,"b":{HALF}}}'.encode(),
    "a list": f'[{{"error":{{"message":{HALF}}}}}]'.encode(),
    "the key": f'{{"error":{{"message":"half of an emoji","code":{HALF}}}}}'.encode(),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("status", "told"), [(400, 400), (500, 502), (429, 429)])
@pytest.mark.parametrize("shape", SHAPES)
async def test_half_an_emoji_in_an_error_costs_neither_status_nor_words(
    tmp_path: Path, shape: str, status: int, told: int, *, stream: bool
) -> None:
    async with running(tmp_path, reply(SHAPES[shape], status)) as (started, _):
        got, _, body = await started.post(request(stream=stream))
        async with stubs(started.grpc) as client:
            typed = await failure_of(client.chat.CreateChatCompletion(unary()))

    assert got == told
    assert "half of an emoji" in error_of(body)["message"]
    assert "half of an emoji" in typed.message
    assert typed.info.reason != "INTERNAL"


@pytest.mark.parametrize("before", [(ROLE,), (ROLE, CONTENT)])
async def test_half_an_emoji_in_an_error_frame_costs_no_words(
    tmp_path: Path, before: tuple[bytes, ...]
) -> None:
    frame = b"data: " + SHAPED + b"\n\n"
    async with running(tmp_path, drip(*before, frame)) as (started, _):
        status, _, body = await started.post(request(stream=True))
        async with stubs(started.grpc) as client:
            _, typed = await until_failure(client.chat.StreamChatCompletion(streamed()))

    assert status == (200 if CONTENT in before else 502)
    assert "half of an emoji" in error_of(frames(body)[-1])["message"]
    assert (typed.code, typed.info.reason) == (
        grpc.StatusCode.UNAVAILABLE,
        "UPSTREAM_UNAVAILABLE",
    )
    assert "half of an emoji" in typed.message


LONG = "請求格式錯誤" * 833 + "字字"
"""5,000 characters that take nine bytes each in a trailer."""


@pytest.mark.parametrize("status", [400, 429, 500])
@pytest.mark.parametrize("shaped", [True, False])
async def test_a_long_message_reaches_typed_callers_short_and_edges_long(
    tmp_path: Path, status: int, *, shaped: bool
) -> None:
    error = {"message": LONG, "type": "t", "param": None, "code": None}
    body = {"error": error} if shaped else {"detail": LONG}
    script = reply(json.dumps(body, ensure_ascii=False).encode(), status)
    async with running(tmp_path, script) as (started, _):
        _, _, answer = await started.post(request())
        async with stubs(started.grpc) as client:
            typed = await failure_of(client.chat.CreateChatCompletion(unary()))
            _, by_stream = await until_failure(client.chat.StreamChatCompletion(streamed()))

    code, reason = {
        400: (grpc.StatusCode.INVALID_ARGUMENT, "UPSTREAM_REJECTED"),
        429: (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMIT_EXCEEDED"),
        500: (grpc.StatusCode.UNAVAILABLE, "UPSTREAM_UNAVAILABLE"),
    }[status]
    for failed in (typed, by_stream):
        assert (failed.code, failed.info.reason, failed.info.domain) == (code, reason, "trunkline")
        assert failed.message == failed.details.message
        assert failed.details.code == code.value[0]
        assert LONG.startswith(failed.message.removesuffix("…"))
        assert 100 < len(failed.message) < 1000
    told = error_of(answer)["message"]
    assert told == LONG if shaped else LONG.startswith(told.removesuffix("…"))
    assert len(told) >= 4000


@pytest.mark.parametrize("stream", [False, True])
async def test_a_rate_limit_with_a_body_of_megabytes_stays_one(
    tmp_path: Path, *, stream: bool
) -> None:
    error = {"message": "slow down", "type": "t", "param": None, "code": "c", "pad": "x" * 2**21}
    script = reply({"error": error}, 429, retry_after="7")
    async with running(tmp_path, script) as (started, _):
        status, headers, body = await started.post(request(stream=stream))
        async with stubs(started.grpc) as client:
            typed = await failure_of(client.chat.CreateChatCompletion(unary()))

    assert (status, headers["retry-after"]) == (429, "7")
    assert error_of(body)["message"]
    assert len(body) < 100_000
    assert typed.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert typed.retry
    assert typed.retry.retry_delay.seconds == 7


@pytest.mark.parametrize("size", [63_000, 70_000, 500_000])
async def test_an_error_body_of_any_size_keeps_status_and_words(tmp_path: Path, size: int) -> None:
    error = {"message": "words", "type": "t", "param": None, "code": "c", "pad": "x" * size}
    async with running(tmp_path, reply({"error": error}, 422)) as (started, _):
        status, _, body = await started.post(request())

    told = error_of(body)
    assert (status, told["message"], told["code"]) == (422, "words", "c")
    assert ("pad" in told) == (size < 64_000)


STREAM_ANSWERED_WHOLE: list[tuple[Script, int, str, str]] = [
    (reply({"error": {"message": "out of luck"}}), 502, "upstream_unavailable", "out of luck"),
    (reply({"detail": "no streams here"}), 502, "upstream_unavailable", "no streams here"),
    (reply({"error": "bare words"}), 502, "upstream_unavailable", "bare words"),
    (
        reply({"message": "m"}, content_type="application/json; charset=utf-8"),
        502,
        "upstream_unavailable",
        "m",
    ),
]


@pytest.mark.parametrize(("script", "status", "code", "words"), STREAM_ANSWERED_WHOLE)
async def test_a_stream_that_is_answered_by_json_is_an_error_in_the_providers_words(
    tmp_path: Path, script: Script, status: int, code: str, words: str
) -> None:
    async with running(tmp_path, script) as (started, _):
        got, headers, body = await started.post(request(stream=True))
        async with stubs(started.grpc) as client:
            _, typed = await until_failure(client.chat.StreamChatCompletion(streamed()))

    assert (got, error_of(body)["code"], error_of(body)["message"]) == (status, code, words)
    assert headers["content-type"] == "application/json"
    assert (typed.info.reason, typed.message) == ("UPSTREAM_UNAVAILABLE", words)


def nested(depth: int) -> bytes:
    return b'{"x":' * depth + b'"\\u00e9"' + b"}" * depth


@pytest.mark.parametrize("status", [400, 500])
async def test_an_error_nested_at_any_depth_keeps_its_status(tmp_path: Path, status: int) -> None:
    scripts: list[Script] = []
    for depth in range(920, 1001):
        error = b'{"error":{"message":"words","deep":' + nested(depth) + b"}}"
        scripts += [reply(nested(depth), status), reply(error, status)]
    async with running(tmp_path, scripts[0]) as (started, provider):
        got = set()
        for script in scripts:
            provider.script = script
            got.add((await started.post(request()))[0])

    assert got == {400 if status == 400 else 502}


async def test_an_edge_is_told_the_body_that_passes_whole_and_typed_callers_are_not(
    tmp_path: Path,
) -> None:
    error: dict[str, Any] = {"message": "m", "type": "t", "param": "p", "code": "c", "more": [1]}
    body = json.dumps({"error": error}).encode()
    async with running(tmp_path, reply(body, 409)) as (started, _), stubs(started.grpc) as client:
        asked = posted(json.dumps(request()).encode())
        by_forward = await failure_of(client.forward.Forward(asked))
        by_stream = await failure_of(
            client.forward.ForwardStream(
                forward.ForwardStreamRequest(
                    request=posted(json.dumps(request(stream=True)).encode())
                )
            ).read()
        )
        typed = await failure_of(client.chat.CreateChatCompletion(unary()))

    assert by_forward.forwarded == by_stream.forwarded == body
    assert typed.forwarded == b""
    assert dict(typed.info.metadata) == {"param": "p", "code": "c", "http_status": "409"}
