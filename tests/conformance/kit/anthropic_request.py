"""Recorded Anthropic requests put into OpenAI's words, and the form in which two requests are compared.

The mapping is written from Anthropic's and OpenAI's documentation, apart from the encoder. Content goes
into OpenAI's own fields wherever it has any; what only Anthropic has goes where the gateway documents it.
"""

import base64
import json
from collections.abc import Callable, Iterable
from typing import Any, Final

Json = dict[str, Any]

PASSED_ON: Final = frozenset({
    "temperature", "top_p", "top_k", "thinking", "container", "context_management", "mcp_servers",
    "cache_control", "inference_geo", "speed", "max_tokens",
})  # fmt: skip
"""Fields that a caller writes as Anthropic has them, or that both APIs spell alike."""

LEFT_OUT: Final = frozenset({"model", "stream", "messages", "anthropic_version", "anthropic_beta"})
"""Said elsewhere: by the row of the list, by the mapping below, by the address."""


def in_openai_words(body: Json) -> Json:
    """Return the chat completion request that asks for the same as a recorded Messages request."""
    asked: Json = {"messages": list(_messages(body))}
    for key, value in body.items():
        if key in PASSED_ON:
            asked[key] = value
        elif key in _FIELDS:
            asked |= _FIELDS[key](value)
        elif key not in LEFT_OUT:
            msg = f"the mapping knows no field {key!r}"
            raise LookupError(msg)
    return asked


def _messages(body: Json) -> Iterable[Json]:
    system = body.get("system")
    if system:
        yield {"role": "system", "content": system if isinstance(system, str) else _parts(system)}
    for message in body["messages"]:
        found = message["content"]
        if isinstance(found, str):
            yield {"role": message["role"], "content": found}
        elif message["role"] == "assistant":
            yield _assistant(found)
        elif message["role"] == "system":
            yield {"role": "system", "content": _parts(found)}
        else:
            yield from _user(found)


def _user(blocks: list[Json]) -> Iterable[Json]:
    for block in blocks:
        if block["type"] == "tool_result":
            yield _tool(block)
    rest = [block for block in blocks if block["type"] != "tool_result"]
    if rest:
        yield {"role": "user", "content": _parts(rest)}


def _tool(block: Json) -> Json:
    found = block.get("content", [])
    content = found if isinstance(found, str) else _parts(found)
    told = {key: value for key, value in block.items() if key in ("is_error", "cache_control")}
    return {"role": "tool", "tool_call_id": block["tool_use_id"], "content": content, **told}


def _parts(blocks: list[Json]) -> list[Json]:
    return [_PARTS.get(block["type"], _as_it_is)(block) for block in blocks]


def _as_it_is(block: Json) -> Json:
    return block


def _extras(block: Json, *names: str) -> Json:
    return {key: block[key] for key in ("cache_control", *names) if block.get(key) is not None}


def _text(block: Json) -> Json:
    return {"type": "text", "text": block["text"], **_extras(block, "citations")}


def _image(block: Json) -> Json:
    source = block["source"]
    if source["type"] == "file":
        return block
    return {"type": "image_url", "image_url": {"url": _url(source)}, **_extras(block)}


def _url(source: Json) -> str:
    match source["type"]:
        case "url":
            return str(source["url"])
        case "text":
            data = base64.b64encode(source["data"].encode()).decode()
            return f"data:text/plain;base64,{data}"
        case "base64":
            return f"data:{source['media_type']};base64,{source['data']}"
    msg = f"no data URL for {source['type']}"
    raise LookupError(msg)


def _document(block: Json) -> Json:
    """A file, named by its title; citations are asked for, and context given, beside it."""
    source = block["source"]
    if source["type"] == "content":
        return block
    file: Json = {}
    if source["type"] == "file":
        file["file_id"] = source["file_id"]
    else:
        file["file_data"] = _url(source)
    if block.get("title"):
        file["filename"] = block["title"]
    return {"type": "file", "file": file, **_extras(block, "citations", "context")}


_PARTS: Final[dict[str, Callable[[Json], Json]]] = {
    "text": _text,
    "image": _image,
    "document": _document,
}


def _assistant(blocks: list[Json]) -> Json:
    """One message of OpenAI's for a turn: what it sorts into fields, and how that stood."""
    message: Json = {"role": "assistant"}
    texts: list[Json] = []
    order: list[Json] = []
    for block in blocks:
        match block["type"]:
            case "text":
                texts.append(block)
                length = {"type": "text", "length": len(block["text"])}
                cited = len(block.get("citations") or [])
                order.append(length | ({"citations": cited} if cited else {}))
            case "tool_use":
                message.setdefault("tool_calls", []).append(_call(block))
                order.append({"type": "tool_call"})
            case "thinking" | "redacted_thinking":
                message.setdefault("thinking_blocks", []).append(block)
                order.append({"type": "thinking"})
            case _:
                message.setdefault("provider_blocks", []).append(block)
                order.append({"type": "provider_block"})
    if any("cache_control" in block for block in texts):
        return message | {"content": _parts(texts)}
    citations = [citation for block in texts for citation in block.get("citations") or []]
    if citations:
        message["citations"] = citations
    content = "".join(block["text"] for block in texts)
    return message | {"content": content or None, "block_order": order}


def _call(block: Json) -> Json:
    function = {"name": block["name"], "arguments": json.dumps(block["input"])}
    told = _extras(block, "caller")
    return {"id": block["id"], "type": "function", "function": function, **told}


def _tools(tools: list[Json]) -> Json:
    return {"tools": [_tool_offered(tool) for tool in tools]}


def _tool_offered(tool: Json) -> Json:
    if tool.get("type", "custom") != "custom":
        return tool
    own = {
        k: v for k, v in tool.items() if k not in ("name", "description", "input_schema", "type")
    }
    function = {"name": tool["name"], "parameters": tool["input_schema"]}
    if "description" in tool:
        function["description"] = tool["description"]
    if "strict" in own:
        function["strict"] = own.pop("strict")
    return {"type": "function", "function": function, **own}


def _tool_choice(choice: Json) -> Json:
    said: Any = {"auto": "auto", "any": "required", "none": "none"}.get(choice["type"])
    if choice["type"] == "tool":
        said = {"type": "function", "function": {"name": choice["name"]}}
    disabled = choice.get("disable_parallel_tool_use")
    return {"tool_choice": said} | (
        {"parallel_tool_calls": not disabled} if disabled is not None else {}
    )


def _output_format(found: Json) -> Json:
    wanted = {"name": "answer", "schema": found["schema"]}
    return {"response_format": {"type": "json_schema", "json_schema": wanted}}


def _output_config(config: Json) -> Json:
    asked = _output_format(config["format"]) if "format" in config else {}
    return asked | ({"reasoning_effort": config["effort"]} if "effort" in config else {})


def _service_tier(tier: str) -> Json:
    return {"service_tier": {"standard_only": "default"}.get(tier, tier)}


_FIELDS: Final[dict[str, Callable[[Any], Json]]] = {
    "system": lambda _: {},
    "tools": _tools,
    "tool_choice": _tool_choice,
    "stop_sequences": lambda stop: {"stop": stop},
    "metadata": lambda metadata: {"user": metadata["user_id"]},
    "output_config": _output_config,
    "output_format": _output_format,
    "service_tier": _service_tier,
}


# --- the form in which requests are compared ------------------------------------------------------


def normal(body: Json) -> Json:
    """Return a request in the one form that all spellings of it share."""
    told = {key: value for key, value in body.items() if key not in ("model", *_ADDRESSED)}
    told["messages"] = _normal_turns(told["messages"])
    told["system"] = _normal_blocks(told.get("system"))
    if "tools" in told:
        told["tools"] = [_normal_tool(tool) for tool in told["tools"]]
    if "tool_choice" in told:
        choice = dict(told["tool_choice"])
        if not choice.get("disable_parallel_tool_use"):
            choice.pop("disable_parallel_tool_use", None)
        told["tool_choice"] = choice
    if "output_format" in told:
        told["output_config"] = {"format": told.pop("output_format")}
    if not told.get("stream"):
        told.pop("stream", None)
    return {key: value for key, value in told.items() if value not in (None, [], {})}


_ADDRESSED: Final = ("anthropic_version", "anthropic_beta")


def _normal_tool(tool: Json) -> Json:
    told = {key: value for key, value in tool.items() if value not in (None, "")}
    if told.get("type") == "custom":
        del told["type"]
    return told


def _normal_turns(messages: list[Json]) -> list[Json]:
    """Merge turns of one role; results of tools stand first in theirs, as Anthropic demands."""
    turns: list[Json] = []
    for message in messages:
        blocks = _normal_blocks(message["content"])
        if turns and turns[-1]["role"] == message["role"]:
            blocks = turns.pop()["content"] + blocks
        if blocks:
            results = [block for block in blocks if block["type"] == "tool_result"]
            others = [block for block in blocks if block["type"] != "tool_result"]
            turns.append({"role": message["role"], "content": results + others})
    if turns and turns[-1]["role"] == "assistant" and turns[-1]["content"][-1]["type"] == "text":
        turns[-1]["content"][-1]["text"] = turns[-1]["content"][-1]["text"].rstrip()
    return turns


def _normal_blocks(content: Any) -> list[Json]:
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    blocks = [_normal_block(block) for block in content or []]
    return [block for block in blocks if block["type"] != "text" or block["text"]]


def _normal_block(block: Json) -> Json:
    told = {key: value for key, value in block.items() if value not in (None, [])}
    if told["type"] == "tool_result":
        told["content"] = _normal_blocks(told.get("content"))
        if not told.get("is_error"):
            told.pop("is_error", None)
    return told
