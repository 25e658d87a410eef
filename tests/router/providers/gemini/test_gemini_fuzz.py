"""Whatever comes from callers and providers, nothing is raised but what the adapter's contract declares."""

import json
import time
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import InvalidRequestError, UpstreamError
from router.providers.gemini import gemini_exchange
from router.providers.gemini.exchange import GenerateExchange
from router.values import Deployment, Dialect, Endpoint, Provider
from router.wire.chat_request import ChatRequest

DEPLOYMENT = Deployment(
    model="listed",
    upstream_model="listed",
    provider=Provider("gemini", "https://gemini.test"),
    dialect=Dialect.GEMINI,
    endpoint=Endpoint.CHAT,
    path="/v1beta/models/gemini-3-flash-preview:generateContent",
)

ODD = st.sampled_from([
    None, True, 0, -1, 1.5, 10**30, "", "x", "{}", "[", "data:,", "data:a/b;base64,AAAA", "https://[",
    [], {}, [None], ["x"], {"type": "text"}, {"text": "x"}, {"url": "gs://a"}, {"name": "f"},
])  # fmt: skip
JSON = st.recursive(
    ODD,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from([
            "type", "text", "role", "content", "tool_calls", "function", "name", "arguments", "id", "at",
            "image_url", "url", "file", "file_data", "input_audio", "data", "format", "length", "parts",
            "thought_signatures", "thought_signature", "provider_blocks", "executableCode", "images",
            "extra_content", "google", "reasoning_details", "reasoning_content", "tool_call_id",
            "parameters", "mode", "json_schema", "schema", "audio", "thinking_blocks", "is_error",
        ]),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool"])},
    optional=dict.fromkeys([
        "content", "tool_calls", "tool_call_id", "thought_signatures", "provider_blocks", "images",
        "audio", "reasoning_content", "thinking_blocks", "reasoning_details", "extra_content",
        "provider_specific_fields", "refusal", "is_error", "name",
    ], JSON),
)  # fmt: skip
FIELDS = st.dictionaries(
    st.sampled_from([
        "tools", "tool_choice", "response_format", "stop", "n", "temperature", "modalities", "audio",
        "reasoning_effort", "thinking", "extra_body", "generation_config", "tool_config", "logprobs",
        "top_logprobs", "service_tier", "web_search_options", "parallel_tool_calls", "safety_settings",
    ]),
    JSON,
    max_size=4,
)  # fmt: skip

ANSWER = st.recursive(
    st.sampled_from([
        None, True, 0, 1, -1, 10**30, 1.5, "", "x", "STOP", "AAAA", "$.a", "image/png", "audio/x",
    ]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from([
            "candidates", "content", "parts", "text", "thought", "thoughtSignature", "functionCall", "name",
            "args", "partialArgs", "jsonPath", "stringValue", "willContinue", "inlineData", "mimeType",
            "data", "finishReason", "index", "usageMetadata", "promptTokenCount", "promptTokensDetails",
            "modality", "tokenCount", "promptFeedback", "blockReason", "logprobsResult", "token",
            "chosenCandidates", "logProbability", "error", "code", "message", "details", "responseId",
        ]),
        inner,
        max_size=4,
    ),
    max_leaves=15,
)  # fmt: skip
PART = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ["text", "thought", "functionCall", "inlineData", "thoughtSignature", "x"], ANSWER
    ),
)
CHUNK = ANSWER | st.fixed_dictionaries({
    "candidates": st.lists(
        st.fixed_dictionaries(
            {"content": st.fixed_dictionaries({"parts": st.lists(PART, max_size=3)})},
            optional={"finishReason": ANSWER, "index": ANSWER, "logprobsResult": ANSWER},
        ),
        max_size=2,
    ),
    "usageMetadata": ANSWER,
})  # fmt: skip


def exchange(**fields: Any) -> GenerateExchange:
    request = {"model": "listed", "messages": [{"role": "user", "content": "Hi"}], **fields}
    return gemini_exchange(ChatRequest.parse(json.dumps(request).encode(), 0), DEPLOYMENT)


EXCHANGE = exchange(stream=True, stream_options={"include_usage": True})


@given(st.lists(MESSAGE, max_size=3), FIELDS)
@settings(max_examples=200)
def test_a_request_is_encoded_or_refused(messages: list[Any], fields: dict[str, Any]) -> None:
    try:
        made = exchange(**{"messages": messages, **fields})
    except InvalidRequestError:
        return
    assert isinstance(json.loads(made.http.body)["contents"], list)


@given(CHUNK)
@settings(max_examples=200)
def test_an_answer_is_read_or_is_the_providers_failure(answer: Any) -> None:
    body = json.dumps(answer).encode()
    with suppress(UpstreamError):
        json.loads(EXCHANGE.decode_response(body).body)
    EXCHANGE.decode_error(400, {}, body)


@given(st.lists(CHUNK, max_size=4), st.booleans(), st.data())
@settings(max_examples=200)
def test_a_stream_is_read_the_same_wherever_it_is_split(
    chunks: list[Any], is_array: bool, data: st.DataObject
) -> None:
    events = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
    stream = (json.dumps(chunks) if is_array else events).encode()
    at = data.draw(st.integers(0, len(stream)))

    assert outcome(stream[:at], stream[at:]) == outcome(stream)


def outcome(*pieces: bytes) -> tuple[Any, ...]:
    decoder = EXCHANGE.stream_decoder()
    frames = [frame for piece in pieces for frame in decoder.feed(piece)]
    frames += decoder.finish()
    assert decoder.done == (decoder.failure is None)
    for frame in frames:
        json.loads(frame.payload)
    return frames, decoder.done, decoder.usage, type(decoder.failure)


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_bytes_of_any_kind_do_no_harm(data: bytes) -> None:
    assert outcome(*(data[i : i + 1] for i in range(len(data)))) == outcome(data)
    EXCHANGE.decode_error(500, {}, data)


def seconds(size: int) -> float:
    """How long the processor takes for a stream of `size` small events of all kinds, each in two pieces."""
    call = {"name": "f", "willContinue": True}
    piece = {"partialArgs": [{"jsonPath": "$.a", "stringValue": "x"}], "willContinue": True}
    parts = [
        {"text": "a", "thoughtSignature": "S"},
        {"functionCall": call},
        {"functionCall": piece},
    ]
    events = [
        f'data: {{"candidates":[{{"content":{{"parts":[{json.dumps(p)}]}}}}]}}\n\n' for p in parts
    ]
    decoder = EXCHANGE.stream_decoder()
    start = time.thread_time()
    for _ in range(size):
        for event in events:
            decoder.feed(event[:20].encode())
            decoder.feed(event[20:].encode())
    decoder.finish()
    return time.thread_time() - start


def test_a_stream_ten_times_as_long_takes_about_ten_times_as_long() -> None:
    short = min(seconds(100) for _ in range(5))

    assert seconds(1_000) < 40 * short + 0.1
