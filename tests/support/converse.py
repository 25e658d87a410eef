"""Bedrock's Converse requests in OpenAI's words, written apart from the adapter that it tests."""

import base64
import json
from functools import cache
from typing import Any

import botocore.session
from botocore.validate import ParamValidator

DOCUMENTS = {
    "pdf": "application/pdf",
    "csv": "text/csv",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "txt": "text/plain",
    "md": "text/markdown",
    "html": "text/html",
}
CHOICES = {"auto": "auto", "any": "required"}


@cache
def service() -> Any:
    """AWS's own description of the service, as botocore has it."""
    return botocore.session.Session().get_service_model("bedrock-runtime")


def as_openai(body: dict[str, Any]) -> dict[str, Any]:
    """The request that a client of OpenAI's would have made to mean `body`."""
    system = parts(body.get("system") or [])
    messages = [{"role": "system", "content": system}] if system else []
    for turn in body["messages"]:
        messages += assistant(turn) if turn["role"] == "assistant" else user(turn)
    made: dict[str, Any] = {"messages": messages}
    inference = body.get("inferenceConfig") or {}
    names = {"maxTokens": "max_tokens", "topP": "top_p", "stopSequences": "stop"}
    made |= {names.get(key, key): value for key, value in inference.items()}
    made |= tools(body.get("toolConfig") or {})
    if text_format := (body.get("outputConfig") or {}).get("textFormat"):
        schema = dict(text_format["structure"]["jsonSchema"])
        schema["schema"] = json.loads(schema["schema"])
        made["response_format"] = {"type": "json_schema", "json_schema": schema}
    if tier := body.get("serviceTier"):
        made["service_tier"] = tier["type"]
    made |= additional(body.get("additionalModelRequestFields") or {})
    made |= {key: body[key] for key in ("guardrailConfig",) if key in body}
    return made


def additional(own: dict[str, Any]) -> dict[str, Any]:
    match own:
        case {"inferenceConfig": {"topK": top_k}}:
            return {"top_k": top_k}
        case {"thinking": {"type": "enabled", "budget_tokens": 1024}}:
            return {"reasoning_effort": "low"}
        case {"reasoningConfig": {"maxReasoningEffort": effort}}:
            return {"reasoning_effort": effort}
    return {"additionalModelRequestFields": own} if own else {}


def tools(config: dict[str, Any]) -> dict[str, Any]:
    if not config:
        return {}
    made: list[dict[str, Any]] = []
    for tool in config["tools"]:
        match tool:
            case {"toolSpec": spec}:
                function = {k: v for k, v in spec.items() if k != "inputSchema"}
                function["parameters"] = spec["inputSchema"]["json"]
                made.append({"type": "function", "function": function})
            case {"cachePoint": _}:
                made[-1]["cache_control"] = {"type": "ephemeral"}
            case _:
                made.append({"type": next(iter(tool)), **tool})
    choice = config.get("toolChoice")
    match choice:
        case None:
            return {"tools": made}
        case {"tool": named}:
            return {"tools": made, "tool_choice": {"type": "function", "function": named}}
    return {"tools": made, "tool_choice": CHOICES[next(iter(choice))]}


def parts(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for block in blocks:
        match block:
            case {"text": text}:
                made.append({"type": "text", "text": text})
            case {"cachePoint": _}:
                made[-1]["cache_control"] = {"type": "ephemeral"}
            case {"image": {"format": form, "source": {"bytes": data}}}:
                url = {"url": f"data:image/{form};base64,{data}"}
                made.append({"type": "image_url", "image_url": url})
            case {"document": {"format": form, "name": name, "source": {"bytes": data}}}:
                url_ = f"data:{DOCUMENTS[form]};base64,{data}"
                file = {"filename": f"{name}.{form}", "file_data": url_}
                extras = {k: v for k, v in block["document"].items() if k == "citations"}
                made.append({"type": "file", "file": file, **extras})
            case {"video": {"format": "mp4", "source": {"bytes": data}}}:
                url = {"url": f"data:video/mp4;base64,{data}"}
                made.append({"type": "video_url", "video_url": url})
            case _:
                made.append({"type": next(iter(block)), **block})
    return made


def user(turn: dict[str, Any]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    rest = []
    for block in turn["content"]:
        if "toolResult" in block:
            result = block["toolResult"]
            message = {"role": "tool", "tool_call_id": result["toolUseId"]}
            message["content"] = parts(result["content"])
            if "status" in result:
                message["is_error"] = result["status"] == "error"
            messages.append(message)
        else:
            rest.append(block)
    return [*messages, *([{"role": "user", "content": parts(rest)}] if rest else [])]


def assistant(turn: dict[str, Any]) -> list[dict[str, Any]]:
    message: dict[str, Any] = {"role": "assistant"}
    texts = []
    for block in turn["content"]:
        match block:
            case {"toolUse": use} if use.get("type") != "server_tool_use":
                function = {"name": use["name"], "arguments": json.dumps(use["input"])}
                call = {"id": use["toolUseId"], "type": "function", "function": function}
                message.setdefault("tool_calls", []).append(call)
            case {"reasoningContent": {"reasoningText": told}}:
                thought = {"type": "thinking", "thinking": told["text"]}
                thought["signature"] = told["signature"]
                message.setdefault("thinking_blocks", []).append(thought)
            case {"text": _}:
                texts.append(block)
            case _:
                message.setdefault("provider_blocks", []).append(block)
    message["content"] = parts(texts) or None
    return [message]


def comparable(value: Any) -> Any:
    """A request without what says nothing: empty settings, the model, a plain type."""
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "jsonSchema" in value:
        described = value["jsonSchema"]
        return {"jsonSchema": described | {"schema": json.loads(described["schema"])}}
    if "messages" in value:
        value = value | {"messages": merged(value["messages"])}
    empty = ("system", "inferenceConfig", "stopSequences")
    return {
        key: comparable(item)
        for key, item in value.items()
        if not (key in empty and not item)
        and (key, item) != ("type", "tool_use")
        and key != "modelId"
    }


def merged(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Consecutive turns of one role are one turn; empty texts, which Bedrock refuses, are none."""
    made: list[dict[str, Any]] = []
    for turn in turns:
        blocks = [block for block in turn["content"] if block != {"text": ""}]
        if made and made[-1]["role"] == turn["role"]:
            made[-1]["content"] += blocks
        else:
            made.append({"role": turn["role"], "content": blocks})
    return made


def typed(value: Any, shape: Any) -> Any:
    """A JSON request as botocore's callers write it: bytes for blobs, and the model id."""
    if shape.type_name == "blob" and isinstance(value, str):
        return base64.b64decode(value)
    if shape.type_name == "list" and isinstance(value, list):
        return [typed(item, shape.member) for item in value]
    if shape.type_name == "structure" and not shape.is_document_type and isinstance(value, dict):
        made = {
            key: typed(item, shape.members[key]) if key in shape.members else item
            for key, item in value.items()
        }
        return made | ({"modelId": "model"} if shape.name == "ConverseRequest" else {})
    return value


def assert_valid(body: dict[str, Any]) -> None:
    """AWS's own description of the service accepts the request."""
    shape = service().operation_model("Converse").input_shape
    report = ParamValidator().validate(typed(body, shape), shape)
    assert report.generate_report() == ""
