"""The chat messages, field by field, as tables: `protos/trunkline/v1/chat_service.proto` and OpenAI's JSON.

Source of the JSON: https://platform.openai.com/docs/api-reference/chat
"""

from typing import Final

import msgspec
from google.protobuf.message import Message

from router.errors import InvalidRequestError, UpstreamUnavailableError
from router.rpc.codec import kinds, members
from router.rpc.codec.kinds import ANY_JSON, FieldError, MisfitError
from router.rpc.codec.oneof import Bare, OneOf
from router.rpc.codec.shapes import (
    Constant,
    Field,
    Nested,
    Repeated,
    Scalar,
    Table,
    Texts,
    table,
)
from router.wire import jsontext
from trunkline.v1 import chat_service_pb2 as pb

_INT32: Final = Scalar(kinds.integer(32), kinds.write_integer)
_INT64: Final = Scalar(kinds.integer(64), kinds.write_integer)
_DOUBLE: Final = Scalar(kinds.read_double, kinds.write_double)
_BOOLEAN: Final = Scalar(kinds.read_boolean, kinds.write_boolean)
_STRING: Final = Scalar(kinds.read_string, msgspec.json.encode)
_OBJECT_TEXT: Final = Scalar(kinds.json_text(b"{"), kinds.write_json_text(b"{"))
_ANY_TEXT: Final = Scalar(kinds.json_text(ANY_JSON), kinds.write_json_text(ANY_JSON))

_EMPTY: Final = b'""'
_FUNCTION: Final = b'"function"'

_IMAGE_URL: Final = table(
    Field("url", "url", _STRING, absent=_EMPTY, needed=True),
    Field("detail", "detail", _STRING),
)

_CONTENT_PART: Final = OneOf(
    "part",
    {
        "text": table(
            Field("type", "", Constant(b'"text"'), absent=b'"text"', needed=True),
            Field("text", "text", _STRING, needed=True),
        ),
        "image_url": table(
            Field("type", "", Constant(b'"image_url"'), absent=b'"image_url"', needed=True),
            Field("image_url", "image_url", Nested(_IMAGE_URL), needed=True),
        ),
        "part_json": Bare("part_json", _OBJECT_TEXT),
    },
)

_FUNCTION_CALL: Final = table(
    Field("name", "name", _STRING),
    Field("arguments", "arguments_json", _STRING, absent=_EMPTY),
)

_TOOL_CALL: Final = table(
    Field("id", "id", _STRING),
    Field("type", "type", _STRING, absent=_FUNCTION, when="function"),
    Field("function", "function", Nested(_FUNCTION_CALL)),
)

_MESSAGE: Final = table(
    Field("role", "role", _STRING),
    Field("content", "parts", Repeated(_CONTENT_PART), absent=b"null"),
    Field("content", "content", _STRING, absent=b"null"),
    Field("name", "name", _STRING),
    Field("tool_calls", "tool_calls", Repeated(_TOOL_CALL)),
    Field("tool_call_id", "tool_call_id", _STRING),
    Field("refusal", "refusal", _STRING),
    Field("reasoning_content", "reasoning_content", _STRING),
)

_FUNCTION_DEFINITION: Final = table(
    Field("name", "name", _STRING),
    Field("description", "description", _STRING),
    Field("parameters", "parameters_json", _OBJECT_TEXT),
    Field("strict", "strict", _BOOLEAN),
)

_TOOL: Final = table(
    Field("type", "type", _STRING, absent=_FUNCTION, when="function"),
    Field("function", "function", Nested(_FUNCTION_DEFINITION)),
)

_TOOL_CHOICE: Final = OneOf(
    "choice",
    {
        "mode": Bare("mode", _STRING),
        "function": table(
            Field("type", "", Constant(_FUNCTION), absent=_FUNCTION, needed=True),
            Field("function.name", "function", _STRING, needed=True),
            strict=True,
        ),
        "choice_json": Bare("choice_json", _ANY_TEXT),
    },
)

_RESPONSE_FORMAT: Final = table(
    Field("type", "type", _STRING),
    Field("json_schema.name", "name", _STRING),
    Field("json_schema.description", "description", _STRING),
    Field("json_schema.schema", "response_schema_json", _OBJECT_TEXT),
    Field("json_schema.strict", "strict", _BOOLEAN),
)

_STREAM_OPTIONS: Final = table(Field("include_usage", "include_usage", _BOOLEAN))

PARAMS: Final = table(
    Field("model", "model", _STRING),
    Field("messages", "messages", Repeated(_MESSAGE)),
    Field("max_completion_tokens", "max_completion_tokens", _INT64),
    Field("max_tokens", "max_tokens", _INT64),
    Field("temperature", "temperature", _DOUBLE),
    Field("top_p", "top_p", _DOUBLE),
    Field("n", "n", _INT32),
    Field("stop", "stop", Texts(_STRING)),
    Field("presence_penalty", "presence_penalty", _DOUBLE),
    Field("frequency_penalty", "frequency_penalty", _DOUBLE),
    Field("seed", "seed", _INT64),
    Field("logprobs", "logprobs", _BOOLEAN),
    Field("top_logprobs", "top_logprobs", _INT32),
    Field("tools", "tools", Repeated(_TOOL)),
    Field("tool_choice", "tool_choice", Nested(_TOOL_CHOICE)),
    Field("parallel_tool_calls", "parallel_tool_calls", _BOOLEAN),
    Field("response_format", "response_format", Nested(_RESPONSE_FORMAT)),
    Field("reasoning_effort", "reasoning_effort", _STRING),
    Field("service_tier", "service_tier", _STRING),
    Field("user", "user", _STRING),
    Field("stream_options", "stream_options", Nested(_STREAM_OPTIONS)),
)

_USAGE: Final = table(
    Field("prompt_tokens", "prompt_tokens", _INT64, absent=b"0", needed=True),
    Field("completion_tokens", "completion_tokens", _INT64, absent=b"0", needed=True),
    Field("total_tokens", "total_tokens", _INT64, absent=b"0"),
    Field("prompt_tokens_details.cached_tokens", "cached_tokens", _INT64),
    Field("completion_tokens_details.reasoning_tokens", "reasoning_tokens", _INT64),
)

_CHOICE: Final = table(
    Field("index", "index", _INT32, absent=b"0"),
    Field("message", "message", Nested(_MESSAGE)),
    Field("finish_reason", "finish_reason", _STRING, absent=b"null"),
    Field("logprobs", "logprobs_json", _OBJECT_TEXT),
)

_TOOL_CALL_DELTA: Final = table(
    Field("index", "index", _INT32, absent=b"0"),
    Field("id", "id", _STRING),
    Field("type", "type", _STRING),
    Field("function.name", "name", _STRING),
    Field("function.arguments", "arguments_json", _STRING),
)

_DELTA: Final = table(
    Field("role", "role", _STRING),
    Field("content", "content", _STRING),
    Field("tool_calls", "tool_calls", Repeated(_TOOL_CALL_DELTA)),
    Field("refusal", "refusal", _STRING),
    Field("reasoning_content", "reasoning_content", _STRING),
)

_CHUNK_CHOICE: Final = table(
    Field("index", "index", _INT32, absent=b"0"),
    Field("delta", "delta", Nested(_DELTA)),
    Field("finish_reason", "finish_reason", _STRING, absent=b"null"),
    Field("logprobs", "logprobs_json", _OBJECT_TEXT),
)


def _answer(kind: bytes, choice: Table) -> Table:
    return table(
        Field("id", "id", _STRING),
        Field("object", "", Constant(kind), absent=kind),
        Field("created", "created", _INT64),
        Field("model", "model", _STRING),
        Field("choices", "choices", Repeated(choice), absent=b"[]"),
        Field("usage", "usage", Nested(_USAGE)),
        Field("service_tier", "service_tier", _STRING),
        Field("system_fingerprint", "system_fingerprint", _STRING),
    )


COMPLETION: Final = _answer(b'"chat.completion"', _CHOICE)
CHUNK: Final = _answer(b'"chat.completion.chunk"', _CHUNK_CHOICE)

TABLES: Final = (
    (PARAMS, pb.ChatCompletionParams),
    (COMPLETION, pb.ChatCompletion),
    (CHUNK, pb.ChatCompletionChunk),
)
"""The outermost tables and their messages; a test holds every field of the protos to them."""


_TOO_DEEP: Final = "The request's JSON is nested too deeply."
"""JSON that passes the check may still be too deep some Python frames further down."""


def params_to_json(params: pb.ChatCompletionParams, *, stream: bool) -> bytes:
    """Return the request body of OpenAI's API for `params`; `"stream": true` stands in it if `stream`.

    Raises:
        InvalidRequestError: if JSON text of the caller is malformed, has the wrong type or names a field
            that is set; `param` is the path of the proto field.

    """
    given = _written(PARAMS, params)
    if "stream" in given:
        raise _refused(FieldError("it names 'stream', which the RPC decides", "extra_json"))
    if stream:
        given["stream"] = b"true"
    return members.join(given)


def params_from_json(body: bytes) -> pb.ChatCompletionParams:
    """Return the parameters in a request body; `stream` is left out, it is the RPC's.

    Raises:
        InvalidRequestError: if `body` is not a well-formed JSON object, or `stream` not a boolean.

    """
    params = pb.ChatCompletionParams()
    try:
        jsontext.check(body)
        given = members.split(body)
        if given.pop("stream", b"null") not in (b"true", b"false", b"null"):
            msg = "Invalid type for 'stream': expected a boolean or null."
            raise InvalidRequestError(msg, param="stream")
        PARAMS.read_members(given, params)
    except jsontext.MalformedJsonError as exc:
        msg = f"We could not parse the JSON body of your request: {exc}."
        raise InvalidRequestError(msg) from exc
    except members.WrongTypeError as exc:
        raise InvalidRequestError("The request body must be a JSON object.") from exc
    except RecursionError as exc:
        raise InvalidRequestError(_TOO_DEEP) from exc
    return params


def completion_from_json(body: bytes) -> pb.ChatCompletion:
    """Return the completion in the body of a 200.

    Raises:
        UpstreamUnavailableError: if it is not a well-formed JSON object.

    """
    completion = pb.ChatCompletion()
    _read_answer(COMPLETION, body, completion)
    return completion


def completion_to_json(completion: pb.ChatCompletion) -> bytes:
    """Return a completion as OpenAI's API answers it.

    Raises:
        InvalidRequestError: as `params_to_json`.

    """
    return members.join(_written(COMPLETION, completion))


def chunk_from_json(payload: bytes) -> pb.ChatCompletionChunk:
    """Return the chunk in the payload of one streamed event.

    Raises:
        UpstreamUnavailableError: if it is not a well-formed JSON object.

    """
    chunk = pb.ChatCompletionChunk()
    _read_answer(CHUNK, payload, chunk)
    return chunk


def chunk_to_json(chunk: pb.ChatCompletionChunk) -> bytes:
    """Return a chunk as the payload of one of OpenAI's streamed events.

    Raises:
        InvalidRequestError: as `params_to_json`.

    """
    return members.join(_written(CHUNK, chunk))


def _read_answer(table: Table, text: bytes, message: Message) -> None:
    try:
        jsontext.check(text)
        table.read(text, message)
    except (jsontext.MalformedJsonError, MisfitError, RecursionError) as exc:
        raise UpstreamUnavailableError("The provider's answer is not a JSON object.") from exc


def _written(table: Table, message: Message) -> dict[str, bytes]:
    try:
        return table.write_members(message)
    except FieldError as exc:
        raise _refused(exc) from exc
    except jsontext.MalformedJsonError as exc:
        # Each text has been checked: what remains is an object with more members than are looked at.
        raise InvalidRequestError(f"JSON text of the request is refused: {exc}.") from exc
    except RecursionError as exc:
        raise InvalidRequestError(_TOO_DEEP) from exc


def _refused(exc: FieldError) -> InvalidRequestError:
    return InvalidRequestError(f"Invalid '{exc.where}': {exc.problem}.", param=exc.where)
