"""Messages on their way: nobody sees what the other side does to its own, and none is above the limit."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import grpc
import pytest

from launch.inprocess import server
from tests.launch.inprocess.conftest import LIMIT, Hanging, Way, opened, part, soon
from tests.support import gateway
from trunkline.v1.forward_service_pb2 import (
    ForwardRequest,
    ForwardResponse,
    ForwardStreamRequest,
    ForwardStreamResponse,
)

# A message's bytes besides those of its `body`: tag and length.
ENVELOPE = 4


async def test_a_servicer_sees_no_later_change_of_a_request(copying_way: Way) -> None:
    hanging = Hanging()
    copying_way.servicer.answer = hanging.answer
    request = ForwardRequest(body=b"as sent")
    call = copying_way.stub.Forward(request)
    await soon(hanging.entered.wait())
    request.body = b"changed"
    hanging.release.set()

    assert (await soon(call)).body == b"as sent"


async def test_a_caller_sees_no_later_change_of_an_answer(copying_way: Way) -> None:
    kept, kept_part = ForwardResponse(body=b"as sent"), part(b"as sent")

    async def answer(request: ForwardRequest, context: Any) -> ForwardResponse:
        return kept

    async def stream(
        request: ForwardRequest, context: Any
    ) -> AsyncGenerator[ForwardStreamResponse, None]:
        yield kept_part
        kept_part.chunks[:] = [b"changed"]

    copying_way.servicer.answer, copying_way.servicer.stream = answer, stream
    whole = await soon(copying_way.unary())
    (streamed,) = [response async for response in copying_way.streamed()]
    kept.body = b"changed"

    assert whole.body == b"as sent"
    assert streamed.chunks == [b"as sent"]


async def test_a_servicer_and_its_caller_have_no_message_in_common(copying_way: Way) -> None:
    seen: list[ForwardRequest] = []

    async def answer(request: ForwardRequest, context: Any) -> ForwardResponse:
        seen.append(request)
        request.body = b"changed"
        return ForwardResponse()

    copying_way.servicer.answer = answer
    request = ForwardRequest(body=b"as sent")
    await soon(copying_way.stub.Forward(request))

    assert seen[0] is not request
    assert request.body == b"as sent"


async def test_messages_that_are_handed_over_are_the_same_objects() -> None:
    seen: list[Any] = []

    async def answer(request: ForwardRequest, context: Any) -> ForwardResponse:
        seen.extend((request, ForwardResponse()))
        return seen[1]  # type: ignore[no-any-return]

    async def stream(
        request: ForwardRequest, context: Any
    ) -> AsyncGenerator[ForwardStreamResponse, None]:
        seen.append(part(b"x"))
        yield seen[-1]

    async with opened("handed over") as way:
        way.servicer.answer, way.servicer.stream = answer, stream
        request = ForwardRequest()
        response = await soon(way.stub.Forward(request))
        streamed = await soon(way.stub.ForwardStream(ForwardStreamRequest()).read())

    assert (seen[0] is request, seen[1] is response, seen[2] is streamed) == (True, True, True)


async def test_the_tiers_never_touch_again_what_they_have_handed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[Any, bytes]] = []

    def hand_over(message: Any) -> Any:
        given.append((message, message.SerializeToString()))
        return message

    monkeypatch.setattr(server, "hand_over", hand_over)
    monkeypatch.setattr(gateway, "channel_kind", gateway.IN_PROCESS)
    chat = {"model": "demo/echo", "messages": gateway.MESSAGES}
    async with gateway.gateway(tmp_path, {}) as started:
        statuses = [
            (await started.post(body, path=path))[0]
            for body, path in (
                (chat, "/v1/chat/completions"),
                ({**chat, "stream": True}, "/v1/chat/completions"),
                ({**chat, "model": "none"}, "/v1/chat/completions"),
                ({"model": "demo/embed", "input": "x"}, "/v1/embeddings"),
            )
        ]

    assert statuses == [200, 200, 404, 200]
    assert len(given) > len(statuses) + 3
    assert [kept for kept, raw in given if kept.SerializeToString() != raw] == []


@pytest.mark.parametrize(
    ("size", "fits"), [(LIMIT - ENVELOPE, True), (LIMIT - ENVELOPE + 1, False)]
)
async def test_a_request_above_the_limit_is_refused_unseen(
    copying_way: Way, size: int, fits: bool
) -> None:
    async def answer(request: ForwardRequest, context: Any) -> ForwardResponse:
        return ForwardResponse(content_type=str(len(request.body)))

    copying_way.servicer.answer = answer
    code, details = await ending_of(copying_way.unary(b"x" * size))

    assert code is (grpc.StatusCode.OK if fits else grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert copying_way.servicer.calls == fits
    assert fits or f"larger than max ({LIMIT + 1} vs. {LIMIT})" in details


@pytest.mark.parametrize(
    ("size", "fits"), [(LIMIT - ENVELOPE, True), (LIMIT - ENVELOPE + 1, False)]
)
@pytest.mark.parametrize("is_stream", [False, True])
async def test_an_answer_above_the_limit_is_refused(
    copying_way: Way, size: int, fits: bool, is_stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(request: ForwardRequest, context: Any) -> ForwardResponse:
        return ForwardResponse(body=b"x" * size)

    async def stream(
        request: ForwardRequest, context: Any
    ) -> AsyncGenerator[ForwardStreamResponse, None]:
        yield part(b"first")
        yield part(b"x" * size)

    copying_way.servicer.answer, copying_way.servicer.stream = answer, stream
    call = copying_way.streamed() if is_stream else copying_way.unary()
    code, details = await ending_of(read_to_end(call) if is_stream else call)

    assert code is (grpc.StatusCode.OK if fits else grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert fits or f"larger than max ({LIMIT + 1} vs. {LIMIT})" in details
    caplog.clear()


async def read_to_end(call: Any) -> None:
    async for _ in call:
        pass


async def ending_of(call: Any) -> tuple[grpc.StatusCode, str]:
    try:
        await soon(call)
    except grpc.aio.AioRpcError as exc:
        return exc.code(), exc.details() or ""
    return grpc.StatusCode.OK, ""
