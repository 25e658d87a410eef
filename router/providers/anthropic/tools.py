"""Tools, the choice among them, and the answer's format, which may need a tool of its own.

Sources: https://platform.openai.com/docs/api-reference/chat/create (`tools`, `tool_choice`,
`parallel_tool_calls`, `response_format`), https://platform.claude.com/docs/en/api/messages (`tools`,
`tool_choice`, `output_config.format`).
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from router.errors import InvalidRequestError
from router.providers import fields
from router.providers.anthropic.draft import Block, Draft
from router.providers.fields import Members

_NO_PARAMETERS = msgspec.Raw(b'{"type":"object","properties":{}}')

_OPTIONS = (
    "strict", "cache_control", "defer_loading", "eager_input_streaming", "input_examples",
    "allowed_callers",
)  # fmt: skip
"""What a tool may say besides: `strict` is both APIs', the others are Anthropic's."""

_JSON_TOOL = "json_answer"
_JSON_INSTRUCTION = "Answer with one JSON object and nothing else."

_CHOICES: Final[Mapping[str, str]] = {"auto": "auto", "required": "any", "none": "none"}


def encode_tools(draft: Draft) -> None:
    """Fill `tools`, `tool_choice` and the answer's format.

    Raises:
        InvalidRequestError: for a tool, a choice or a format that is malformed or cannot be carried.

    """
    found = fields.objects(draft.fields.get("tools"), "tools")
    tools = [_tool(tool, f"tools.[{i}]", draft) for i, tool in enumerate(found)]
    choice = _choice(draft)
    if choice and choice["type"] == "allowed_tools":
        tools = [tool for tool in tools if tool["name"] in choice["names"]]
        choice = {"type": choice["mode"]}
        if not tools and choice["type"] != "none":
            msg = "'tool_choice' names no function that 'tools' has."
            raise InvalidRequestError(msg, param="tool_choice")
    if tools:
        draft.body["tools"] = tools
        if choice:
            draft.body["tool_choice"] = choice
        _limit_parallel(draft)
    elif choice and choice["type"] not in ("auto", "none"):
        draft.dropped.append("tool_choice")
    _response_format(draft)
    _unforce(draft)


def _tool(tool: Members, param: str, draft: Draft) -> Block:
    kind = fields.required_text(tool, "type", param)
    if kind != "function":
        return _native_tool(tool, kind, param, draft)
    function = fields.members(tool.get("function"), f"{param}.function")
    name = fields.required_text(function, "name", f"{param}.function")
    block: Block = {"name": draft.tool_names.sent(name)}
    description = fields.text(function.get("description"), f"{param}.function.description")
    if description:
        block["description"] = description
    schema = function.get("parameters")
    fields.members(schema, f"{param}.function.parameters")
    block["input_schema"] = _NO_PARAMETERS if fields.says_nothing(schema) else schema
    for key in _OPTIONS:
        value = tool.get(key) if fields.says_nothing(function.get(key)) else function[key]
        if not fields.says_nothing(value):
            block[key] = value
    return block


def _native_tool(tool: Members, kind: str, param: str, draft: Draft) -> Block:
    """Pass one of Anthropic's own tools as it is: `{"type": "web_search_20250305", "name": …, …}`."""
    if "custom" in tool or "name" not in tool:
        msg = f"Tools of type '{kind}' cannot be sent to this model."
        raise InvalidRequestError(msg, param=f"{param}.type")
    name = fields.required_text(tool, "name", param)
    return {**tool, "name": draft.tool_names.sent(name)}


def _choice(draft: Draft) -> Block | None:
    found = fields.text_or_members(draft.fields.get("tool_choice"), "tool_choice")
    if not found:
        return None
    if isinstance(found, str):
        if found not in _CHOICES:
            known = ", ".join(_CHOICES)
            msg = f"Invalid value for 'tool_choice': '{found}'. Supported values are: {known}."
            raise InvalidRequestError(msg, param="tool_choice")
        return {"type": _CHOICES[found]}
    kind = fields.required_text(found, "type", "tool_choice")
    if kind not in _CHOICE_READERS:
        msg = f"A tool choice of type '{kind}' cannot be sent to this model."
        raise InvalidRequestError(msg, param="tool_choice.type")
    return _CHOICE_READERS[kind](found, draft)


def _one_function(found: Members, draft: Draft) -> Block:
    function = fields.members(found.get("function"), "tool_choice.function")
    name = fields.required_text(function, "name", "tool_choice.function")
    return {"type": "tool", "name": draft.tool_names.sent(name)}


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
    return {"type": "allowed_tools", "mode": _CHOICES[mode], "names": names}


def _native_choice(found: Members, draft: Draft) -> Block:
    choice: Block = {**found, "type": fields.required_text(found, "type", "tool_choice")}
    if "name" in found:
        name = fields.required_text(found, "name", "tool_choice")
        choice["name"] = draft.tool_names.sent(name)
    return choice


_CHOICE_READERS: Final[Mapping[str, Callable[[Members, Draft], Block]]] = {
    "function": _one_function,
    "allowed_tools": _allowed_tools,
    "auto": _native_choice,
    "any": _native_choice,
    "tool": _native_choice,
    "none": _native_choice,
}
"""OpenAI's choices that are objects, and Anthropic's own."""


def _limit_parallel(draft: Draft) -> None:
    """Carry `parallel_tool_calls: false`, which Anthropic has as a property of the choice."""
    raw = draft.fields.get("parallel_tool_calls")
    if fields.boolean(raw, "parallel_tool_calls") is False:
        choice = draft.body.setdefault("tool_choice", {"type": "auto"})
        if choice["type"] != "none":
            choice["disable_parallel_tool_use"] = True


def _unforce(draft: Draft) -> None:
    """Let the model decide where its family refuses to be forced; reported, since it may not call."""
    choice = draft.body.get("tool_choice")
    if choice and choice["type"] in ("any", "tool") and not draft.family.can_force_tools:
        choice["type"] = "auto"
        choice.pop("name", None)
        draft.dropped.append("tool_choice")


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
    """Leave the answer as it comes: text is what Anthropic gives."""


def _json_object(_found: Members, draft: Draft) -> None:
    """Ask in words, and report it: nothing makes sure of the answer's form."""
    instruction: Block = {"type": "text", "text": _JSON_INSTRUCTION}
    draft.body["system"] = [*draft.body.get("system", []), instruction]
    draft.dropped.append("response_format")


def _json_schema(found: Members, draft: Draft) -> None:
    param = "response_format.json_schema"
    described = fields.members(found.get("json_schema"), param)
    schema = described.get("schema")
    if not fields.members(schema, f"{param}.schema"):
        _json_object(found, draft)
    elif draft.family.has_json_schema:
        output_format = {"type": "json_schema", "schema": schema}
        draft.body["output_config"] = {"format": output_format}
        if not fields.says_nothing(described.get("description")):
            draft.dropped.append(f"{param}.description")
    else:
        _json_tool(schema, fields.text(described.get("description"), f"{param}.description"), draft)


def _json_tool(schema: Any, description: str | None, draft: Draft) -> None:
    """Let a tool with the schema take the answer; the decoder turns its call back into content."""
    draft.json_tool = draft.tool_names.unused(_JSON_TOOL)
    tool: Block = {"name": draft.json_tool, "input_schema": schema}
    if description:
        tool["description"] = description
    callers: list[Block] = draft.body.get("tools", [])
    choice = draft.body.get("tool_choice", {"type": "auto"})
    is_free = choice["type"] in ("auto", "none") and _is_told_to_think(draft)
    if is_free and choice["type"] == "none":
        callers = []
    draft.body["tools"] = [*callers, tool]
    if is_free:
        # With thinking Anthropic refuses to be forced; reported, since the model may answer in words.
        draft.body["tool_choice"] = {**choice, "type": "auto"}
        draft.dropped.append("response_format")
    elif not callers or choice["type"] == "none":
        only: Block = {"type": "tool", "name": draft.json_tool, "disable_parallel_tool_use": True}
        draft.body["tool_choice"] = only
    elif choice["type"] == "auto":
        draft.body["tool_choice"] = {**choice, "type": "any"}


def _is_told_to_think(draft: Draft) -> bool:
    """Whether the caller asks for thinking in Anthropic's own words, which pass as they are."""
    thinking = fields.members(draft.fields.get("thinking"), "thinking")
    return fields.text(thinking.get("type"), "thinking.type") in ("enabled", "adaptive")


_FORMATS: Final[Mapping[str, Callable[[Members, Draft], None]]] = {
    "text": _any_text,
    "json_object": _json_object,
    "json_schema": _json_schema,
}
