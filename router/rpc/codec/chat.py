"""The chat messages, field by field, as tables: `protos/trunkline/v1/chat_service.proto` and OpenAI's JSON.

Source of the JSON: https://platform.openai.com/docs/api-reference/chat
"""

from typing import Final

from router.errors import InvalidRequestError
from router.rpc.codec import members
from router.rpc.codec.kinds import FieldError
from router.rpc.codec.oneof import Bare, OneOf
from router.rpc.codec.outermost import TOO_DEEP, read_answer, refused, written
from router.rpc.codec.scalars import ANY_TEXT, BOOLEAN, DOUBLE, INT32, INT64, OBJECT_TEXT, STRING
from router.rpc.codec.shapes import Constant, Field, Nested, Repeated, Table, Texts, table
from router.wire import jsontext
from trunkline.v1 import chat_service_pb2 as pb

_EMPTY: Final = b'""'
_FUNCTION: Final = b'"function"'

_IMAGE_URL: Final = table(
    Field("url", "url", STRING, absent=_EMPTY, needed=True),
    Field("detail", "detail", STRING),
)

_CONTENT_PART: Final = OneOf(
    "part",
    {
        "text": table(
            Field("type", "", Constant(b'"text"'), absent=b'"text"', needed=True),
            Field("text", "text", STRING, needed=True),
        ),
        "image_url": table(
            Field("type", "", Constant(b'"image_url"'), absent=b'"image_url"', needed=True),
            Field("image_url", "image_url", Nested(_IMAGE_URL), needed=True),
        ),
        "part_json": Bare("part_json", OBJECT_TEXT),
    },
)

_FUNCTION_CALL: Final = table(
    Field("name", "name", STRING),
    Field("arguments", "arguments_json", STRING, absent=_EMPTY),
)

_TOOL_CALL: Final = table(
    Field("id", "id", STRING),
    Field("type", "type", STRING, absent=_FUNCTION, when="function"),
    Field("function", "function", Nested(_FUNCTION_CALL)),
)

_MESSAGE: Final = table(
    Field("role", "role", STRING),
    Field("content", "parts", Repeated(_CONTENT_PART), absent=b"null"),
    Field("content", "content", STRING, absent=b"null"),
    Field("name", "name", STRING),
    Field("tool_calls", "tool_calls", Repeated(_TOOL_CALL)),
    Field("tool_call_id", "tool_call_id", STRING),
    Field("refusal", "refusal", STRING),
    Field("reasoning_content", "reasoning_content", STRING),
)

_FUNCTION_DEFINITION: Final = table(
    Field("name", "name", STRING),
    Field("description", "description", STRING),
    Field("parameters", "parameters_json", OBJECT_TEXT),
    Field("strict", "strict", BOOLEAN),
)

_TOOL: Final = table(
    Field("type", "type", STRING, absent=_FUNCTION, when="function"),
    Field("function", "function", Nested(_FUNCTION_DEFINITION)),
)

_TOOL_CHOICE: Final = OneOf(
    "choice",
    {
        "mode": Bare("mode", STRING),
        "function": table(
            Field("type", "", Constant(_FUNCTION), absent=_FUNCTION, needed=True),
            Field("function.name", "function", STRING, needed=True),
            strict=True,
        ),
        "choice_json": Bare("choice_json", ANY_TEXT),
    },
)

_RESPONSE_FORMAT: Final = table(
    Field("type", "type", STRING),
    Field("json_schema.name", "name", STRING),
    Field("json_schema.description", "description", STRING),
    Field("json_schema.schema", "response_schema_json", OBJECT_TEXT),
    Field("json_schema.strict", "strict", BOOLEAN),
)

_STREAM_OPTIONS: Final = table(Field("include_usage", "include_usage", BOOLEAN))

PARAMS: Final = table(
    Field("model", "model", STRING),
    Field("messages", "messages", Repeated(_MESSAGE)),
    Field("max_completion_tokens", "max_completion_tokens", INT64),
    Field("max_tokens", "max_tokens", INT64),
    Field("temperature", "temperature", DOUBLE),
    Field("top_p", "top_p", DOUBLE),
    Field("n", "n", INT32),
    Field("stop", "stop", Texts(STRING)),
    Field("presence_penalty", "presence_penalty", DOUBLE),
    Field("frequency_penalty", "frequency_penalty", DOUBLE),
    Field("seed", "seed", INT64),
    Field("logprobs", "logprobs", BOOLEAN),
    Field("top_logprobs", "top_logprobs", INT32),
    Field("tools", "tools", Repeated(_TOOL)),
    Field("tool_choice", "tool_choice", Nested(_TOOL_CHOICE)),
    Field("parallel_tool_calls", "parallel_tool_calls", BOOLEAN),
    Field("response_format", "response_format", Nested(_RESPONSE_FORMAT)),
    Field("reasoning_effort", "reasoning_effort", STRING),
    Field("service_tier", "service_tier", STRING),
    Field("user", "user", STRING),
    Field("stream_options", "stream_options", Nested(_STREAM_OPTIONS)),
)

_USAGE: Final = table(
    Field("prompt_tokens", "prompt_tokens", INT64, absent=b"0", needed=True),
    Field("completion_tokens", "completion_tokens", INT64, absent=b"0", needed=True),
    Field("total_tokens", "total_tokens", INT64, absent=b"0"),
    Field("prompt_tokens_details.cached_tokens", "cached_tokens", INT64),
    Field("completion_tokens_details.reasoning_tokens", "reasoning_tokens", INT64),
)

_CHOICE: Final = table(
    Field("index", "index", INT32, absent=b"0"),
    Field("message", "message", Nested(_MESSAGE)),
    Field("finish_reason", "finish_reason", STRING, absent=b"null"),
    Field("logprobs", "logprobs_json", OBJECT_TEXT),
)

_TOOL_CALL_DELTA: Final = table(
    Field("index", "index", INT32, absent=b"0"),
    Field("id", "id", STRING),
    Field("type", "type", STRING),
    Field("function.name", "name", STRING),
    Field("function.arguments", "arguments_json", STRING),
)

_DELTA: Final = table(
    Field("role", "role", STRING),
    Field("content", "content", STRING),
    Field("tool_calls", "tool_calls", Repeated(_TOOL_CALL_DELTA)),
    Field("refusal", "refusal", STRING),
    Field("reasoning_content", "reasoning_content", STRING),
)

_CHUNK_CHOICE: Final = table(
    Field("index", "index", INT32, absent=b"0"),
    Field("delta", "delta", Nested(_DELTA)),
    Field("finish_reason", "finish_reason", STRING, absent=b"null"),
    Field("logprobs", "logprobs_json", OBJECT_TEXT),
)


def _answer(kind: bytes, choice: Table) -> Table:
    return table(
        Field("id", "id", STRING),
        Field("object", "", Constant(kind), absent=kind),
        Field("created", "created", INT64),
        Field("model", "model", STRING),
        Field("choices", "choices", Repeated(choice), absent=b"[]"),
        Field("usage", "usage", Nested(_USAGE)),
        Field("service_tier", "service_tier", STRING),
        Field("system_fingerprint", "system_fingerprint", STRING),
    )


COMPLETION: Final = _answer(b'"chat.completion"', _CHOICE)
CHUNK: Final = _answer(b'"chat.completion.chunk"', _CHUNK_CHOICE)

TABLES: Final = (
    (PARAMS, pb.ChatCompletionParams),
    (COMPLETION, pb.ChatCompletion),
    (CHUNK, pb.ChatCompletionChunk),
)
"""The outermost tables and their messages; a test holds every field of the protos to them."""


def params_to_json(params: pb.ChatCompletionParams, *, stream: bool) -> bytes:
    """Return the request body of OpenAI's API for `params`; `"stream": true` stands in it if `stream`.

    Raises:
        InvalidRequestError: if JSON text of the caller is malformed, has the wrong type or names a field
            that is set; `param` is the path of the proto field.

    """
    given = written(PARAMS, params)
    if "stream" in given:
        raise refused(FieldError("it names 'stream', which the RPC decides", "extra_json"))
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
        raise InvalidRequestError(TOO_DEEP) from exc
    return params


def completion_from_json(body: bytes) -> pb.ChatCompletion:
    """Return the completion in the body of a 200.

    Raises:
        UpstreamUnavailableError: if it is not a well-formed JSON object.

    """
    completion = pb.ChatCompletion()
    read_answer(COMPLETION, body, completion)
    return completion


def completion_to_json(completion: pb.ChatCompletion) -> bytes:
    """Return a completion as OpenAI's API answers it.

    Raises:
        InvalidRequestError: as `params_to_json`.

    """
    return members.join(written(COMPLETION, completion))


def chunk_from_json(payload: bytes) -> pb.ChatCompletionChunk:
    """Return the chunk in the payload of one streamed event.

    Raises:
        UpstreamUnavailableError: if it is not a well-formed JSON object.

    """
    chunk = pb.ChatCompletionChunk()
    read_answer(CHUNK, payload, chunk)
    return chunk


def chunk_to_json(chunk: pb.ChatCompletionChunk) -> bytes:
    """Return a chunk as the payload of one of OpenAI's streamed events.

    Raises:
        InvalidRequestError: as `params_to_json`.

    """
    return members.join(written(CHUNK, chunk))
