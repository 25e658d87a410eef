"""The typed messages of `trunkline.v1` and their JSON forms: pure, both ways, nothing lost.

Primitives::

    members   an object's text as `{key: text of its value}`, and back: values are cut, never respelled
    Field     one row of a table: JSON key, proto field, kind of value, what is written when it is not set
    Shape     how a value becomes a message and a message a value; nearly all are tables of fields

`members.py` cuts and joins text, `kinds.py` reads and writes plain values, `shapes.py` and `oneof.py` are the
engine, `chat.py` and `embeddings.py` hold the tables of their messages, `models.py` the model list (that way
only).

What a round trip JSON → message → JSON keeps: everything, by these rules.

- A member that no field names goes into the nearest `extra_json` as the text it came as, and so does a
  value that its field cannot hold: a wrong type, an integer out of range, an explicit zero or empty list
  where the field cannot tell it from absent, text with a lone surrogate, a list with a misfit in it.
- `null` for a named field is absence, and absent `content` and `finish_reason` are written as `null`:
  OpenAI always sends them. `null` stays `null`, in `extra_json`, for `choices`, `index`, `total_tokens`,
  `arguments`, `object` and a tool's or call's `type`.
- These are always written, so what was absent comes back: `object` as its constant, `choices` as `[]`,
  `index` and `total_tokens` as `0`, `arguments` as `""`, and `"type": "function"` beside a `function`.
- `"stop": "x"` is `"stop": ["x"]`; a number in a double field may be respelled (`1` as `1.0`).
- Of a member that an object names twice, the last one counts, as everywhere.
- `stream` is the RPC's: it is not kept, and written as the caller of `params_to_json` says.

In the other direction `extra_json` may name a field only while the typed field is not set.
"""

from router.rpc.codec.chat import (
    chunk_from_json,
    chunk_to_json,
    completion_from_json,
    completion_to_json,
    params_from_json,
    params_to_json,
)
from router.rpc.codec.embeddings import (
    embedding_params_from_json,
    embedding_params_to_json,
    embeddings_from_json,
    embeddings_to_json,
)
from router.rpc.codec.models import (
    DEFAULT_PAGE_SIZE,
    MAX_PAGE_SIZE,
    StandingOf,
    list_models_response,
    model_message,
    watch_models_response,
)

__all__ = [
    "DEFAULT_PAGE_SIZE",
    "MAX_PAGE_SIZE",
    "StandingOf",
    "chunk_from_json",
    "chunk_to_json",
    "completion_from_json",
    "completion_to_json",
    "embedding_params_from_json",
    "embedding_params_to_json",
    "embeddings_from_json",
    "embeddings_to_json",
    "list_models_response",
    "model_message",
    "params_from_json",
    "params_to_json",
    "watch_models_response",
]
