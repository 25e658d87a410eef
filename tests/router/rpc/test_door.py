"""The way in and out is the same for every service: metadata, deadline, failures, and what is counted."""

import asyncio
import json
from pathlib import Path
from typing import Any

import grpc
import pytest
from structlog.testing import capture_logs

from router.errors import Reason
from tests.support.gateway import gateway, row, write_list
from tests.support.one_provider import (
    ANTHROPIC,
    CONTENT,
    DONE,
    FINISH,
    PATIENCE,
    ROLE,
    request,
    running,
)
from tests.support.typed import (
    everything,
    failure_of,
    http,
    posted,
    streamed,
    stubs,
    unary,
    until_failure,
)
from tests.support.upstream import drip, hang, reply
from trunkline.v1 import chat_service_pb2 as chat
from trunkline.v1 import model_service_pb2 as models

WHOLE = reply({"choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 500}})


async def told(call: Any) -> dict[str, str]:
    await call
    return dict(await call.initial_metadata())


@pytest.mark.parametrize("given", ["mine-1", "x" * 128, "with space ~!"])
async def test_a_callers_request_id_comes_back_and_is_logged(tmp_path: Path, given: str) -> None:
    async with running(tmp_path, WHOLE) as (started, _), stubs(started.grpc) as client:
        with capture_logs() as logs:
            metadata = await told(
                client.chat.CreateChatCompletion(unary(), metadata=(("x-request-id", given),))
            )

    assert metadata["x-request-id"] == given
    assert logs[-1]["request_id"] == given


@pytest.mark.parametrize("given", [(), (("x-request-id", "x" * 129),), (("x-request-id", ""),)])
async def test_without_a_fit_request_id_there_is_a_new_one_each_time(
    tmp_path: Path, given: tuple[tuple[str, str], ...]
) -> None:
    async with running(tmp_path, WHOLE) as (started, _), stubs(started.grpc) as client:
        found = {
            (await told(client.chat.CreateChatCompletion(unary(), metadata=given)))["x-request-id"]
            for _ in range(3)
        }

    assert len(found) == 3
    assert all(name.startswith("req_") for name in found)


async def test_an_answer_says_where_it_came_from_and_what_it_cost(tmp_path: Path) -> None:
    rows = [
        row("m", "/demo/v1/chat/completions", upstream_model="demo/echo", prompt_price_1k="0.5",
            completion_price_1k="1"),
    ]  # fmt: skip
    environ = {"MODEL_LIST_URL": write_list(tmp_path / "models.json", rows)}
    async with gateway(tmp_path, environ) as started, stubs(started.grpc) as client:
        metadata = await told(client.chat.CreateChatCompletion(unary()))
        call = client.chat.StreamChatCompletion(streamed())
        await everything(call)
        of_stream = dict(await call.initial_metadata())

    assert metadata["x-trunkline-provider"] == "demo"
    assert metadata["x-trunkline-upstream-model"] == "demo/echo"
    assert metadata["x-trunkline-attempts"] == "1"
    assert metadata["x-trunkline-generation"] == "1"
    assert float(metadata["x-trunkline-cost-usd"]) > 0
    assert metadata["server-timing"].startswith("total;dur=")
    assert of_stream.keys() == metadata.keys() - {"x-trunkline-cost-usd"}


async def test_what_is_told_of_a_whole_answer_comes_behind_it_where_that_is_asked_for(
    tmp_path: Path,
) -> None:
    asked = (("x-trunkline-trailing", "true"), ("x-request-id", "mine"))
    async with running(tmp_path, WHOLE) as (started, _), stubs(started.grpc) as client:
        usual = await told(client.chat.CreateChatCompletion(unary(), metadata=asked[1:]))
        call = client.chat.CreateChatCompletion(unary(), metadata=asked)
        await call
        before, behind = await call.initial_metadata(), dict(await call.trailing_metadata())

    assert not before
    assert behind.keys() == usual.keys()
    assert behind["x-request-id"] == "mine"


async def test_a_failure_says_the_same_in_its_trailers(tmp_path: Path) -> None:
    async with running(tmp_path, reply({}, 500)) as (started, _), stubs(started.grpc) as client:
        failed = await failure_of(client.chat.CreateChatCompletion(unary()))

    assert failed.trailers["x-trunkline-provider"] == "openai"
    assert failed.trailers["x-trunkline-attempts"] == "3"
    assert str(failed.trailers["x-request-id"]).startswith("req_")


async def test_a_models_name_beyond_ascii_travels_percent_encoded(tmp_path: Path) -> None:
    async with (
        running(tmp_path, WHOLE, model="modèle/日本 100%") as (started, _),
        stubs(started.grpc) as client,
    ):
        metadata = await told(client.chat.CreateChatCompletion(unary()))

    encoded = "mod%C3%A8le/%E6%97%A5%E6%9C%AC 100%25"
    assert metadata["x-trunkline-upstream-model"] == encoded


async def test_dropped_parameters_are_listed_or_refused_as_the_caller_wants(tmp_path: Path) -> None:
    answer = {"content": [], "stop_reason": "end_turn", "usage": {}, "role": "assistant"}
    async with (
        running(tmp_path, reply(answer), handle=ANTHROPIC) as (started, provider),
        stubs(started.grpc) as client,
    ):
        request = unary(extra_json='{"mystery":1,"café":2}')
        metadata = await told(client.chat.CreateChatCompletion(request))
        strict = client.chat.CreateChatCompletion(
            request, metadata=(("x-trunkline-strict", "true"),)
        )
        failed = await failure_of(strict)

    assert metadata["x-trunkline-dropped-params"] == "mystery, caf%C3%A9"
    assert (failed.code, failed.info.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        Reason.INVALID_REQUEST,
    )
    assert failed.info.metadata["param"] == "mystery"
    assert len(provider.requests) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_the_callers_deadline_ends_the_request_to_the_provider(
    tmp_path: Path, *, stream: bool
) -> None:
    async with running(tmp_path, hang) as (started, provider), stubs(started.grpc) as client:
        call = (
            client.chat.StreamChatCompletion(streamed(), timeout=0.2).read()
            if stream
            else client.chat.CreateChatCompletion(unary(), timeout=0.2)
        )
        failed = await failure_of(call)
        await asyncio.wait_for(provider.left.wait(), PATIENCE)

    assert failed.code == grpc.StatusCode.DEADLINE_EXCEEDED


async def test_our_own_limit_bounds_a_call_without_deadline(tmp_path: Path) -> None:
    environ = {"TRUNKLINE_TIMEOUTS__TOTAL": "0.2"}
    async with running(tmp_path, hang, **environ) as (started, _), stubs(started.grpc) as client:
        failed = await failure_of(client.chat.CreateChatCompletion(unary()))

    assert (failed.code, failed.info.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "TIMEOUT")


@pytest.mark.parametrize("body", [b"[]", b"1", b'"x"', b"null"])
async def test_what_is_no_object_is_a_failure_for_typed_callers_and_recorded_as_one(
    tmp_path: Path, body: bytes
) -> None:
    stream = drip(CONTENT, b"data: " + body + b"\n\n", FINISH, DONE)
    async with running(tmp_path, reply(body)) as (started, provider), stubs(started.grpc) as client:
        with capture_logs() as logs:
            whole = await failure_of(client.chat.CreateChatCompletion(unary()))
            provider.script = stream
            _, midway = await until_failure(client.chat.StreamChatCompletion(streamed()))

    for failed in (whole, midway):
        assert failed.code == grpc.StatusCode.UNAVAILABLE
        assert failed.info.reason == Reason.UPSTREAM_UNAVAILABLE
        assert failed.trailers["x-request-id"]
    assert [line["status"] for line in logs if line["event"] == "call_ended"] == [
        "UPSTREAM_UNAVAILABLE",
        "UPSTREAM_UNAVAILABLE",
    ]


async def test_keys_are_asked_of_every_service_and_the_first_credential_counts(
    tmp_path: Path,
) -> None:
    keys = {"TRUNKLINE_API_KEYS": "a-key-of-a-client"}
    right, wrong = ("authorization", "Bearer a-key-of-a-client"), ("authorization", "Bearer no")
    async with (
        running(tmp_path, WHOLE, **keys) as (started, provider),
        stubs(started.grpc) as client,
    ):
        calls = [
            client.chat.CreateChatCompletion(unary()),
            client.chat.StreamChatCompletion(streamed()).read(),
            client.chat.CreateChatCompletion(unary(), metadata=(wrong, right)),
            client.models.ListModels(models.ListModelsRequest()),
            client.models.GetModel(models.GetModelRequest(id="m")),
            client.models.WatchModels(models.WatchModelsRequest()).read(),
            client.forward.Forward(http("GET", "/v1/models")),
            client.forward.Forward(posted(b"{")),
        ]
        failures = [await failure_of(call) for call in calls]
        assert provider.requests == []
        await client.chat.CreateChatCompletion(unary(), metadata=(right, wrong))

    assert {failed.code for failed in failures} == {grpc.StatusCode.UNAUTHENTICATED}
    assert {failed.info.reason for failed in failures} == {Reason.INVALID_API_KEY}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_body_above_the_limit_is_too_large_over_grpc_too(
    tmp_path: Path, *, stream: bool
) -> None:
    environ = {"TRUNKLINE_MAX_BODY_BYTES": "4096"}
    said = "x" * 5000
    async with (
        running(tmp_path, WHOLE, **environ) as (started, provider),
        stubs(started.grpc) as client,
    ):
        typed: Any = (
            client.chat.StreamChatCompletion(streamed(said)).read()
            if stream
            else client.chat.CreateChatCompletion(unary(said))
        )
        body = json.dumps(request(messages=[{"role": "user", "content": said}])).encode()
        failures = [await failure_of(typed), await failure_of(client.forward.Forward(posted(body)))]

    for failed in failures:
        assert failed.code == grpc.StatusCode.INVALID_ARGUMENT
        assert failed.info.reason == Reason.PAYLOAD_TOO_LARGE
        assert "4096" in failed.message
    assert provider.requests == []


async def test_a_failure_in_a_frame_of_the_provider_ends_a_typed_stream_with_a_status(
    tmp_path: Path,
) -> None:
    error = b'data: {"error":{"message":"m","type":"overloaded","param":null,"code":null}}\n\n'
    script = drip(ROLE, CONTENT, error, DONE)
    async with running(tmp_path, script) as (started, _), stubs(started.grpc) as client:
        seen, failed = await until_failure(client.chat.StreamChatCompletion(streamed()))

    assert [message.chunk for message in seen if not message.chunk.choices] == []
    assert (failed.code, failed.info.reason) == (grpc.StatusCode.UNAVAILABLE, Reason.OVERLOADED)
    assert failed.message == "m"


async def test_the_door_is_idle_when_the_last_call_has_ended(tmp_path: Path) -> None:
    async with running(tmp_path, drip(CONTENT, then=hang)) as (started, _):
        door = started.router._door
        await asyncio.wait_for(door.wait_idle(), PATIENCE)
        async with stubs(started.grpc) as client:
            watch = client.models.WatchModels(models.WatchModelsRequest())
            await watch.read()
            await asyncio.wait_for(door.wait_idle(), PATIENCE)
            call = client.chat.StreamChatCompletion(streamed())
            assert isinstance(await call.read(), chat.StreamChatCompletionResponse)
            waiting = asyncio.create_task(door.wait_idle())
            await client.models.ListModels(models.ListModelsRequest())
            assert not waiting.done()
            call.cancel()

            await asyncio.wait_for(waiting, PATIENCE)
            watch.cancel()
