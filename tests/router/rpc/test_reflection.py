"""The standard reflection service: for those who may call."""

from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2

from tests.support.gateway import gateway
from tests.support.typed import read

KEYS = {"TRUNKLINE_API_KEYS": "a-key-of-a-client"}
KEY = (("authorization", "Bearer a-key-of-a-client"),)


async def ask(
    address: str, asked: reflection_pb2.ServerReflectionRequest, metadata: Any = ()
) -> Any:
    async with grpc.aio.insecure_channel(address) as channel:
        method = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
        call: Any = channel.stream_stream(
            method,
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )(metadata=metadata)
        await call.write(asked)
        await call.done_writing()
        return await call.read()


EVERYTHING = reflection_pb2.ServerReflectionRequest(list_services="")
CHAT = reflection_pb2.ServerReflectionRequest(file_containing_symbol="trunkline.v1.ChatService")


@pytest.mark.parametrize("environ", [{}, KEYS])
async def test_every_service_is_listed(tmp_path: Path, environ: dict[str, str]) -> None:
    async with gateway(tmp_path, environ) as started:
        answer = await ask(started.grpc, EVERYTHING, KEY)

    assert {service.name for service in answer.list_services_response.service} == {
        "trunkline.v1.ChatService",
        "trunkline.v1.EmbeddingService",
        "trunkline.v1.ModelService",
        "trunkline.v1.RouteService",
        "trunkline.v1.ForwardService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


async def test_a_service_is_described(tmp_path: Path) -> None:
    async with gateway(tmp_path, {}) as started:
        answer = await ask(started.grpc, CHAT)

    assert b"ChatCompletionParams" in answer.file_descriptor_response.file_descriptor_proto[0]


@pytest.mark.parametrize("metadata", [(), (("authorization", "Bearer no"),)])
async def test_without_a_key_nothing_is_told(
    tmp_path: Path, metadata: tuple[tuple[str, str], ...]
) -> None:
    async with gateway(tmp_path, KEYS) as started:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ask(started.grpc, EVERYTHING, metadata)

    failed = read(caught.value)
    assert (failed.code, failed.info.reason) == (
        grpc.StatusCode.UNAUTHENTICATED,
        "INVALID_API_KEY",
    )
