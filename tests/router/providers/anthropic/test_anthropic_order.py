"""A replayed turn is the very turn that the provider made, however its blocks stood."""

import json
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from router.providers.anthropic import anthropic_exchange
from router.providers.anthropic.exchange import MessagesExchange
from router.values import Deployment, Dialect, Endpoint, Provider, Secret
from router.wire.chat_request import ChatRequest
from tests.conformance.kit.anthropic_request import normal

Block = dict[str, Any]

HELLO: Final = {"role": "user", "content": "Hi"}
DEPLOYMENT: Final = Deployment(
    "listed",
    "claude-sonnet-4-5",
    Provider("anthropic", "https://api.anthropic.com", Secret("sk-ant-canary")),
    Dialect.ANTHROPIC,
    Endpoint.CHAT,
    "/v1/messages",
)

words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
citation = st.builds(lambda cited: {"type": "page_location", "cited_text": cited}, words)
blocks = st.lists(
    st.one_of(
        st.builds(lambda text: {"type": "text", "text": text}, words),
        st.builds(
            lambda text, cited: {"type": "text", "text": text, "citations": cited},
            words,
            st.lists(citation, min_size=1, max_size=3),
        ),
        st.builds(lambda text: {"type": "thinking", "thinking": text, "signature": "c2ln"}, words),
        st.just({"type": "redacted_thinking", "data": "ZGF0YQ=="}),
        st.builds(
            lambda i: {"type": "tool_use", "id": f"toolu_{i}", "name": "f", "input": {"a": i}},
            st.integers(0, 9),
        ),
        st.builds(
            lambda q: {
                "type": "server_tool_use",
                "id": "s1",
                "name": "web_search",
                "input": {"q": q},
            },
            words,
        ),
        st.just({"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}),
    ),
    min_size=1,
    max_size=8,
)


def exchange(*messages: Block) -> MessagesExchange:
    body = {"model": "listed", "messages": [HELLO, *messages], "stream": True}
    return anthropic_exchange(ChatRequest.parse(json.dumps(body).encode(), 0), DEPLOYMENT)


def answer(content: list[Block]) -> bytes:
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude"}
    return json.dumps(
        {**message, "content": content, "stop_reason": "pause_turn", "usage": usage}
    ).encode()


def told(content: list[Block]) -> Block:
    completion = exchange().decode_response(answer(content))
    message = ChatCompletion.model_validate_json(completion.body).choices[0].message
    return message.model_dump(exclude_none=True)


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def streamed(content: list[Block]) -> bytes:
    """The events of an answer: citations come before their text, as Anthropic's do."""
    events = [event("message_start", message={"id": "msg_1", "model": "claude"})]
    for i, block in enumerate(content):
        opening, deltas = block, list[Block]()
        match block["type"]:
            case "text":
                opening = {"type": "text", "text": ""}
                cited = block.get("citations", [])
                deltas = [{"type": "citations_delta", "citation": c} for c in cited]
                deltas += [{"type": "text_delta", "text": char} for char in block["text"]]
            case "thinking":
                opening = {"type": "thinking", "thinking": "", "signature": ""}
                deltas = [
                    {"type": "thinking_delta", "thinking": block["thinking"]},
                    {"type": "signature_delta", "signature": block["signature"]},
                ]
            case "tool_use" | "server_tool_use":
                opening = {**block, "input": {}}
                partial = json.dumps(block["input"])
                deltas = [{"type": "input_json_delta", "partial_json": partial}]
        events.append(event("content_block_start", index=i, content_block=opening))
        events += [event("content_block_delta", index=i, delta=delta) for delta in deltas]
        events.append(event("content_block_stop", index=i))
    events.append(event("message_delta", delta={"stop_reason": "pause_turn"}))
    return b"".join([*events, event("message_stop")])


def told_by_stream(content: list[Block]) -> Block:
    decoder, state = exchange().stream_decoder(), ChatCompletionStreamState()
    for frame in decoder.feed(streamed(content)):
        state.handle_chunk(ChatCompletionChunk.model_validate_json(frame.payload))
    message = state.current_completion_snapshot.choices[0].message
    return message.model_dump(exclude_none=True)


def turns(*messages: Block) -> Any:
    return normal(json.loads(exchange(*messages).http.body))["messages"]


def joined(content: list[Block]) -> Any:
    """The blocks as they should be sent."""
    turn = {"role": "assistant", "content": content}
    return merged(normal({"messages": [HELLO, turn, HELLO]}))


def merged(body: Block) -> Any:
    """The blocks of the assistant's turn; texts that stand together and cite nothing may be one."""
    found: list[Block] = []
    for block in body["messages"][1]["content"]:
        is_plain = block.keys() == {"type", "text"}
        if is_plain and found and found[-1].keys() == {"type", "text"}:
            found[-1] = {"type": "text", "text": found[-1]["text"] + block["text"]}
        else:
            found.append(block)
    return found


@given(blocks)
def test_any_answer_comes_back_block_by_block(content: list[Block]) -> None:
    again = exchange(told(content), HELLO)

    assert again.dropped == ()
    assert merged(normal(json.loads(again.http.body))) == joined(content)


@given(blocks)
def test_any_streamed_answer_comes_back_block_by_block(content: list[Block]) -> None:
    again = exchange(told_by_stream(content), HELLO)

    assert merged(normal(json.loads(again.http.body))) == joined(content)


INTERLEAVED: Final[list[Block]] = [
    {"type": "text", "text": "Looking. "},
    {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
    {"type": "text", "text": "Found."},
]


def test_a_message_that_the_caller_changed_gets_the_usual_order() -> None:
    changed = {**told(INTERLEAVED), "content": "Else."}

    sent = turns(changed)[1]["content"]

    assert [block["type"] for block in sent] == ["server_tool_use", "text"]
    assert sent[1]["text"] == "Else."


def test_an_order_that_makes_no_sense_is_ignored() -> None:
    message = told(INTERLEAVED)
    entries = message["block_order"]
    for nonsense in (
        None,
        "text",
        [],
        [1, 2],
        entries[:-1],
        [*entries, {"type": "tool_call"}],
        [{**entry, "length": -1} for entry in entries],
        [{**entry, "length": "9"} for entry in entries],
        [{**entry, "citations": 7} for entry in entries],
        [{"type": "hologram"}] * 3,
    ):
        sent = turns({**message, "block_order": nonsense})[1]["content"]
        assert [block["type"] for block in sent] == ["server_tool_use", "text"], nonsense


def test_the_usual_order_needs_no_words() -> None:
    message = told([{"type": "thinking", "thinking": "Hm", "signature": "c2ln"}, INTERLEAVED[2]])

    assert "block_order" not in message
