"""What stands in which field, and what a caller's own JSON text may not do."""

import contextlib
import json
from typing import Any

import pytest

from router.errors import InvalidRequestError, UpstreamUnavailableError
from router.rpc import codec
from router.rpc.codec.chat import TABLES
from router.rpc.codec.oneof import Bare, OneOf
from router.rpc.codec.shapes import EXTRA, Nested, Repeated, Table
from trunkline.v1 import chat_service_pb2 as pb


def read(text: str) -> pb.ChatCompletionParams:
    return codec.params_from_json(text.encode())


def write(params: pb.ChatCompletionParams) -> str:
    return codec.params_to_json(params, stream=False).decode()


def fields_of(shape: Any) -> dict[str, Any]:
    """The proto fields that a shape reaches, with the shapes under them."""
    if isinstance(shape, OneOf):
        merged: dict[str, Any] = {}
        for way in shape.ways.values():
            merged |= fields_of(way)
        return merged
    if isinstance(shape, Bare):
        return {shape.name: None}
    assert isinstance(shape, Table)
    kinds = {row.name: row.kind for row in shape.rows if row.name}
    return {n: k.shape if isinstance(k, Nested | Repeated) else None for n, k in kinds.items()}


def assert_reaches(shape: Any, descriptor: Any) -> None:
    reached = fields_of(shape)
    assert set(reached) == {field.name for field in descriptor.fields} - {EXTRA}
    for name, inner in reached.items():
        if inner is not None:
            assert_reaches(inner, descriptor.fields_by_name[name].message_type)


@pytest.mark.parametrize(("table", "message"), TABLES)
def test_every_field_of_the_chat_messages_stands_in_a_table(table: Table, message: Any) -> None:
    assert_reaches(table, message.DESCRIPTOR)


def test_a_typed_request_becomes_openais_json() -> None:
    params = pb.ChatCompletionParams(
        model="m",
        messages=[
            pb.ChatMessage(role="system", content=""),
            pb.ChatMessage(
                role="user",
                parts=[
                    pb.ContentPart(text="look"),
                    pb.ContentPart(image_url=pb.ImageUrl(url="https://x/y.png", detail="low")),
                    pb.ContentPart(part_json='{"type": "file", "file": {"file_id": "f"}}'),
                ],
            ),
            pb.ChatMessage(
                role="assistant",
                tool_calls=[
                    pb.ToolCall(id="1", function=pb.FunctionCall(name="f", arguments_json='{"a'))
                ],
            ),
            pb.ChatMessage(role="tool", tool_call_id="1", content="out"),
        ],
        max_tokens=0,
        temperature=0.5,
        n=2,
        stop=["a", "b"],
        tools=[
            pb.Tool(function=pb.FunctionDefinition(name="f", parameters_json='{"z":1.0,"a":2}'))
        ],
        tool_choice=pb.ToolChoice(function="f"),
        response_format=pb.ResponseFormat(
            type="json_schema", name="n", response_schema_json="{}", strict=True
        ),
        stream_options=pb.StreamOptions(),
        extra_json='{"big": 123456789012345678901234567890, "metadata": {"b": 1.50, "a": []}}',
    )

    body = codec.params_to_json(params, stream=True)

    assert body.decode() == (
        '{"model":"m","messages":['
        '{"role":"system","content":""},'
        '{"role":"user","content":[{"type":"text","text":"look"},'
        '{"type":"image_url","image_url":{"url":"https://x/y.png","detail":"low"}},'
        '{"type": "file", "file": {"file_id": "f"}}]},'
        '{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function",'
        '"function":{"name":"f","arguments":"{\\"a"}}]},'
        '{"role":"tool","content":"out","tool_call_id":"1"}],'
        '"max_tokens":0,"temperature":0.5,"n":2,"stop":["a","b"],'
        '"tools":[{"type":"function","function":{"name":"f","parameters":{"z":1.0,"a":2}}}],'
        '"tool_choice":{"type":"function","function":{"name":"f"}},'
        '"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{},"strict":true}},'
        '"stream_options":{},'
        '"big":123456789012345678901234567890,"metadata":{"b": 1.50, "a": []},"stream":true}'
    )
    again = codec.params_from_json(body)
    again.messages[2].tool_calls[0].type = ""
    again.tools[0].type = ""
    again.extra_json = params.extra_json
    again.messages[1].parts[2].part_json = params.messages[1].parts[2].part_json
    assert again == params


def test_parts_are_used_instead_of_content() -> None:
    message = pb.ChatMessage(role="user", content="no", parts=[pb.ContentPart(text="yes")])

    body = json.loads(write(pb.ChatCompletionParams(messages=[message])))

    assert body["messages"][0]["content"] == [{"type": "text", "text": "yes"}]


@pytest.mark.parametrize(
    ("member", "kept"),
    [
        ('"seed":9223372036854775808', '{"seed":9223372036854775808}'),
        ('"n":2147483648', '{"n":2147483648}'),
        ('"n":1.0', '{"n":1.0}'),
        ('"temperature":1e999', '{"temperature":1e999}'),
        ('"temperature":0.1234567890123456789', '{"temperature":0.1234567890123456789}'),
        ('"temperature":"hot"', '{"temperature":"hot"}'),
        ('"logprobs":1', '{"logprobs":1}'),
        ('"user":"\\ud800"', '{"user":"\\ud800"}'),
        ('"tools":[]', '{"tools":[]}'),
        ('"tools":[{"type":"function"},3]', '{"tools":[{"type":"function"},3]}'),
        ('"stop":["a",1]', '{"stop":["a",1]}'),
        ('"response_format":"json"', '{"response_format":"json"}'),
        ('"messages":["hi"]', '{"messages":["hi"]}'),
        ('"model":""', '{"model":""}'),
        ('"metadata":{"b":1.0,"a":1E2}', '{"metadata":{"b":1.0,"a":1E2}}'),
        ('"\\ud800":[1, "\\udfff"]', '{"\\ud800":[1, "\\udfff"]}'),
    ],
)
def test_what_no_field_can_hold_is_kept_as_the_text_it_came_as(member: str, kept: str) -> None:
    params = read("{" + member + "}")

    assert params.extra_json == kept
    assert member in write(params)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("messages.0", '{"role":"user","content":"x","cache_control":{"ttl":"5m"}}'),
        ("messages.0", '{"role":"user","content":[]}'),
        ("messages.0", '{"role":"user","content":["x"]}'),
        ("messages.0", '{"role":"assistant","content":"x","tool_calls":[]}'),
        ("messages.0", '{"role":"assistant","content":"x","function_call":null}'),
        (
            "messages.0",
            '{"role":"assistant","content":"x","tool_calls":[{"type":"function","function":{"arguments":{}}}]}',
        ),
        (
            "messages.0",
            '{"role":"assistant","content":null,"tool_calls":[{"type":"custom","custom":{"a":1}}]}',
        ),
        ("messages.0", '{"role":"user","content":[{"type":"text","text":7}]}'),
        ("messages.0", '{"role":"user","content":[{"type":"image_url","image_url":"https://x"}]}'),
        ("tools.0", '{"type":"web_search"}'),
        ("tools.0", '{"google_search":{}}'),
        ("tools.0", '{"type":"","function":{"name":"f"}}'),
        ("tools.0", '{"type":"function","function":{"name":"f","parameters":[]}}'),
        ("tool_choice", '"auto"'),
        ("tool_choice", '{"type":"function","function":{"name":"f","x":1}}'),
        ("tool_choice", '{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[]}}'),
        ("tool_choice", "[]"),
        ("tool_choice", '{"type":"function","function":null}'),
        ("response_format", '{"type":"json_schema","json_schema":{}}'),
        ("response_format", '{"type":"json_schema","json_schema":{"name":"n","x":1}}'),
        ("response_format", '{"type":"json_schema","json_schema":7}'),
        ("response_format", '{"type":"json_object","schema":{"a":1.0}}'),
        ("stream_options", '{"include_obfuscation":false}'),
    ],
)
def test_odd_shapes_come_back_as_they_were(path: str, message: str) -> None:
    name, _, index = path.partition(".")
    value = f"[{message}]" if index else message
    body = f'{{"model":"m","{name}":{value}}}'

    assert json.loads(write(read(body))) == json.loads(body)


def test_a_choice_of_one_function_is_typed() -> None:
    params = read('{"tool_choice":{"type":"function","function":{"name":"f"}}}')

    assert params.tool_choice.function == "f"


def test_usage_without_its_counts_is_no_typed_usage() -> None:
    body = b'{"choices":[],"usage":{"cost":0.1}}'

    completion = codec.completion_from_json(body)

    assert not completion.HasField("usage")
    assert completion.extra_json == '{"usage":{"cost":0.1}}'


def test_details_of_usage_are_flattened_and_the_rest_keeps_its_place() -> None:
    usage = (
        '{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,'
        '"prompt_tokens_details":{"cached_tokens":2,"audio_tokens":0},"queue_time":0.10}'
    )

    chunk = codec.chunk_from_json(f'{{"choices":[],"usage":{usage}}}'.encode())

    assert (chunk.usage.cached_tokens, chunk.usage.HasField("reasoning_tokens")) == (2, False)
    assert (
        chunk.usage.extra_json == '{"prompt_tokens_details":{"audio_tokens":0},"queue_time":0.10}'
    )
    assert usage in codec.chunk_to_json(chunk).decode()


def test_deltas_of_tool_calls_are_flattened() -> None:
    body = (
        '{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,'
        '"delta":{"tool_calls":[{"index":1,"id":"t","type":"function",'
        '"function":{"name":"f","arguments":""}}]},"finish_reason":null}]}'
    )

    chunk = codec.chunk_from_json(body.encode())

    call = chunk.choices[0].delta.tool_calls[0]
    assert (call.index, call.id, call.name, call.arguments_json) == (1, "t", "f", "")
    assert call.HasField("arguments_json")
    assert codec.chunk_to_json(chunk).decode() == body


REFUSED = {
    "extra_json": pb.ChatCompletionParams(extra_json="{"),
    "extra_json ": pb.ChatCompletionParams(extra_json="[]"),
    "extra_json  ": pb.ChatCompletionParams(extra_json='{"a":NaN}'),
    "extra_json   ": pb.ChatCompletionParams(extra_json="{}{}"),
    "extra_json    ": pb.ChatCompletionParams(extra_json='{"stream":true}'),
    "extra_json     ": pb.ChatCompletionParams(model="m", extra_json='{"mod\\u0065l":"x"}'),
    "extra_json      ": pb.ChatCompletionParams(n=0, extra_json='{"n":1}'),
    "temperature": pb.ChatCompletionParams(temperature=float("nan")),
    "tool_choice": pb.ChatCompletionParams(tool_choice=pb.ToolChoice()),
    "tool_choice.choice_json": pb.ChatCompletionParams(tool_choice=pb.ToolChoice(choice_json="no")),
    "tools[1].function.parameters_json": pb.ChatCompletionParams(
        tools=[
            pb.Tool(),
            pb.Tool(function=pb.FunctionDefinition(name="f", parameters_json="[]")),
        ]
    ),
    "response_format.response_schema_json": pb.ChatCompletionParams(
        response_format=pb.ResponseFormat(type="json_schema", response_schema_json='"x"')
    ),
    "response_format.extra_json": pb.ChatCompletionParams(
        response_format=pb.ResponseFormat(name="n", extra_json='{"json_schema":{"name":"x"}}')
    ),
    "response_format.extra_json ": pb.ChatCompletionParams(
        response_format=pb.ResponseFormat(name="n", extra_json='{"json_schema":1}')
    ),
    "messages[0].extra_json": pb.ChatCompletionParams(
        messages=[pb.ChatMessage(content="a", extra_json='{"content":"b"}')]
    ),
    "messages[0].parts[1]": pb.ChatCompletionParams(
        messages=[pb.ChatMessage(parts=[pb.ContentPart(text="a"), pb.ContentPart()])]
    ),
    "messages[0].parts[0].part_json": pb.ChatCompletionParams(
        messages=[pb.ChatMessage(parts=[pb.ContentPart(part_json="7")])]
    ),
    "messages[0].parts[0].extra_json": pb.ChatCompletionParams(
        messages=[pb.ChatMessage(parts=[pb.ContentPart(part_json="{}", extra_json="{}")])]
    ),
    "messages[0].tool_calls[0].function.extra_json": pb.ChatCompletionParams(
        messages=[
            pb.ChatMessage(
                tool_calls=[
                    pb.ToolCall(function=pb.FunctionCall(name="f", extra_json='{"name":"g"}'))
                ]
            )
        ]
    ),
}


@pytest.mark.parametrize(("where", "params"), REFUSED.items(), ids=REFUSED)
def test_a_callers_text_at_fault_is_refused_by_its_path(
    where: str, params: pb.ChatCompletionParams
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        codec.params_to_json(params, stream=False)

    assert caught.value.param == where.strip()


def test_extra_json_may_name_a_field_that_is_not_set() -> None:
    params = pb.ChatCompletionParams(model="m", extra_json='{"seed": 1e3, "messages": null}')

    assert write(params) == '{"model":"m","messages":null,"seed":1e3}'


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"{", None),
        (b'"x"', None),
        (b'{"model":"\xff"}', None),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", None),
        (b'{"stream":"yes"}', "stream"),
    ],
)
def test_a_request_that_is_no_json_object_is_refused(body: bytes, param: str | None) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        codec.params_from_json(body)

    assert caught.value.param == param


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b'{"a":"\xff"}', b"null"])
def test_an_answer_that_is_no_json_object_is_the_providers_failure(text: bytes) -> None:
    for read_answer in (codec.completion_from_json, codec.chunk_from_json):
        with pytest.raises(UpstreamUnavailableError):
            read_answer(text)


@pytest.mark.parametrize("depth", [*range(900, 1010, 3), 5_000, 100_000])
def test_nesting_too_deep_is_refused_and_never_overflows(depth: int) -> None:
    nested = '{"a":' * depth + "1" + "}" * depth
    schema = pb.FunctionDefinition(name="f", parameters_json=nested)
    params = pb.ChatCompletionParams(tools=[pb.Tool(function=schema)])
    body = f'{{"tools":[{{"function":{{"name":"f","parameters":{nested}}}}}]}}'

    with contextlib.suppress(InvalidRequestError):
        write(params)
    with contextlib.suppress(InvalidRequestError):
        read(body)
    with contextlib.suppress(UpstreamUnavailableError):
        codec.completion_from_json(f'{{"choices":[{{"logprobs":{nested}}}]}}'.encode())


def test_nesting_as_deep_as_schemas_are_is_kept() -> None:
    nested = '{"a":' * 300 + "1" + "}" * 300
    body = f'{{"tools":[{{"type":"function","function":{{"parameters":{nested}}}}}]}}'

    assert write(read(body)) == body


def test_an_error_frame_is_kept_whole() -> None:
    chunk = codec.chunk_from_json(b'{"error":{"message":"no"}}')

    assert chunk.extra_json == '{"error":{"message":"no"}}'
