"""The typed explanation says what the one over HTTP says."""

import json
from pathlib import Path

from google.protobuf import json_format

from tests.support.gateway import gateway, row, write_list
from tests.support.typed import failure_of, stubs
from trunkline.v1 import chat_service_pb2 as chat
from trunkline.v1 import route_service_pb2 as pb
from trunkline.v1 import route_service_pb2_grpc as pb_grpc

ROWS = [
    row("m", "/demo/v1/chat/completions", upstream_model="demo/echo", priority=1),
    row("m", "/anthropic/v1/messages", priority=2),
    row("e", "/demo/v1/embeddings"),
]
ASKED = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "logit_bias": {"1": 2}}


def asked(**fields: object) -> pb.ExplainRouteRequest:
    message = chat.ChatMessage(role="user", content="hi")
    params = chat.ChatCompletionParams(model="m", messages=[message], extra_json=json.dumps(fields))
    return pb.ExplainRouteRequest(params=params)


async def test_both_faces_explain_the_same(tmp_path: Path) -> None:
    environ = {
        "MODEL_LIST_URL": write_list(tmp_path / "models.json", ROWS),
        "ANTHROPIC_API_KEY": "key",
    }
    async with gateway(tmp_path, environ) as started, stubs(started.grpc) as client:
        status, _, body = await started.post(ASKED, path="/v1/route:explain")
        stub = pb_grpc.RouteServiceStub(client.channel)
        typed = await stub.ExplainRoute(asked(logit_bias={"1": 2}))

    first, second = typed.explanation.candidates
    said = json_format.MessageToDict(
        typed.explanation,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
    )
    assert status == 200
    assert json.loads(body) == {**said, "generation": int(said["generation"])}
    assert (first.provider, list(first.dropped_params)) == ("demo", [])
    assert (second.provider, list(second.dropped_params)) == ("anthropic", ["logit_bias"])


async def test_what_would_be_refused_is_refused(tmp_path: Path) -> None:
    environ = {"MODEL_LIST_URL": write_list(tmp_path / "models.json", ROWS)}
    async with gateway(tmp_path, environ) as started, stubs(started.grpc) as client:
        unknown = await started.post({**ASKED, "model": "x"}, path="/v1/route:explain")
        broken = await started.post(b"{", path="/v1/route:explain")
        embeddings = await started.post({"model": "e", "input": "x"}, path="/v1/route:explain")
        got = await started.http.get(f"{started.url}/v1/route:explain")
        stub = pb_grpc.RouteServiceStub(client.channel)
        failed = await failure_of(stub.ExplainRoute(pb.ExplainRouteRequest()))

    assert (unknown[0], broken[0], got.status) == (404, 400, 405)
    assert json.loads(embeddings[2])["candidates"][0]["model"] == "e"
    assert failed.info.reason in ("MODEL_NOT_FOUND", "INVALID_REQUEST")


async def test_a_missing_key_is_the_reason_to_be_passed_over(tmp_path: Path) -> None:
    environ = {"MODEL_LIST_URL": write_list(tmp_path / "models.json", ROWS)}
    async with gateway(tmp_path, environ) as started:
        _, _, body = await started.post(ASKED, path="/v1/route:explain")

    said = json.loads(body)
    assert [entry["provider"] for entry in said["candidates"]] == ["demo"]
    assert [(e["provider"], e["reason"]) for e in said["skipped"]] == [
        ("anthropic", "ANTHROPIC_API_KEY is not set")
    ]
