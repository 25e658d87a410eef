"""Tools, the choice among them, and the form of the answer.

Functions go with their JSON schema as it is (`parametersJsonSchema`). A caller who means Gemini's own
tools says so in Gemini's words: `{"google_search": {}}`, `{"type": "codeExecution"}`.
`strict` on a function asks Gemini for the mode that holds calls to their schema (`VALIDATED`).

Sources: https://platform.openai.com/docs/api-reference/chat/create (`tools`, `tool_choice`,
`response_format`, `web_search_options`), https://ai.google.dev/api/caching#ToolConfig,
https://ai.google.dev/gemini-api/docs/structured-output.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from router.errors import InvalidRequestError
from router.providers import fields
from router.providers.fields import Members
from router.providers.gemini.draft import Draft

Choice = dict[str, Any]
"""A `functionCallingConfig`."""

_MODES: Final[Mapping[str, str]] = {"auto": "AUTO", "required": "ANY", "none": "NONE"}

NATIVE_TOOLS: Final = frozenset({
    "googleSearch", "googleSearchRetrieval", "enterpriseWebSearch", "googleMaps", "codeExecution",
    "urlContext", "fileSearch", "computerUse", "retrieval", "mcpServers", "parallelAiSearch",
    "exaAiSearch",
})  # fmt: skip

_SIMPLE: Final = frozenset({"type", "function"})


def encode_tools(draft: Draft) -> None:
    """Fill `tools`, `toolConfig` and the form of the answer.

    Raises:
        InvalidRequestError: for a tool, a choice or a format that is malformed or cannot be carried.

    """
    declared: list[dict[str, Any]] = []
    native: list[dict[str, Any]] = []
    strict: list[str] = []
    for i, tool in enumerate(fields.objects(draft.fields.get("tools"), "tools")):
        param = f"tools.[{i}]"
        if own := _native_tool(tool, param):
            native.append(own)
            continue
        function = _function(tool, param)
        declared.append(_declaration(function, f"{param}.function", draft))
        if fields.boolean(function.get("strict"), f"{param}.function.strict"):
            strict.append(f"{param}.function.strict")
        _report_unknown(tool, function, param, draft)
    _web_search(draft, native)
    groups = [{"functionDeclarations": declared}] if declared else []
    if groups or native:
        draft.body["tools"] = [*groups, *native]
    _encode_choice(draft, strict, has_functions=bool(declared))
    _limit_parallel(draft, has_functions=bool(declared))
    _response_format(draft)


def _native_tool(tool: Members, param: str) -> dict[str, Any]:
    """Return one of Gemini's own tools as the caller wrote it; empty if it is a function."""
    keys = [key for key in tool if key != "type"]
    if len(keys) == 1 and _camel(keys[0]) in NATIVE_TOOLS:
        return {_camel(keys[0]): tool[keys[0]]}
    kind = fields.text(tool.get("type"), f"{param}.type") or ""
    if not keys and _camel(kind) in NATIVE_TOOLS:
        return {_camel(kind): {}}
    return {}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _function(tool: Members, param: str) -> Members:
    kind = fields.required_text(tool, "type", param)
    if kind != "function":
        msg = f"Tools of type '{kind}' cannot be sent to this model."
        raise InvalidRequestError(msg, param=f"{param}.type")
    return fields.members(tool.get("function"), f"{param}.function")


def _declaration(function: Members, param: str, draft: Draft) -> dict[str, Any]:
    name = fields.required_text(function, "name", param)
    declared: dict[str, Any] = {"name": draft.names.sent(name)}
    description = fields.text(function.get("description"), f"{param}.description")
    if description:
        declared["description"] = description
    schema = function.get("parameters")
    if fields.members(schema, f"{param}.parameters"):
        declared["parametersJsonSchema"] = schema
    return declared


def _report_unknown(tool: Members, function: Members, param: str, draft: Draft) -> None:
    for key, value in tool.items():
        if key not in _SIMPLE and not fields.says_nothing(value):
            draft.dropped.append(f"{param}.{key}")
    for key, value in function.items():
        known = ("name", "description", "parameters", "strict")
        if key not in known and not fields.says_nothing(value):
            draft.dropped.append(f"{param}.function.{key}")


def _web_search(draft: Draft, native: list[dict[str, Any]]) -> None:
    """Carry `web_search_options`: a search is Gemini's own tool; how it is made is not told to it."""
    options = draft.fields.get("web_search_options")
    if options is None or bytes(options) == b"null":
        return
    found = fields.members(options, "web_search_options")
    if not any("googleSearch" in tool for tool in native):
        native.append({"googleSearch": {}})
    draft.dropped += [f"web_search_options.{key}" for key in found]


def _encode_choice(draft: Draft, strict: list[str], *, has_functions: bool) -> None:
    """Fill `toolConfig`. The mode `ANY` holds calls to their schema anyway, `AUTO` does not."""
    choice = _choice(draft)
    if strict and (choice is None or choice == {"mode": "AUTO"}):
        if draft.family.can_validate_calls:
            choice = {"mode": "VALIDATED"}
        else:
            draft.dropped += strict
    if choice is None:
        return
    if has_functions:
        draft.body["toolConfig"] = {"functionCallingConfig": choice}
    elif choice["mode"] not in ("AUTO", "NONE"):
        draft.dropped.append("tool_choice")


def _choice(draft: Draft) -> Choice | None:
    found = fields.text_or_members(draft.fields.get("tool_choice"), "tool_choice")
    if not found:
        return None
    if isinstance(found, str):
        return {"mode": _mode(found, "tool_choice")}
    kind = fields.required_text(found, "type", "tool_choice")
    if kind not in _CHOICE_READERS:
        msg = f"A tool choice of type '{kind}' cannot be sent to this model."
        raise InvalidRequestError(msg, param="tool_choice.type")
    return _CHOICE_READERS[kind](found, draft)


def _mode(word: str, param: str) -> str:
    if word not in _MODES:
        known = ", ".join(_MODES)
        msg = f"Invalid value for '{param}': '{word}'. Supported values are: {known}."
        raise InvalidRequestError(msg, param=param)
    return _MODES[word]


def _one_function(found: Members, draft: Draft) -> Choice:
    name = _name(found, "tool_choice.function", draft)
    return {"mode": "ANY", "allowedFunctionNames": [name]}


def _allowed_tools(found: Members, draft: Draft) -> Choice:
    """Read a choice that narrows the tools. Gemini narrows in the modes `ANY` and `VALIDATED` alone."""
    param = "tool_choice.allowed_tools"
    allowed = fields.members(found.get("allowed_tools"), param)
    mode = _mode(fields.required_text(allowed, "mode", param), f"{param}.mode")
    tools = fields.objects(allowed.get("tools"), f"{param}.tools")
    names = [_name(tool, f"{param}.tools.[{i}].function", draft) for i, tool in enumerate(tools)]
    if mode == "NONE":
        return {"mode": mode}
    return {"mode": "VALIDATED" if mode == "AUTO" else mode, "allowedFunctionNames": names}


def _name(holder: Members, param: str, draft: Draft) -> str:
    function = fields.members(holder.get("function"), param)
    return draft.names.sent(fields.required_text(function, "name", param))


_CHOICE_READERS: Final[Mapping[str, Callable[[Members, Draft], Choice]]] = {
    "function": _one_function,
    "allowed_tools": _allowed_tools,
}


def _limit_parallel(draft: Draft, *, has_functions: bool) -> None:
    raw = draft.fields.get("parallel_tool_calls")
    if fields.boolean(raw, "parallel_tool_calls") is False and has_functions:
        draft.dropped.append("parallel_tool_calls")


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
    """Leave the answer as it comes: text is what Gemini gives."""


def _json_object(_found: Members, draft: Draft) -> None:
    draft.generation["responseMimeType"] = "application/json"


def _json_schema(found: Members, draft: Draft) -> None:
    param = "response_format.json_schema"
    described = fields.members(found.get("json_schema"), param)
    schema = described.get("schema")
    _json_object(found, draft)
    if fields.members(schema, f"{param}.schema"):
        draft.generation["responseJsonSchema"] = schema
    if not fields.says_nothing(described.get("description")):
        draft.dropped.append(f"{param}.description")


_FORMATS: Final[Mapping[str, Callable[[Members, Draft], None]]] = {
    "text": _any_text,
    "json_object": _json_object,
    "json_schema": _json_schema,
}
