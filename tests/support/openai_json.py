"""OpenAI's JSON in tests: what two spellings of it have in common, and any amount of it, generated."""

import json
from decimal import Decimal
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

Json = Any

_MESSAGE: Final = {"tool_calls": [{"function": {"arguments": ""}, "type": "function"}]}
_CHOICE: Final = {"index": 0}

EQUIVALENT: Final[dict[str, Json]] = {
    "params": {"messages": [_MESSAGE], "tools": [{"type": "function"}]},
    "completion": {
        "object": "chat.completion",
        "choices": [_CHOICE | {"message": _MESSAGE}],
        "usage": {"total_tokens": 0},
    },
    "chunk": {
        "object": "chat.completion.chunk",
        "choices": [_CHOICE | {"delta": {"tool_calls": [{"index": 0}]}}],
        "usage": {"total_tokens": 0},
    },
}
"""What is written for absent members: scalars here, and `choices`; the rest says what is under them."""


def number(text: str) -> tuple[str, Decimal]:
    return ("number", Decimal(text))


def load(text: str | bytes) -> Json:
    return json.loads(text, parse_int=number, parse_float=number)


def plain(value: Json, defaults: Json) -> Json:
    """Return `value` with absent members as they are written and null members left out."""
    if isinstance(value, list) and isinstance(defaults, list):
        return [plain(item, defaults[0]) for item in value]
    if not isinstance(value, dict):
        return value
    known = defaults if isinstance(defaults, dict) else {}
    out = {k: plain(v, known.get(k)) for k, v in value.items() if v is not None}
    for key, default in known.items():
        if key in value or (key == "type" and "function" not in out):
            continue
        if key == "choices":
            out[key] = []
        elif isinstance(default, str | int):
            out[key] = number(str(default)) if isinstance(default, int) else default
    return out


def plain_params(value: Json) -> Json:
    out = plain(value, EQUIVALENT["params"])
    out.pop("stream", None)
    if isinstance(out.get("stop"), str):
        out["stop"] = [out["stop"]]
    return out


any_text = st.text(st.characters(exclude_categories=()), max_size=8)
any_number = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))
any_json = st.recursive(
    st.one_of(st.none(), st.booleans(), any_number, any_text),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(any_text, inner, max_size=3)
    ),
    max_leaves=6,
)


def mostly(*right: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """What belongs in a field, or null, or anything at all."""
    return st.one_of(*right, *right, st.none(), any_json)


def an_object(**fields: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """An object with some of its fields, and sometimes with fields that nobody knows."""
    known: SearchStrategy[Any] = st.fixed_dictionaries(
        {}, optional={key: mostly(value) for key, value in fields.items()}
    )
    unknown = st.one_of(st.just({}), st.dictionaries(any_text, any_json, max_size=2))
    return st.builds(lambda a, b: b | a, known, unknown)


def some(strategy: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return st.lists(strategy, max_size=3)


schema = st.dictionaries(any_text, any_json, max_size=3)
call = an_object(
    id=any_text, type=st.just("function"), function=an_object(name=any_text, arguments=any_text)
)
part = st.one_of(
    an_object(type=st.just("text"), text=any_text),
    an_object(type=st.just("image_url"), image_url=an_object(url=any_text, detail=any_text)),
    an_object(type=st.just("file"), file=any_json),
)
message = an_object(
    role=st.sampled_from(["user", "assistant", "tool"]),
    content=st.one_of(any_text, some(part)),
    name=any_text,
    tool_calls=some(call),
    tool_call_id=any_text,
    refusal=any_text,
    reasoning_content=any_text,
)
params = an_object(
    model=any_text,
    messages=some(message),
    stream=st.booleans(),
    max_completion_tokens=st.integers(),
    temperature=any_number,
    n=st.integers(),
    stop=st.one_of(any_text, some(any_text)),
    seed=st.integers(-(2**64), 2**64),
    logprobs=st.booleans(),
    tools=some(
        an_object(
            type=st.just("function"),
            function=an_object(
                name=any_text, description=any_text, parameters=schema, strict=st.booleans()
            ),
        )
    ),
    tool_choice=st.one_of(
        st.sampled_from(["auto", ""]),
        an_object(type=st.just("function"), function=an_object(name=any_text)),
    ),
    response_format=an_object(
        type=any_text, json_schema=an_object(name=any_text, schema=schema, strict=st.booleans())
    ),
    stream_options=an_object(include_usage=st.booleans()),
).map(lambda value: value | {"stream": True} if "stream" in value else value)
usage = an_object(
    prompt_tokens=st.integers(0),
    completion_tokens=st.integers(0),
    total_tokens=st.integers(0),
    prompt_tokens_details=an_object(cached_tokens=st.integers(0)),
    completion_tokens_details=an_object(reasoning_tokens=st.integers(0)),
)
answer = {
    "id": any_text,
    "created": st.integers(),
    "model": any_text,
    "usage": usage,
    "service_tier": any_text,
    "system_fingerprint": any_text,
}
completion = an_object(
    object=st.just("chat.completion"),
    choices=some(
        an_object(index=st.integers(0), message=message, finish_reason=any_text, logprobs=schema)
    ),
    **answer,
)
delta = an_object(
    role=any_text,
    content=any_text,
    tool_calls=some(
        an_object(
            index=st.integers(0),
            id=any_text,
            type=any_text,
            function=an_object(name=any_text, arguments=any_text),
        )
    ),
    refusal=any_text,
    reasoning_content=any_text,
)
chunk = an_object(
    object=st.just("chat.completion.chunk"),
    choices=some(
        an_object(index=st.integers(0), delta=delta, finish_reason=any_text, logprobs=schema)
    ),
    **answer,
)
