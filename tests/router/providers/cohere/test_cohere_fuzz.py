"""Whatever a caller sends becomes a request in JSON, or is refused as the caller's fault."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from router.errors import InvalidRequestError
from router.providers.cohere import cohere_exchange
from router.wire.chat_request import ChatRequest
from tests.router.providers.cohere.conftest import deployment

KEYS = st.sampled_from([
    "content", "tool_calls", "tool_call_id", "reasoning_content", "tool_plan", "thinking_blocks", "type",
    "refusal", "text", "image_url", "url", "file", "file_data", "document", "function", "name",
    "arguments", "id", "documents", "tools", "tool_choice", "parameters", "strict", "allowed_tools",
    "response_format", "json_schema", "schema", "stop", "temperature", "top_p", "thinking", "n", "seed",
])  # fmt: skip
WORDS = st.sampled_from([
    "user", "function", "text", "file", "image_url", "document", "json_schema", "auto", "required",
    "data:text/plain;base64,QQ==", "x",
])  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=15,
)
messages = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool"])},
    optional={
        "content": values, "tool_calls": values, "tool_call_id": st.just("c"), "tool_plan": values,
    },
)  # fmt: skip


@given(turns=st.lists(messages, max_size=3), others=st.dictionaries(KEYS, values, max_size=4))
def test_any_request_is_encoded_or_refused(turns: list[Any], others: dict[str, Any]) -> None:
    body = json.dumps({**others, "model": "m", "messages": turns}).replace("Infinity", "1e400")
    request = ChatRequest.parse(body.encode(), 1)
    try:
        made = cohere_exchange(request, deployment("command-r"))
    except InvalidRequestError:
        return
    assert len(json.loads(made.http.body)["messages"]) == len(turns)
