"""What a recorded answer of Anthropic's says, read as plainly as possible and apart from the adapter."""

import json
from dataclasses import dataclass, field
from typing import Any, Final

FINISH: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


@dataclass
class Reading:
    """What a recorded answer says. `kinds` are the types of its blocks in their order."""

    id: str = ""
    model: str = ""
    text: str = ""
    reasoning: str = ""
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    thinking: list[dict[str, Any]] = field(default_factory=list)
    citations: list[dict[str, Any]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    stop: dict[str, Any] = field(default_factory=dict)
    usage: dict[str, Any] = field(default_factory=dict)

    @property
    def told_usage(self) -> dict[str, int | None]:
        used = self.usage
        cached = used.get("cache_read_input_tokens")
        written = used.get("cache_creation_input_tokens")
        prompt = used["input_tokens"] + (cached or 0) + (written or 0)
        return {
            "prompt": prompt,
            "completion": used["output_tokens"],
            "total": prompt + used["output_tokens"],
            "cached": cached,
            "written": written,
            "reasoning": (used.get("output_tokens_details") or {}).get("thinking_tokens"),
        }


def read_blocks(blocks: list[dict[str, Any]], reading: Reading) -> Reading:
    for block in blocks:
        kind = block["type"]
        if kind != "text" or block["text"]:
            is_more_text = kind == "text" and reading.kinds[-1:] == ["text"]
            reading.kinds += [] if is_more_text else [kind]
        if kind == "text":
            reading.text += block["text"]
            reading.citations += block.get("citations") or []
        elif kind == "thinking":
            reading.reasoning += block["thinking"]
            reading.thinking.append({k: block[k] for k in ("type", "thinking", "signature")})
        elif kind == "redacted_thinking":
            reading.thinking.append(block)
        elif kind == "tool_use":
            arguments = block.get("partial") or json.dumps(block["input"])
            reading.calls.append((block["id"], block["name"], arguments))
        else:
            reading.others.append(kind)
    return reading


def read_message(body: dict[str, Any]) -> Reading:
    reading = Reading(body["id"], body["model"], usage=body["usage"])
    reading.stop = {k: body.get(k) for k in ("stop_reason", "stop_sequence", "stop_details")}
    return read_blocks(body["content"], reading)


def read_stream(text: str) -> Reading:
    events = [json.loads(line[5:]) for line in text.splitlines() if line.startswith("data:")]
    reading = Reading()
    blocks: dict[int, dict[str, Any]] = {}
    for event in events:
        if event["type"] == "message_start":
            reading.id, reading.model = event["message"]["id"], event["message"]["model"]
            reading.usage = dict(event["message"]["usage"])
        elif event["type"] == "content_block_start":
            blocks[event["index"]] = dict(event["content_block"])
        elif event["type"] == "content_block_delta":
            apply_delta(blocks[event["index"]], event["delta"])
        elif event["type"] == "message_delta":
            reading.stop = event["delta"]
            reading.usage |= event["usage"]
        elif event["type"] == "message_stop":
            break  # two recordings hold several answers one after the other; a client gets the first
    return read_blocks([blocks[i] for i in sorted(blocks)], reading)


def apply_delta(block: dict[str, Any], delta: dict[str, Any]) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] += delta["signature"]
        case "input_json_delta":
            block["partial"] = block.get("partial", "") + delta["partial_json"]
        case "citations_delta":
            block["citations"] = [*(block.get("citations") or []), delta["citation"]]


def stated_usage(usage: dict[str, Any]) -> dict[str, int | None]:
    prompt = usage.get("prompt_tokens_details", {})
    return {
        "prompt": usage["prompt_tokens"],
        "completion": usage["completion_tokens"],
        "total": usage["total_tokens"],
        "cached": prompt.get("cached_tokens"),
        "written": prompt.get("cache_write_tokens"),
        "reasoning": usage.get("completion_tokens_details", {}).get("reasoning_tokens"),
    }


def assert_message(message: dict[str, Any], reading: Reading) -> None:
    """The message that a client ends up with says what the recording says."""
    assert (message.get("content") or "") == reading.text
    assert message.get("reasoning_content", "") == reading.reasoning
    calls = message.get("tool_calls") or []
    assert [call["id"] for call in calls] == [id_ for id_, _, _ in reading.calls]
    assert [call["function"]["name"] for call in calls] == [name for _, name, _ in reading.calls]
    assert [call["function"]["arguments"] for call in calls] == [a for _, _, a in reading.calls]
    assert all(isinstance(json.loads(call["function"]["arguments"]), dict) for call in calls)
    assert unindexed(message.get("thinking_blocks")) == reading.thinking
    assert unindexed(message.get("citations")) == reading.citations
    assert [block["type"] for block in message.get("provider_blocks") or []] == reading.others


def assert_stop(choice: dict[str, Any], reading: Reading) -> None:
    reason = reading.stop["stop_reason"]
    assert choice["finish_reason"] == FINISH[reason]
    assert choice.get("stop_sequence") == reading.stop.get("stop_sequence")
    if reason in ("pause_turn", "refusal", "stop_sequence"):
        assert choice["stop_reason"] == reason


def assert_tool_deltas(deltas: list[dict[str, Any]], reading: Reading) -> None:
    """Each call is opened once, in order, with its id and name; what follows carries neither."""
    entries = [entry for delta in deltas for entry in delta.get("tool_calls", [])]
    openings = [entry for entry in entries if "id" in entry]
    assert [entry["index"] for entry in openings] == list(range(len(reading.calls)))
    assert all(entry["type"] == "function" for entry in openings)
    assert all(entry["function"]["name"] for entry in openings)
    for entry in entries:
        if "id" not in entry:
            assert set(entry) == {"index", "function"}
            assert set(entry["function"]) == {"arguments"}
            assert entry["function"]["arguments"]


def unindexed(entries: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    return [{k: v for k, v in entry.items() if k != "index"} for entry in entries or []]
