"""The built-in provider, read as the OpenAI SDK reads it."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from router.providers.demo import DemoAnswer, answer
from router.wire.sse import SseDecoder

MODELS = ["echo", "tools", "reasoning", "slow", "truncated"]
SPEAKING = MODELS[:-1]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                "days": {"type": "integer", "minimum": 3},
                "note": {"type": "string"},
            },
            "required": ["city", "unit", "days"],
        },
    },
}
TIME = {"type": "function", "function": {"name": "get_time"}}


def ask(said: str = "hello big world", model: str = "echo", **fields: Any) -> DemoAnswer:
    messages = fields.pop("messages", [{"role": "user", "content": said}])
    body = {"model": f"demo/{model}", "messages": messages, **fields}
    return answer(json.dumps(body).encode(), created=1_700_000_000)


def sent(result: DemoAnswer) -> bytes:
    return b"".join(part for _, part in result.parts)


def whole(*args: Any, **fields: Any) -> ChatCompletion:
    result = ask(*args, **fields)
    assert (result.status, result.headers["content-type"]) == (200, "application/json")
    return ChatCompletion.model_validate_json(sent(result), strict=True)


def payloads(result: DemoAnswer) -> list[bytes]:
    decoder = SseDecoder()
    return [event.data for event in [*decoder.feed(sent(result)), *decoder.finish()]]


def streamed(*args: Any, **fields: Any) -> list[ChatCompletionChunk]:
    result = ask(*args, **fields, stream=True)
    assert result.status == 200
    assert result.headers["content-type"].startswith("text/event-stream")
    *chunks, end = payloads(result)
    assert end == b"[DONE]"
    return [ChatCompletionChunk.model_validate_json(chunk, strict=True) for chunk in chunks]


def error(*args: Any, **fields: Any) -> tuple[int, dict[str, Any]]:
    result = ask(*args, **fields)
    body = json.loads(sent(result))["error"]
    assert set(body) == {"message", "type", "param", "code"}
    return result.status, body


def text_of(chunks: list[ChatCompletionChunk], choice: int = 0) -> str:
    choices = [c for chunk in chunks for c in chunk.choices if c.index == choice]
    return "".join(c.delta.content or "" for c in choices)


def test_echo_says_what_the_user_said() -> None:
    completion = whole("hello  big\nworld ")

    assert completion.choices[0].message.content == "hello  big\nworld "
    assert completion.choices[0].finish_reason == "stop"
    assert completion.model == "demo/echo"
    assert completion.created == 1_700_000_000


def test_tokens_are_words() -> None:
    usage = whole("hello big world").usage

    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (3, 3, 6)


def test_echo_reads_the_text_parts_of_the_last_user_message() -> None:
    parts = [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": "x"}},
        {"type": "text", "text": "b"},
    ]
    messages = [
        {"role": "user", "content": "earlier"},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": "later"},
    ]

    assert whole(messages=messages).choices[0].message.content == "a\nb"


def test_the_same_request_gets_the_same_answer() -> None:
    assert ask(stream=True, tools=[WEATHER]) == ask(stream=True, tools=[WEATHER])
    assert whole("a").id != whole("b").id


def test_a_stream_has_the_role_then_words_then_the_end() -> None:
    first, *words, last = streamed("hello big world")

    assert first.choices[0].delta.role == "assistant"
    assert [chunk.choices[0].delta.content for chunk in words] == ["hello", " big", " world"]
    assert (last.choices[0].finish_reason, last.choices[0].delta.content) == ("stop", None)
    assert all(chunk.usage is None for chunk in [first, *words, last])
    assert len({chunk.id for chunk in [first, *words, last]}) == 1


def test_usage_is_streamed_only_if_asked_for() -> None:
    *chunks, last = streamed(stream_options={"include_usage": True})

    assert last.choices == []
    assert last.usage == whole().usage
    assert all(chunk.usage is None for chunk in chunks)
    assert all(b'"usage":null' in p for p in payloads(ask(
        stream=True, stream_options={"include_usage": True}
    ))[:-2])  # fmt: skip


@pytest.mark.parametrize("model", SPEAKING)
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"n": 3},
        {"max_tokens": 2},
        {"tools": [WEATHER, TIME]},
        {"response_format": {"type": "json_object"}},
    ],
    ids=str,
)
def test_stream_and_body_say_the_same(model: str, fields: dict[str, Any]) -> None:
    body = whole("hello parallel world", model, **fields)
    chunks = streamed("hello parallel world", model, **fields)

    for choice in body.choices:
        mine = [c for chunk in chunks for c in chunk.choices if c.index == choice.index]
        assert text_of(chunks, choice.index) == (choice.message.content or "")
        assert mine[-1].finish_reason == choice.finish_reason
        assert assembled(mine) == [
            call.to_dict()["function"] for call in choice.message.tool_calls or []
        ]


def assembled(choices: list[Any]) -> list[dict[str, Any]]:
    """Put tool calls together from their deltas, as clients do."""
    calls: dict[int, dict[str, Any]] = {}
    for choice in choices:
        for delta in choice.delta.tool_calls or []:
            function = {"name": delta.function.name, "arguments": ""}
            call = calls.setdefault(
                delta.index, {"id": delta.id, "type": delta.type, "function": function}
            )
            call["function"]["arguments"] += delta.function.arguments
    assert all(call["id"] and call["type"] == "function" for call in calls.values())
    return [calls[index]["function"] for index in sorted(calls)]


def test_several_choices_have_their_index() -> None:
    completion = whole("a b", n=3)

    assert [choice.index for choice in completion.choices] == [0, 1, 2]
    assert {choice.message.content for choice in completion.choices} == {"a b"}
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 6


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_a_limit_on_tokens_ends_the_answer_early(field: str) -> None:
    choice = whole("one two three", **{field: 2}).choices[0]

    assert (choice.message.content, choice.finish_reason) == ("one two", "length")


def test_a_limit_that_is_met_exactly_is_no_limit() -> None:
    assert whole("one two three", max_tokens=3).choices[0].finish_reason == "stop"


@pytest.mark.parametrize("stop", ["two", ["x", "two", "three"]])
def test_a_stop_text_ends_the_answer_before_it(stop: Any) -> None:
    choice = whole("one two three", stop=stop).choices[0]

    assert (choice.message.content, choice.finish_reason) == ("one ", "stop")


@pytest.mark.parametrize("model", SPEAKING)
def test_every_model_calls_the_first_tool_with_arguments_that_fit(model: str) -> None:
    choice = whole(model=model, tools=[WEATHER, TIME]).choices[0]

    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    (call,) = choice.message.tool_calls or []
    assert call.type == "function"
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"city": "sample", "unit": "celsius", "days": 3}


def test_arguments_are_streamed_in_pieces() -> None:
    chunks = streamed(tools=[WEATHER])

    deltas = [d for c in chunks for choice in c.choices for d in choice.delta.tool_calls or []]
    first, *rest = deltas
    assert first.id
    assert first.function is not None
    assert (first.function.name, first.function.arguments) == ("get_weather", "")
    assert len(rest) > 2
    assert all(delta.id is None and delta.index == 0 for delta in rest)


def test_tools_calls_all_of_them_for_a_parallel_prompt() -> None:
    calls = (
        whole("in parallel please", "tools", tools=[WEATHER, TIME]).choices[0].message.tool_calls
    )

    assert calls
    assert [call.type == "function" and call.function.name for call in calls] == [
        "get_weather",
        "get_time",
    ]
    assert len({call.id for call in calls}) == 2


def test_tools_calls_an_only_tool_twice_for_a_parallel_prompt() -> None:
    assert len(whole("parallel", "tools", tools=[TIME]).choices[0].message.tool_calls or []) == 2


def test_parallel_calls_can_be_forbidden() -> None:
    completion = whole("parallel", "tools", tools=[WEATHER, TIME], parallel_tool_calls=False)

    assert len(completion.choices[0].message.tool_calls or []) == 1


def test_a_chosen_function_is_the_one_that_is_called() -> None:
    choice = {"type": "function", "function": {"name": "get_time"}}

    (call,) = whole(tools=[WEATHER, TIME], tool_choice=choice).choices[0].message.tool_calls or []

    assert call.type == "function"
    assert (call.function.name, call.function.arguments) == ("get_time", "{}")


def test_no_tool_is_called_if_that_is_chosen() -> None:
    assert whole(tools=[WEATHER], tool_choice="none").choices[0].message.tool_calls is None


def test_tools_that_are_no_functions_are_not_called() -> None:
    assert whole(tools=[{"type": "web_search"}]).choices[0].message.content == "hello big world"


def test_a_tools_result_is_quoted() -> None:
    messages = [
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
        ]},
        {"role": "tool", "tool_call_id": "1", "content": "21 degrees"},
    ]  # fmt: skip

    choice = whole(messages=messages, tools=[WEATHER]).choices[0]

    assert choice.finish_reason == "stop"
    assert choice.message.content == 'The tool answered: "21 degrees"'


def test_a_json_schema_is_answered_with_what_fits_it() -> None:
    schema = {
        "type": "object",
        "properties": {"ok": {"type": "boolean"}, "tags": {"type": "array", "items": {"const": 7}}},
        "required": ["ok", "tags"],
    }
    form = {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": schema}}

    content = whole(response_format=form).choices[0].message.content

    assert json.loads(content or "") == {"ok": True, "tags": [7]}


def test_a_json_object_is_answered_with_one() -> None:
    content = whole(response_format={"type": "json_object"}).choices[0].message.content

    assert json.loads(content or "") == {"answer": "hello big world"}


def test_reasoning_comes_before_the_answer() -> None:
    chunks = streamed(model="reasoning")
    completion = whole(model="reasoning")

    kinds = [
        next(iter((c.choices[0].delta.model_extra or {}).keys()), "content") for c in chunks[1:-1]
    ]
    assert sorted(kinds, reverse=True) == kinds
    assert set(kinds) == {"reasoning_content", "content"}
    assert (completion.choices[0].message.model_extra or {})["reasoning_content"]
    assert completion.choices[0].message.content == "After some thought: hello big world"
    assert completion.usage is not None
    assert completion.usage.completion_tokens_details is not None
    assert completion.usage.completion_tokens_details.reasoning_tokens == kinds.count(
        "reasoning_content"
    )


@pytest.mark.parametrize(
    ("said", "scale"), [("hi", 1.0), ("slow 0.05", 0.05), ("Slow 1000000", 60.0)]
)
def test_slow_takes_a_second_and_then_a_fifth_of_one_for_each_word(said: str, scale: float) -> None:
    delays = [delay for delay, _ in ask(said, "slow", stream=True).parts]
    (unary,) = ask(said, "slow").parts

    assert delays[:4] == pytest.approx([scale, 0, 0.2 * scale, 0.2 * scale])
    assert unary[0] == pytest.approx(sum(delays))


@pytest.mark.parametrize("model", [m for m in MODELS if m != "slow"])
def test_other_models_take_no_time(model: str) -> None:
    assert sum(delay for delay, _ in ask("slow 3", model, stream=True).parts) == 0


def test_truncated_breaks_a_stream_off_after_some_content() -> None:
    result = ask(model="truncated", stream=True)
    chunks = [ChatCompletionChunk.model_validate_json(p, strict=True) for p in payloads(result)]

    assert result.is_cut
    assert text_of(chunks).startswith("This answer breaks off")
    assert all(choice.finish_reason is None for chunk in chunks for choice in chunk.choices)


def test_truncated_breaks_a_body_off() -> None:
    result = ask(model="truncated")

    assert result.is_cut
    with pytest.raises(json.JSONDecodeError):
        json.loads(sent(result))


@pytest.mark.parametrize("model", SPEAKING)
def test_other_models_come_to_their_end(model: str) -> None:
    assert not ask(model=model).is_cut


@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize(
    ("said", "status", "kind", "code", "wait"),
    [
        ("fail", 500, "server_error", None, None),
        ("give me a 429", 429, "requests", "rate_limit_exceeded", "1"),
        ("429 quota", 429, "insufficient_quota", "insufficient_quota", "1"),
        ("503!", 503, "server_error", None, "1"),
        ("401", 401, "invalid_request_error", "invalid_api_key", None),
        ("404", 404, "invalid_request_error", "model_not_found", None),
        ("418", 418, "invalid_request_error", None, None),
        ("599", 599, "server_error", None, None),
        ("200 or 4290", 500, "server_error", None, None),
    ],
)
def test_error_fails_as_the_message_asks(
    said: str, status: int, kind: str, code: str | None, wait: str | None, *, is_stream: bool
) -> None:
    fields = {"stream": is_stream, "tools": [WEATHER]}

    found, body = error(said, "error", **fields)

    assert (found, body["type"], body["code"]) == (status, kind, code)
    assert ask(said, "error", **fields).headers.get("retry-after") == wait


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{}]}, "messages[0]"),
        ({"n": 0}, "n"),
        ({"n": 9}, "n"),
        ({"n": "1"}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": 5}, "stop"),
        ({"tools": {}}, "tools"),
        ({"stream_options": []}, "stream_options"),
        ({"response_format": "json"}, "response_format"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "x"}}}, "tool_choice"),
    ],
    ids=str,
)
def test_a_request_at_fault_gets_openais_error(fields: dict[str, Any], param: str) -> None:
    status, body = error(**fields)

    assert (status, body["type"], body["param"]) == (400, "invalid_request_error", param)


def test_an_unknown_model_is_not_found() -> None:
    status, body = error(model="nonsense")

    assert (status, body["code"], body["param"]) == (404, "model_not_found", "model")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"model":"\\ud800"}', b"\xff", b"[" * 99_999])
def test_what_is_no_request_gets_openais_error(body: bytes) -> None:
    result = answer(body, created=1)

    assert result.status == 400
    assert "error" in json.loads(sent(result))


def test_an_answer_has_an_end_however_long_the_question() -> None:
    choice = whole("x" * 3_000_000).choices[0]

    assert choice.finish_reason == "length"
    assert len(choice.message.content or "") == 16_384 * 64


any_value = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    model=st.sampled_from([*MODELS, "error"]),
    said=st.text(max_size=40),
    fields=st.dictionaries(
        st.sampled_from(
            ["n", "stop", "tools", "tool_choice", "max_tokens", "response_format", "x"]
        ),
        any_value,
        max_size=3,
    ),
    is_stream=st.booleans(),
)
def test_nothing_makes_it_raise(
    model: str, said: str, fields: dict[str, Any], is_stream: bool
) -> None:
    result = ask(said, model, **fields, stream=is_stream)

    assert result.status == 200 or "error" in json.loads(sent(result))
