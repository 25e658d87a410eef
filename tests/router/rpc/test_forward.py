"""The transparent service: which paths there are, and HTTP's answers byte for byte."""

import json
from pathlib import Path
from typing import Any

import grpc
import pytest

from router.calls import Operation
from router.errors import MethodNotAllowedError, ModelNotFoundError, PathNotFoundError
from router.rpc.forward import Target, target_of
from tests.support.gateway import gateway
from tests.support.one_provider import CONTENT, DONE, FINISH, ROLE, frames, request, running
from tests.support.typed import everything, failure_of, http, posted, stubs
from tests.support.upstream import drip, reply
from trunkline.v1 import forward_service_pb2 as pb


@pytest.mark.parametrize(
    ("method", "path", "target"),
    [
        ("GET", "/v1/models", Target(Operation.LIST_MODELS)),
        ("POST", "/v1/chat/completions", Target(Operation.CHAT)),
        ("GET", "/v1/models/a", Target(Operation.GET_MODEL, "a")),
        ("GET", "/v1/models/a/b%2Fc", Target(Operation.GET_MODEL, "a/b/c")),
        ("GET", "/v1/models/%E6%97%A5?x", Target(Operation.GET_MODEL, "日?x")),
        ("GET", "/v1/models//", Target(Operation.GET_MODEL, "/")),
        ("GET", "/v1/models/../..", Target(Operation.GET_MODEL, "../..")),
    ],
)
def test_a_path_names_an_operation(method: str, path: str, target: Target) -> None:
    assert target_of(method, path) == target


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "", PathNotFoundError),
        ("GET", "/", PathNotFoundError),
        ("GET", "/v1/models/", PathNotFoundError),
        ("GET", "/v1/Models", PathNotFoundError),
        ("POST", "/v1/responses", PathNotFoundError),
        ("POST", "/v1/chat/completions/", PathNotFoundError),
        ("POST", "/x" * 1000, PathNotFoundError),
        ("POST", "/v1/models", MethodNotAllowedError),
        ("DELETE", "/v1/models/a", MethodNotAllowedError),
        ("GET", "/v1/chat/completions", MethodNotAllowedError),
        ("post", "/v1/chat/completions", MethodNotAllowedError),
        ("", "/v1/models", MethodNotAllowedError),
        ("GET", "/v1/models/%FF", ModelNotFoundError),
    ],
)
def test_what_there_is_not_is_refused_in_bounded_words(
    method: str, path: str, kind: type[Exception]
) -> None:
    with pytest.raises(kind) as caught:
        target_of(method, path)

    assert len(str(caught.value)) < 300


async def test_models_are_told_as_over_http(tmp_path: Path) -> None:
    async with gateway(tmp_path, {}) as started, stubs(started.grpc) as client:
        listed = await client.forward.Forward(http("GET", "/v1/models"))
        one = await client.forward.Forward(http("GET", "/v1/models/demo/echo"))
        async with started.http.get(f"{started.url}/v1/models") as response:
            assert listed.body == await response.read()

    assert listed.content_type == one.content_type == "application/json"
    assert json.loads(one.body) in json.loads(listed.body)["data"]


async def test_a_whole_answer_and_a_stream_pass_byte_for_byte(tmp_path: Path) -> None:
    whole = b' {"choices" : [ ] ,"x":1.50,"x":2}\n'
    asked = pb.ForwardStreamRequest(request=posted(json.dumps(request(stream=True)).encode()))
    async with (
        running(tmp_path, reply(whole)) as (started, provider),
        stubs(started.grpc) as client,
    ):
        answer = await client.forward.Forward(posted(json.dumps(request()).encode()))
        provider.script = drip(ROLE, CONTENT, FINISH, DONE)
        with_mark = await everything(client.forward.ForwardStream(asked))
        provider.script = drip(ROLE, CONTENT, FINISH)
        without = await everything(client.forward.ForwardStream(asked))

    assert answer.body == whole
    for parts in (with_mark, without):
        assert [c for part in parts for c in part.chunks] == frames(ROLE + CONTENT + FINISH)
    assert [part.done for part in with_mark][-1]
    assert not any(part.done for part in without)


CASES: list[tuple[pb.ForwardRequest, bool, grpc.StatusCode, str]] = [
    (http("GET", "/v1/nothing"), False, grpc.StatusCode.NOT_FOUND, "NOT_FOUND"),
    (http("PUT", "/v1/models"), False, grpc.StatusCode.UNIMPLEMENTED, "METHOD_NOT_ALLOWED"),
    (http("GET", "/v1/models/none"), False, grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND"),
    (http("GET", "/v1/models"), True, grpc.StatusCode.UNIMPLEMENTED, "METHOD_NOT_ALLOWED"),
    (http("GET", "/v1/models/m"), True, grpc.StatusCode.UNIMPLEMENTED, "METHOD_NOT_ALLOWED"),
    (posted(b"{"), False, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"),
    (posted(b""), True, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"),
    (
        posted(json.dumps(request(stream=True)).encode()),
        False,
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
    ),
    (
        posted(json.dumps(request(stream=False)).encode()),
        True,
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
    ),
]


@pytest.mark.parametrize(("asked", "stream", "code", "reason"), CASES)
async def test_what_cannot_be_answered_ends_with_its_status(
    tmp_path: Path, asked: pb.ForwardRequest, stream: bool, code: grpc.StatusCode, reason: str
) -> None:
    async with running(tmp_path, reply({})) as (started, provider), stubs(started.grpc) as client:
        call: Any = (
            client.forward.ForwardStream(pb.ForwardStreamRequest(request=asked)).read()
            if stream
            else client.forward.Forward(asked)
        )
        failed = await failure_of(call)

    assert (failed.code, failed.info.reason) == (code, reason)
    assert failed.trailers["x-request-id"]
    assert provider.requests == []


@pytest.mark.parametrize("asked", [case[0] for case in CASES[:5]])
async def test_without_a_key_nobody_learns_which_paths_there_are(
    tmp_path: Path, asked: pb.ForwardRequest
) -> None:
    environ = {"TRUNKLINE_API_KEYS": "a-key-of-a-client"}
    async with gateway(tmp_path, environ) as started, stubs(started.grpc) as client:
        whole = await failure_of(client.forward.Forward(asked))
        stream = client.forward.ForwardStream(pb.ForwardStreamRequest(request=asked))
        parts = await failure_of(stream.read())

    assert whole.info.reason == parts.info.reason == "INVALID_API_KEY"
