import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import DeadlineExceededError, UpstreamError, UpstreamUnavailableError
from router.providers.cohere import decode
from router.providers.cohere.answer import finish, read_usage, told_usage
from tests.router.providers.cohere.conftest import CohereExchange


def told(exchange: CohereExchange, **reply: Any) -> dict[str, Any]:
    body = {"id": "r", "message": {"role": "assistant"}, "finish_reason": "COMPLETE", **reply}
    answer: dict[str, Any] = json.loads(exchange().decode_response(json.dumps(body).encode()).body)
    return answer


@pytest.mark.parametrize(
    ("reason", "calls", "said"),
    [
        ("COMPLETE", False, {"finish_reason": "stop"}),
        ("MAX_TOKENS", False, {"finish_reason": "length"}),
        ("TOOL_CALL", True, {"finish_reason": "tool_calls"}),
        ("TOOL_CALL", False, {"finish_reason": "stop"}),
        ("STOP_SEQUENCE", False, {"finish_reason": "stop", "native_finish_reason": "STOP_SEQUENCE"}),
        ("ERROR_TOXIC", False,
         {"finish_reason": "content_filter", "native_finish_reason": "ERROR_TOXIC"}),
        ("ERROR_LIMIT", False, {"finish_reason": "length", "native_finish_reason": "ERROR_LIMIT"}),
        ("NEW", False, {"finish_reason": "stop", "native_finish_reason": "NEW"}),
        ("NEW", True, {"finish_reason": "tool_calls", "native_finish_reason": "NEW"}),
        (None, False, {"finish_reason": "stop"}),
    ],
)  # fmt: skip
def test_every_reason_to_end_has_openais_word(
    reason: str | None, calls: bool, said: dict[str, str]
) -> None:
    assert finish(reason, calls_tools=calls) == said


@pytest.mark.parametrize(
    ("reply", "kind", "message"),
    [
        ({"finish_reason": "ERROR", "error": "it broke"}, UpstreamUnavailableError, "it broke"),
        ({"finish_reason": "TIMEOUT"}, DeadlineExceededError,
         "The provider ended its answer with TIMEOUT."),
        ({"message": "bad news"}, UpstreamUnavailableError, "bad news"),
        ({"message": None}, UpstreamUnavailableError,
         "The provider sent an answer without a message that cannot be read."),
    ],
)  # fmt: skip
def test_a_failure_in_disguise_is_a_failure(
    exchange: CohereExchange, reply: dict[str, Any], kind: type[UpstreamError], message: str
) -> None:
    with pytest.raises(kind) as caught:
        told(exchange, **reply)

    assert caught.value.message == message


def test_an_answer_without_anything_is_an_empty_text(exchange: CohereExchange) -> None:
    answer = told(exchange)

    assert answer["choices"][0]["message"] == {
        "role": "assistant", "content": "", "refusal": None,
    }  # fmt: skip
    assert "usage" not in answer


def test_an_answer_that_calls_tools_has_null_content(exchange: CohereExchange) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f"}}
    message = told(exchange, message={"tool_calls": [call]})["choices"][0]["message"]

    assert message["content"] is None
    assert message["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"tokens": {"input_tokens": 5, "output_tokens": 2}}, (5, 2, 0, 0)),
        (
            {"tokens": {"input_tokens": 5.0, "output_tokens": 2.0}, "cached_tokens": 4.0},
            (5, 2, 4, 0),
        ),
        ({"tokens": {"input_tokens": 5, "image_tokens": 9, "output_tokens": 2}}, (14, 2, 0, 0)),
        ({"tokens": {"input_tokens": 5, "output_tokens": 7, "reasoning_tokens": 6}}, (5, 7, 0, 6)),
        ({"billed_units": {"input_tokens": 3, "output_tokens": 1}}, (3, 1, 0, 0)),
    ],
)
def test_usage_counts_tokens(usage: dict[str, Any], counts: tuple[int, ...]) -> None:
    read = read_usage(usage)

    assert read is not None
    assert (
        read.prompt_tokens, read.completion_tokens, read.cached_tokens, read.reasoning_tokens,
    ) == counts  # fmt: skip


@pytest.mark.parametrize("usage", [None, {}, [], "x", {"tokens": {}}, {"tokens": {"a": 1}}])
def test_usage_that_is_not_stated_is_not_told(usage: Any) -> None:
    assert read_usage(usage) is None
    assert told_usage(usage) is None


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from([
            "message", "content", "type", "text", "thinking", "tool_calls", "function", "arguments",
            "usage", "tokens", "input_tokens", "finish_reason", "logprobs", "citations", "tool_plan",
        ]),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(body=st.binary(max_size=40) | any_json.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_an_answer_or_a_declared_failure(body: bytes) -> None:
    try:
        completion = decode.decode(body, 1, "m")
    except UpstreamError:
        return
    assert json.loads(completion.body)["object"] == "chat.completion"
