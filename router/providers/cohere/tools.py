"""Tools, the choice among them, and the answer's format.

Cohere has no way to name the one tool that must be called: then that tool alone is offered, and a call
required, which comes to the same.
Sources: https://docs.cohere.com/reference/chat (`tools`, `strict_tools`, `tool_choice`, `response_format`),
https://docs.cohere.com/docs/structured-outputs.
"""

from typing import Any, Final

import msgspec

from router.errors import InvalidRequestError
from router.providers import fields
from router.providers.cohere.draft import Block, Draft
from router.providers.fields import Members

_NO_PARAMETERS = msgspec.Raw(b'{"type":"object","properties":{}}')

_CHOICES: Final = {"auto": None, "required": "REQUIRED", "none": "NONE"}


def encode_tools(draft: Draft) -> None:
    """Fill `tools`, `strict_tools`, `tool_choice` and `response_format`.

    Raises:
        InvalidRequestError: for a tool, a choice or a format that is malformed or cannot be carried.

    """
    found = fields.objects(draft.fields.get("tools"), "tools")
    tools = [_tool(tool, f"tools.[{i}]", draft) for i, tool in enumerate(found)]
    mode, names = _choice(draft)
    if names is not None:
        tools = [tool for tool in tools if tool["function"]["name"] in names]
        if not tools and mode != "NONE":
            msg = "'tool_choice' names no function that 'tools' has."
            raise InvalidRequestError(msg, param="tool_choice")
    if tools:
        draft.body["tools"] = tools
    if tools and mode:
        draft.body["tool_choice"] = mode
    elif mode == "REQUIRED":
        draft.dropped.append("tool_choice")
    _encode_strict(found, draft)
    _encode_format(draft)


def _tool(tool: Members, param: str, draft: Draft) -> Block:
    kind = fields.required_text(tool, "type", param)
    if kind != "function":
        msg = f"Tools of type '{kind}' cannot be sent to this model."
        raise InvalidRequestError(msg, param=f"{param}.type")
    function = fields.members(tool.get("function"), f"{param}.function")
    sent: Block = {"name": fields.required_text(function, "name", f"{param}.function")}
    description = fields.text(function.get("description"), f"{param}.function.description")
    if description is not None:
        sent["description"] = description
    schema = function.get("parameters")
    fields.members(schema, f"{param}.function.parameters")
    sent["parameters"] = _NO_PARAMETERS if fields.says_nothing(schema) else schema
    for found, known, where in (
        (tool, {"type", "function"}, param),
        (function, {"name", "description", "parameters", "strict"}, f"{param}.function"),
    ):
        others = (k for k, v in found.items() if k not in known and not fields.says_nothing(v))
        draft.dropped += [f"{where}.{key}" for key in others]
    return {"type": "function", "function": sent}


def _encode_strict(found: list[Members], draft: Draft) -> None:
    """Fill `strict_tools`, which is for all tools or none; for some it is reported."""
    strict = [
        bool(fields.boolean(function.get("strict"), f"tools.[{i}].function.strict"))
        for i, tool in enumerate(found)
        for function in [fields.members(tool.get("function"), f"tools.[{i}].function")]
    ]
    if strict and all(strict):
        draft.body["strict_tools"] = True
    else:
        draft.dropped += [f"tools.[{i}].function.strict" for i, each in enumerate(strict) if each]


def _choice(draft: Draft) -> tuple[str | None, set[str] | None]:
    """Return Cohere's word for the choice, and the names of the tools that are to be offered; None: all."""
    found = fields.text_or_members(draft.fields.get("tool_choice"), "tool_choice")
    if not found:
        return None, None
    if isinstance(found, str):
        return _mode(found, "tool_choice"), None
    kind = fields.required_text(found, "type", "tool_choice")
    if kind == "function":
        function = fields.members(found.get("function"), "tool_choice.function")
        return "REQUIRED", {fields.required_text(function, "name", "tool_choice.function")}
    if kind != "allowed_tools":
        msg = f"A tool choice of type '{kind}' cannot be sent to this model."
        raise InvalidRequestError(msg, param="tool_choice.type")
    param = "tool_choice.allowed_tools"
    allowed = fields.members(found.get("allowed_tools"), param)
    names = set()
    for i, tool in enumerate(fields.objects(allowed.get("tools"), f"{param}.tools")):
        function = fields.members(tool.get("function"), f"{param}.tools.[{i}].function")
        names.add(fields.required_text(function, "name", f"{param}.tools.[{i}].function"))
    return _mode(fields.required_text(allowed, "mode", param), f"{param}.mode"), names


def _mode(mode: str, param: str) -> str | None:
    if mode not in _CHOICES:
        known = ", ".join(_CHOICES)
        msg = f"Invalid value for '{param}': '{mode}'. Supported values are: {known}."
        raise InvalidRequestError(msg, param=param)
    return _CHOICES[mode]


def _encode_format(draft: Draft) -> None:
    """Fill `response_format`. Cohere's own form, a `json_object` with its schema beside it, passes too."""
    found = fields.members(draft.fields.get("response_format"), "response_format")
    if not found:
        return
    kind = fields.required_text(found, "type", "response_format")
    param = "response_format.json_schema"
    described = fields.members(found.get("json_schema"), param)
    schema: Any = None
    if kind == "json_schema":
        schema = described.get("schema")
        fields.members(schema, f"{param}.schema")
        if not fields.says_nothing(described.get("description")):
            draft.dropped.append(f"{param}.description")
    elif kind == "json_object":
        schema = found.get("json_schema")
    elif kind != "text":
        known = "text, json_object, json_schema"
        msg = f"Invalid value for 'response_format.type': '{kind}'. Supported values are: {known}."
        raise InvalidRequestError(msg, param="response_format.type")
    if kind != "text":
        is_stated = not fields.says_nothing(schema)
        draft.body["response_format"] = {"type": "json_object"} | (
            {"json_schema": schema} if is_stated else {}
        )
