import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from router.errors import UpstreamError, UpstreamTruncatedError, UpstreamUnavailableError
from router.providers.adapter import Frame
from router.providers.anthropic.stream import MessagesStreamDecoder, StreamContext
from router.providers.names import Names
from router.values import Usage
from router.wire.sse import MAX_EVENT_BYTES

START = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "model": "claude",
        "usage": {"input_tokens": 3, "cache_read_input_tokens": 4, "output_tokens": 1},
    },
}
STOP = {"type": "message_stop"}


def start(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def ending(stop_reason: str = "end_turn", **fields: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": stop_reason, **fields}}


def decoder(*, include_usage: bool = False, json_tool: str | None = None) -> MessagesStreamDecoder:
    return MessagesStreamDecoder(StreamContext(7, include_usage, Names(), json_tool))


def sse(events: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(
        b"event: %s\ndata: %s\n\n" % (str(event.get("type")).encode(), json.dumps(event).encode())
        for event in events
    )


def chunks(frames: list[Frame]) -> list[dict[str, Any]]:
    found = [json.loads(frame.payload) for frame in frames]
    for chunk in found:
        ChatCompletionChunk.model_validate(chunk, strict=True)
    return found


def run(*events: dict[str, Any], **context: Any) -> list[dict[str, Any]]:
    """The deltas of a complete answer, and last its final choice."""
    made = decoder(**context)
    frames = [*made.feed(sse([START, *events, STOP])), *made.finish()]
    assert made.failure is None
    assert made.done
    told = [chunk["choices"][0] for chunk in chunks(frames) if chunk["choices"]]
    return [*(choice["delta"] for choice in told[:-1]), told[-1]]


def test_the_first_delta_gives_the_role_and_commits_to_nothing() -> None:
    (frame,) = decoder().feed(sse([START]))
    assert json.loads(frame.payload) == {
        "id": "msg_1",
        "object": "chat.completion.chunk",
        "created": 7,
        "model": "claude",
        "choices": [
            {
                "index": 0,
                "delta": {"role": "assistant", "content": ""},
                "logprobs": None,
                "finish_reason": None,
            }
        ],
    }
    assert not frame.is_content


def test_text_leaves_as_it_comes_its_blocks_first_words_too() -> None:
    told = run(
        start(0, type="text", text="He"),
        {"type": "ping"},
        delta(0, "text_delta", text="llo"),
        delta(0, "text_delta", text=""),
        stop(0),
        ending(),
    )
    assert told[1:] == [
        {"content": "He"},
        {"content": "llo"},
        {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"},
    ]


def test_calls_are_numbered_by_themselves_and_each_gets_arguments() -> None:
    told = run(
        start(0, type="text", text=""),
        stop(0),
        start(1, type="tool_use", id="t1", name="f", input={}),
        delta(1, "input_json_delta", partial_json=""),
        delta(1, "input_json_delta", partial_json='{"a":'),
        delta(1, "input_json_delta", partial_json=" 1}"),
        stop(1),
        start(2, type="tool_use", id="t2", name="g", input={}),
        stop(2),
        start(3, type="tool_use", id="t3", name="h", input={"b": 1.0}),
        ending("tool_use"),
    )

    def opening(index: int, id_: str, name: str) -> dict[str, Any]:
        function = {"name": name, "arguments": ""}
        return {"index": index, "id": id_, "type": "function", "function": function}

    def arguments(index: int, text: str) -> dict[str, Any]:
        return {"index": index, "function": {"arguments": text}}

    assert [d["tool_calls"][0] for d in told[1:-1]] == [
        opening(0, "t1", "f"),
        arguments(0, '{"a":'),
        arguments(0, " 1}"),
        opening(1, "t2", "g"),
        arguments(1, "{}"),
        opening(2, "t3", "h"),
        arguments(2, '{"b": 1.0}'),
    ]
    assert told[-1]["finish_reason"] == "tool_calls"


def test_thinking_leaves_as_it_comes_and_as_a_whole_with_its_signature() -> None:
    told = run(
        start(0, type="thinking", thinking="", signature=""),
        delta(0, "thinking_delta", thinking="Let"),
        delta(0, "thinking_delta", thinking=" me"),
        delta(0, "signature_delta", signature="sig"),
        stop(0),
        start(1, type="redacted_thinking", data="xyz"),
        stop(1),
        ending(),
    )
    assert told[1:-1] == [
        {"reasoning_content": "Let"},
        {"reasoning_content": " me"},
        {
            "thinking_blocks": [
                {"index": 0, "type": "thinking", "thinking": "Let me", "signature": "sig"}
            ]
        },
        {"thinking_blocks": [{"index": 1, "type": "redacted_thinking", "data": "xyz"}]},
    ]


def test_tools_of_the_providers_own_are_told_whole_and_never_as_calls() -> None:
    told = run(
        start(0, type="server_tool_use", id="s1", name="web_search", input={}),
        delta(0, "input_json_delta", partial_json='{"q":'),
        delta(0, "input_json_delta", partial_json=" 1.0}"),
        stop(0),
        start(1, type="web_search_tool_result", tool_use_id="s1", content=[]),
        stop(1),
        start(2, type="server_tool_use", id="s2", name="web_search", input={}),
        delta(2, "input_json_delta", partial_json='{"cut'),
        stop(2),
        start(3, type="compaction", content=None),
        delta(3, "compaction_delta", content="Summary"),
        stop(3),
        ending("pause_turn"),
    )
    blocks = [entry for d in told[1:-1] for entry in d["provider_blocks"]]
    assert [block["index"] for block in blocks] == [0, 1, 2, 3]
    assert [block.get("input") for block in blocks] == [{"q": 1.0}, None, '{"cut', None]
    assert blocks[3]["content"] == "Summary"
    assert told[-1]["finish_reason"] == "stop"
    assert told[-1]["stop_reason"] == "pause_turn"


def test_citations_are_told_in_the_providers_words() -> None:
    told = run(
        start(0, type="text", text="", citations=[]),
        delta(0, "citations_delta", citation={"type": "page_location", "cited_text": "x"}),
        delta(0, "a_delta_of_tomorrow", text="?"),
        ending(),
    )
    cited, order = told[1:-1]
    assert cited == {"citations": [{"index": 0, "type": "page_location", "cited_text": "x"}]}
    assert order == {"block_order": [{"type": "text", "length": 0, "citations": 1}]}


def test_a_refusal_is_told_before_the_end() -> None:
    details = {"type": "refusal", "explanation": "Not this."}
    told = run(ending("refusal", stop_details=details))
    assert told[1] == {"refusal": "Not this."}
    assert told[-1]["finish_reason"] == "content_filter"
    assert told[-1]["stop_details"] == details


def test_the_tool_that_stands_for_the_format_becomes_content_again() -> None:
    told = run(
        start(0, type="tool_use", id="t1", name="json_answer", input={}),
        delta(0, "input_json_delta", partial_json='{"a": 1}'),
        stop(0),
        ending("tool_use"),
        json_tool="json_answer",
    )
    assert told[1] == {"content": '{"a": 1}'}
    assert told[-1]["finish_reason"] == "stop"


def test_usage_is_what_was_stated_last_and_never_a_sum() -> None:
    made = decoder(include_usage=True)
    made.feed(sse([START]))
    assert made.usage == Usage(7, 1, 4)
    made.feed(sse([{**ending(), "usage": {"output_tokens": 5, "input_tokens": None}}]))
    made.feed(sse([{**ending(), "usage": {"output_tokens": 9}}]))
    assert made.usage == Usage(7, 9, 4)
    *_, usage = chunks(made.feed(sse([STOP])))
    assert usage["choices"] == []
    assert usage["usage"] == {
        "prompt_tokens": 7,
        "completion_tokens": 9,
        "total_tokens": 16,
        "prompt_tokens_details": {"cached_tokens": 4},
    }


def test_usage_is_not_told_to_who_did_not_ask() -> None:
    frames = decoder().feed(sse([START, ending(), STOP]))
    assert all("usage" not in chunk for chunk in chunks(frames))


def test_the_container_is_told_at_the_end() -> None:
    container = {"id": "container_1", "expires_at": "2026-01-01T00:00:00Z"}
    made = decoder()
    last = chunks(made.feed(sse([START, ending(container=container), STOP])))[-1]
    assert last["container"] == container


def test_what_follows_the_end_is_ignored() -> None:
    made = decoder()
    made.feed(sse([START, STOP]))
    assert made.feed(sse([START]) + b"data: [DONE]\n\n") == []
    assert made.finish() == []
    assert made.done
    assert made.failure is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        sse([START]),
        sse([START, start(0, type="text", text="a"), ending()]),
        sse([START]) + b'event: message_stop\ndata: {"type":"mess',
        sse([START]) + b"event: message_stop\n",
    ],
)
def test_an_end_without_the_end_mark_is_a_truncated_answer(data: bytes) -> None:
    made = decoder()
    made.feed(data)
    made.finish()
    assert isinstance(made.failure, UpstreamTruncatedError)
    assert not made.done


def test_an_end_mark_that_only_lacks_its_blank_line_is_one() -> None:
    made = decoder()
    made.feed(sse([START, STOP]).removesuffix(b"\n\n"))
    frames = made.finish()
    assert made.done
    assert json.loads(frames[-1].payload)["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    "data",
    [
        b"data: {\n\n",
        b'data: {"type":"ping","x":"\xff"}\n\n',
        b"data: 5\n\n",
        b"data: " + b"[" * 100_000 + b"\n\n",
        b'data: {"type":"content_block_start","index":0}\n\n',
        b"data: " + b"x" * (MAX_EVENT_BYTES + 1),
    ],
)
def test_a_broken_event_is_the_providers_fault_and_the_end(data: bytes) -> None:
    made = decoder()
    assert len(made.feed(sse([START]) + data + sse([ending()]))) in (0, 1)
    assert type(made.failure) is UpstreamUnavailableError
    assert made.feed(sse([STOP])) == []
    assert made.finish() == []
    assert not made.done


def test_what_waits_for_a_blocks_end_is_bounded() -> None:
    made = decoder()
    made.feed(sse([START, start(0, type="thinking", thinking="")]))
    flood = sse([delta(0, "thinking_delta", thinking="x" * 1_000_000)])
    fed = 0
    while made.failure is None:
        made.feed(flood)
        fed += 1
    assert fed <= 18
    assert type(made.failure) is UpstreamUnavailableError


def test_a_stream_that_lacks_its_start_is_still_answered() -> None:
    made = decoder()
    frames = made.feed(sse([delta(0, "text_delta", text="a"), STOP]))
    first, second, last = (chunk["choices"][0] for chunk in chunks(frames))
    assert first["delta"] == {"role": "assistant", "content": ""}
    assert second["delta"] == {"content": "a"}
    assert last["finish_reason"] == "stop"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KINDS = st.sampled_from(
    ["text", "tool_use", "thinking", "server_tool_use", "text_delta", "input_json_delta"]
)
EVENTS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["message_start", "content_block_start", "content_block_delta", "message_delta"]
        )
        | ANYTHING
    },
    optional={
        "index": st.integers(0, 2) | ANYTHING,
        "message": st.dictionaries(st.sampled_from(["id", "usage"]), ANYTHING) | ANYTHING,
        "content_block": st.fixed_dictionaries({"type": KINDS}) | ANYTHING,
        "delta": st.fixed_dictionaries(
            {"type": KINDS | ANYTHING},
            optional={"text": ANYTHING, "stop_reason": ANYTHING, "partial_json": ANYTHING},
        ),
        "usage": ANYTHING,
    },
)


@given(st.lists(EVENTS, max_size=6), st.randoms(use_true_random=False))
def test_odd_events_make_valid_chunks_or_a_failure_however_they_are_cut(
    events: list[dict[str, Any]], random: Any
) -> None:
    data = sse([*events, STOP])
    whole = decoder()
    frames = [*whole.feed(data), *whole.finish()]
    assert whole.done or isinstance(whole.failure, UpstreamError)
    chunks(frames)
    cut = decoder()
    at = random.randrange(len(data))
    assert [*cut.feed(data[:at]), *cut.feed(data[at:]), *cut.finish()] == frames


@given(st.binary(max_size=200))
def test_bytes_that_are_no_stream_raise_nothing(data: bytes) -> None:
    made = decoder()
    made.feed(data)
    made.finish()
    assert made.failure is not None
