"""The embedding messages as tables: `protos/trunkline/v1/embedding_service.proto` and OpenAI's JSON.

Source of the JSON: https://platform.openai.com/docs/api-reference/embeddings
"""

from typing import Final

from router.errors import InvalidRequestError
from router.rpc.codec import members
from router.rpc.codec.oneof import Bare
from router.rpc.codec.outermost import TOO_DEEP, read_answer, written
from router.rpc.codec.scalars import INT32, INT64, STRING
from router.rpc.codec.shapes import Constant, Field, Nested, Numbers, Repeated, Values, table
from router.wire import jsontext
from trunkline.v1 import embedding_service_pb2 as pb

_TOKENS: Final = Values(INT64)

PARAMS: Final = table(
    Field("model", "model", STRING),
    Field("input", "text", STRING),
    Field("input", "texts", Values(STRING)),
    Field("input", "tokens", _TOKENS),
    Field("input", "token_lists", Repeated(Bare("tokens", _TOKENS))),
    Field("encoding_format", "encoding_format", STRING),
    Field("dimensions", "dimensions", INT64),
    Field("user", "user", STRING),
)

_EMBEDDING: Final = table(
    Field("object", "", Constant(b'"embedding"'), absent=b'"embedding"'),
    Field("index", "index", INT32, absent=b"0"),
    Field("embedding", "vector", Numbers()),
    Field("embedding", "base64", STRING),
)

_USAGE: Final = table(
    Field("prompt_tokens", "prompt_tokens", INT64, absent=b"0", needed=True),
    Field("total_tokens", "total_tokens", INT64, absent=b"0", needed=True),
)

EMBEDDINGS: Final = table(
    Field("object", "", Constant(b'"list"'), absent=b'"list"'),
    Field("data", "data", Repeated(_EMBEDDING), absent=b"[]"),
    Field("model", "model", STRING),
    Field("usage", "usage", Nested(_USAGE)),
)

TABLES: Final = ((PARAMS, pb.EmbeddingParams), (EMBEDDINGS, pb.EmbeddingList))
"""The outermost tables and their messages; a test holds every field of the protos to them."""


def embedding_params_to_json(params: pb.EmbeddingParams) -> bytes:
    """Return the request body of OpenAI's API for `params`.

    Raises:
        InvalidRequestError: if JSON text of the caller is malformed or names a field that is set, or if
            more than one field holds the input; `param` is the path of the proto field.

    """
    given = [name for name in ("texts", "tokens", "token_lists") if len(getattr(params, name))]
    given += ["text"] if params.HasField("text") else []
    if len(given) > 1:
        msg = f"Only one of {', '.join(sorted(given))} can hold the input."
        raise InvalidRequestError(msg, param=given[0])
    return members.join(written(PARAMS, params))


def embedding_params_from_json(body: bytes) -> pb.EmbeddingParams:
    """Return the parameters in a request body.

    Raises:
        InvalidRequestError: if `body` is not a well-formed JSON object.

    """
    params = pb.EmbeddingParams()
    try:
        jsontext.check(body)
        PARAMS.read_members(members.split(body), params)
    except jsontext.MalformedJsonError as exc:
        msg = f"We could not parse the JSON body of your request: {exc}."
        raise InvalidRequestError(msg) from exc
    except members.WrongTypeError as exc:
        raise InvalidRequestError("The request body must be a JSON object.") from exc
    except RecursionError as exc:
        raise InvalidRequestError(TOO_DEEP) from exc
    return params


def embeddings_from_json(body: bytes) -> pb.EmbeddingList:
    """Return the embeddings in the body of a 200.

    Raises:
        UpstreamUnavailableError: if it is not a well-formed JSON object.

    """
    embeddings = pb.EmbeddingList()
    read_answer(EMBEDDINGS, body, embeddings)
    return embeddings


def embeddings_to_json(embeddings: pb.EmbeddingList) -> bytes:
    """Return embeddings as OpenAI's API answers them.

    Raises:
        InvalidRequestError: as `embedding_params_to_json`.

    """
    return members.join(written(EMBEDDINGS, embeddings))
