"""Tools, the choice among them, and the answer's format, which may need a tool of its own.

Sources: https://platform.openai.com/docs/api-reference/chat/create (`tools`, `tool_choice`,
`parallel_tool_calls`, `response_format`),
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolConfiguration.html,
…/userguide/structured-output.html.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from router.errors import InvalidRequestError
from router.providers import fields
from router.providers.bedrock import content
from router.providers.bedrock.draft import Block, Draft
from router.providers.bedrock.turns import calls_tools
from router.providers.fields import Members

_NO_PARAMETERS = msgspec.Raw(b'{"type":"object","properties":{}}')

_NATIVE_TOOLS: Final = frozenset({"systemTool", "cachePoint", "toolSpec"})

_JSON_TOOL = "json_answer"
_JSON_INSTRUCTION = "Answer with one JSON object and nothing else."

_CHOICES: Final[Mapping[str, str]] = {"auto": "auto", "required": "any", "none": "none"}


def encode_tools(draft: Draft) -> None:
    """Fill `toolConfig` and the answer's format.

    Raises:
        InvalidRequestError: for a tool, a choice or a format that is malformed or cannot be carried.

    """
    found = fields.objects(draft.fields.get("tools"), "tools")
    tools = [block for i, tool in enumerate(found) for block in _tool(tool, f"tools.[{i}]", draft)]
    choice = _choice(draft)
    if choice and "allowed_tools" in choice:
        allowed = choice["names"]
        tools = [t for t in tools if "toolSpec" not in t or t["toolSpec"]["name"] in allowed]
        choice = {choice["allowed_tools"]: {}}
    if choice and "none" in choice:
        tools = _without_tools(tools, draft)
        choice = None
    elif choice and not tools and "auto" not in choice:
        draft.dropped.append("tool_choice")
    if tools:
        draft.body["toolConfig"] = {"tools": tools}
        _put_choice(choice, draft)
    _response_format(draft)
    if tools:
        _limit_parallel(draft)


def _tool(tool: Members, param: str, draft: Draft) -> list[Block]:
    kind = fields.required_text(tool, "type", param)
    if kind in _NATIVE_TOOLS and kind in tool:
        return [{kind: tool[kind]}]
    if kind != "function":
        msg = f"Tools of type '{kind}' cannot be sent to this model."
        raise InvalidRequestError(msg, param=f"{param}.type")
    function = fields.members(tool.get("function"), f"{param}.function")
    name = fields.required_text(function, "name", f"{param}.function")
    spec: Block = {"name": draft.tool_names.sent(name)}
    description = fields.text(function.get("description"), f"{param}.function.description")
    if description:
        spec["description"] = description
    schema = function.get("parameters")
    fields.members(schema, f"{param}.function.parameters")
    spec["inputSchema"] = {"json": _NO_PARAMETERS if fields.says_nothing(schema) else schema}
    strict = fields.boolean(function.get("strict"), f"{param}.function.strict")
    if strict is not None and draft.family.has_json_schema:
        spec["strict"] = strict
    elif strict:
        draft.dropped.append(f"{param}.function.strict")
    marked = tool if fields.says_nothing(function.get("cache_control")) else function
    return [{"toolSpec": spec}, *content.cache_point(marked, param)]


def _choice(draft: Draft) -> Block | None:
    """Return the choice in Converse's form, with `none` and `allowed_tools` besides."""
    found = fields.text_or_members(draft.fields.get("tool_choice"), "tool_choice")
    if not found:
        return None
    if isinstance(found, str):
        if found not in _CHOICES:
            known = ", ".join(_CHOICES)
            msg = f"Invalid value for 'tool_choice': '{found}'. Supported values are: {known}."
            raise InvalidRequestError(msg, param="tool_choice")
        return {_CHOICES[found]: {}}
    kind = fields.required_text(found, "type", "tool_choice")
    if kind not in _CHOICE_READERS:
        msg = f"A tool choice of type '{kind}' cannot be sent to this model."
        raise InvalidRequestError(msg, param="tool_choice.type")
    return _CHOICE_READERS[kind](found, draft)


def _one_function(found: Members, draft: Draft) -> Block:
    function = fields.members(found.get("function"), "tool_choice.function")
    name = fields.required_text(function, "name", "tool_choice.function")
    return {"tool": {"name": draft.tool_names.sent(name)}}


def _allowed_tools(found: Members, draft: Draft) -> Block:
    """Read a choice that narrows the tools; the other tools are then not offered at all."""
    param = "tool_choice.allowed_tools"
    allowed = fields.members(found.get("allowed_tools"), param)
    mode = fields.required_text(allowed, "mode", param)
    if mode not in _CHOICES:
        raise InvalidRequestError(f"Invalid value for '{param}.mode'.", param=f"{param}.mode")
    names = set()
    for i, tool in enumerate(fields.objects(allowed.get("tools"), f"{param}.tools")):
        function = fields.members(tool.get("function"), f"{param}.tools.[{i}].function")
        name = fields.required_text(function, "name", f"{param}.tools.[{i}].function")
        names.add(draft.tool_names.sent(name))
    return {"allowed_tools": _CHOICES[mode], "names": names}


_CHOICE_READERS: Final[Mapping[str, Callable[[Members, Draft], Block]]] = {
    "function": _one_function,
    "allowed_tools": _allowed_tools,
}


def _without_tools(tools: list[Block], draft: Draft) -> list[Block]:
    """Offer no tool, which Converse has no other word for.

    Where the conversation has calls, Bedrock wants the tools declared: then they stay, and it is reported.
    """
    if tools and calls_tools(draft.body["messages"]):
        draft.dropped.append("tool_choice")
        return tools
    return []


def _put_choice(choice: Block | None, draft: Draft) -> None:
    """Fill `toolChoice` with what the family takes; a choice that it does not take is reported.

    `auto` is what happens anyway: leaving it out loses nothing.
    """
    if choice is None:
        return
    kind = next(iter(choice))
    taken = draft.family.tool_choices
    if kind in taken:
        draft.body["toolConfig"]["toolChoice"] = choice
    elif kind == "tool" and "any" in taken and len(draft.body["toolConfig"]["tools"]) == 1:
        draft.body["toolConfig"]["toolChoice"] = {"any": {}}
    elif kind != "auto":
        draft.dropped.append("tool_choice")


def _limit_parallel(draft: Draft) -> None:
    """Carry `parallel_tool_calls: false`, which Claude alone has, as a property of its own choice."""
    raw = draft.fields.get("parallel_tool_calls")
    if fields.boolean(raw, "parallel_tool_calls") is not False:
        return
    if draft.family.claude is None:
        draft.dropped.append("parallel_tool_calls")
        return
    choice: Block = draft.body["toolConfig"].get("toolChoice", {"auto": {}})
    kind, named = next(iter(choice.items()))
    draft.additional["tool_choice"] = {"type": kind, **named, "disable_parallel_tool_use": True}


def _response_format(draft: Draft) -> None:
    found = fields.members(draft.fields.get("response_format"), "response_format")
    if not found:
        return
    kind = fields.required_text(found, "type", "response_format")
    if kind not in _FORMATS:
        known = ", ".join(_FORMATS)
        msg = f"Invalid value for 'response_format.type': '{kind}'. Supported values are: {known}."
        raise InvalidRequestError(msg, param="response_format.type")
    _FORMATS[kind](found, draft)


def _any_text(_found: Members, _draft: Draft) -> None:
    """Leave the answer as it comes: text is what Converse gives."""


def _json_object(_found: Members, draft: Draft) -> None:
    """Ask in words, and report it: nothing makes sure of the answer's form."""
    draft.body["system"] = [*draft.body.get("system", []), {"text": _JSON_INSTRUCTION}]
    draft.dropped.append("response_format")


def _json_schema(found: Members, draft: Draft) -> None:
    param = "response_format.json_schema"
    described = fields.members(found.get("json_schema"), param)
    schema = described.get("schema")
    if schema is None or not fields.members(schema, f"{param}.schema"):
        _json_object(found, draft)
        return
    name = fields.text(described.get("name"), f"{param}.name")
    description = fields.text(described.get("description"), f"{param}.description")
    if draft.family.has_json_schema:
        # Converse takes a schema as the text of it.
        definition = {"schema": bytes(schema).decode(), "name": name, "description": description}
        structure = {"jsonSchema": {key: value for key, value in definition.items() if value}}
        draft.body["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": structure}}
    elif draft.family.tool_choices & {"any", "tool"}:
        _json_tool(schema, description, draft)
    else:
        _json_object(found, draft)


def _json_tool(schema: Any, description: str | None, draft: Draft) -> None:
    """Let a tool with the schema take the answer; the decoder turns its call back into content."""
    draft.json_tool = draft.tool_names.unused(_JSON_TOOL)
    spec: Block = {"name": draft.json_tool, "inputSchema": {"json": schema}}
    if description:
        spec["description"] = description
    config = draft.body.setdefault("toolConfig", {"tools": []})
    has_others = bool(config["tools"])
    config["tools"] = [*config["tools"], {"toolSpec": spec}]
    if "tool" in draft.family.tool_choices and not has_others:
        config["toolChoice"] = {"tool": {"name": draft.json_tool}}
    elif "tool" not in config.get("toolChoice", {}):
        config["toolChoice"] = {"any": {}}


_FORMATS: Final[Mapping[str, Callable[[Members, Draft], None]]] = {
    "text": _any_text,
    "json_object": _json_object,
    "json_schema": _json_schema,
}
