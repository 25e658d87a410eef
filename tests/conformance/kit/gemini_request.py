"""Recorded Gemini requests put into OpenAI's words, and the form in which two requests are compared.

The mapping is written from Gemini's and OpenAI's documentation, apart from the encoder. Content goes into
OpenAI's own fields wherever it has any; what only Gemini has goes where the gateway documents it.
"""

import json
import re
from collections.abc import Iterable
from itertools import count
from typing import Any, Final

from tests.conformance.kit.gemini_reading import replayable

Json = dict[str, Any]

NUMBERS: Final = {
    "temperature": "temperature", "topP": "top_p", "topK": "top_k", "candidateCount": "n", "seed": "seed",
    "presencePenalty": "presence_penalty", "frequencyPenalty": "frequency_penalty",
    "maxOutputTokens": "max_completion_tokens", "stopSequences": "stop", "logprobs": "top_logprobs",
    "responseLogprobs": "logprobs", "thinkingConfig": "thinking_config", "imageConfig": "image_config",
}  # fmt: skip
"""Members of `generationConfig` that have another name, or pass under Gemini's."""

MODES: Final = {"AUTO": "auto", "ANY": "required", "NONE": "none"}

OPAQUE: Final = frozenset({"args", "response", "labels"})
SCHEMAS: Final = frozenset({
    "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema",
})  # fmt: skip


def in_openai_words(body: Json) -> Json:
    """Return the chat completion request that asks for the same as a recorded one."""
    body = camel(body)
    asked: Json = {"messages": list(_messages(body))}
    for key, own in (("safetySettings", "safety_settings"), ("cachedContent", "cached_content")):
        if key in body:
            asked[own] = body[key]
    asked |= _generation(body.get("generationConfig", {}))
    asked |= _tools(body.get("tools", []), body.get("toolConfig", {}))
    known = {
        "contents", "systemInstruction", "generationConfig", "tools", "toolConfig", "safetySettings",
        "cachedContent", "model",
    }  # fmt: skip
    assert set(body) <= known, set(body) - known
    return asked


def _messages(body: Json) -> Iterable[Json]:
    system = body.get("systemInstruction")
    if system:
        yield {"role": "system", "content": _parts(_listed(system["parts"]))}
    ids = _Ids()
    for content in body["contents"]:
        if content.get("role") == "model":
            yield _assistant(content.get("parts", []), ids)
        else:
            yield from _user(content["parts"], ids)


def _listed(parts: Any) -> list[Json]:
    """Return parts as a list: Google takes a lone one without its brackets."""
    return parts if isinstance(parts, list) else [parts]


class _Ids:
    """Ids for calls that Gemini gave none, as the gateway makes them; results take them in order."""

    def __init__(self) -> None:
        self._numbers = count()
        self._waiting: list[tuple[str, str]] = []

    def of_call(self, call: Json) -> str:
        made: str = call.get("id") or f"call_gemini_recorded_{next(self._numbers)}"
        self._waiting.append((call["name"], made))
        return made

    def of_result(self, result: Json) -> str:
        """Return the id of the call that a result answers: a call of its name, in order."""
        if result.get("id"):
            return str(result["id"])
        for i, (name, made) in enumerate(self._waiting):
            if name == result["name"]:
                del self._waiting[i]
                return made
        return f"call_gemini_unasked_{next(self._numbers)}"


def _user(parts: list[Json], ids: _Ids) -> Iterable[Json]:
    results = [part["functionResponse"] for part in parts if "functionResponse" in part]
    for result in results:
        content: Any = json.dumps(result["response"])
        if result.get("parts"):
            media = _parts(result["parts"])
            text = [{"type": "text", "text": content}] if result["response"] else []
            content = [*text, *media]
        called = ids.of_result(result)
        yield {"role": "tool", "tool_call_id": called, "name": result["name"], "content": content}
    rest = [part for part in parts if "functionResponse" not in part]
    if rest:
        yield {"role": "user", "content": _parts(rest)}


def _assistant(parts: list[Json], ids: _Ids) -> Json:
    message: Json = {"role": "assistant", "content": "", "reasoning_content": ""}
    for part in parts:
        signature = part.get("thoughtSignature")
        at = len(message["content"])
        if "functionCall" in part:
            call = part["functionCall"]
            function = {"name": call["name"], "arguments": json.dumps(call.get("args", {}))}
            made: Json = {"id": ids.of_call(call), "type": "function", "function": function}
            if signature:
                made["extra_content"] = {"google": {"thought_signature": signature}}
            message.setdefault("tool_calls", []).append(made)
        elif part.get("thought") or "text" in part:
            key = "reasoning_content" if part.get("thought") else "content"
            text = part.get("text", "")
            if signature:
                entry: Json = {"part": "thought" if part.get("thought") else "text"}
                entry |= {"at": len(message[key]), "length": len(text)}
                entry |= {"thought_signature": signature}
                message.setdefault("thought_signatures", []).append(entry)
            message[key] += text
        elif "inlineData" in part:
            image = {"type": "image_url", "image_url": {"url": _data_url(part)}, "at": at}
            message.setdefault("images", []).append(image)
        else:
            message.setdefault("provider_blocks", []).append({**part, "at": at})
    return message


def _parts(parts: list[Json]) -> list[Json]:
    return [_part(part) for part in parts]


def _part(part: Json) -> Json:
    if "text" in part:
        return {"type": "text", "text": part["text"]}
    own = {key: part[key] for key in ("mediaResolution", "videoMetadata") if key in part}
    if "inlineData" in part:
        return _inline(part) | own
    uri, media_type = part["fileData"]["fileUri"], part["fileData"].get("mimeType")
    kind = (media_type or "").partition("/")[0]
    if kind in ("image", "video"):
        return {"type": f"{kind}_url", f"{kind}_url": {"url": uri, "format": media_type}} | own
    return {"type": "file", "file": {"file_id": uri, "format": media_type}} | own


def _inline(part: Json) -> Json:
    media_type: str = part["inlineData"]["mimeType"]
    kind, _, form = media_type.partition("/")
    if kind == "image":
        return {"type": "image_url", "image_url": {"url": _data_url(part)}}
    if kind == "audio" and form in ("wav", "mp3"):
        data = plain(part["inlineData"]["data"])
        return {"type": "input_audio", "input_audio": {"data": data, "format": form}}
    return {"type": "file", "file": {"file_data": _data_url(part)}}


def _data_url(part: Json) -> str:
    return f"data:{part['inlineData']['mimeType']};base64,{plain(part['inlineData']['data'])}"


def plain(data: str) -> str:
    """Return base64 in its plain alphabet: some clients write the other one."""
    return data.replace("-", "+").replace("_", "/")


def _generation(config: Json) -> Json:
    asked: Json = {}
    for key, value in config.items():
        if key in NUMBERS:
            asked[NUMBERS[key]] = value
        elif key == "responseMimeType":
            kind = {"text/plain": "text", "application/json": "json_object"}[value]
            asked.setdefault("response_format", {"type": kind})
        elif key in ("responseSchema", "responseJsonSchema"):
            described = {"name": "answer", "schema": lowered(value)}
            asked["response_format"] = {"type": "json_schema", "json_schema": described}
        elif key == "responseModalities":
            asked["modalities"] = [word.lower() for word in value]
        elif key == "speechConfig":
            voice = value["voiceConfig"]["prebuiltVoiceConfig"]["voiceName"]
            asked["audio"] = {"voice": voice, "format": "pcm16"}
        else:
            msg = f"the mapping knows no member {key!r}"
            raise LookupError(msg)
    return asked


def _tools(tools: list[Json], config: Json) -> Json:
    calling = config.get("functionCallingConfig", {})
    mode, names = calling.get("mode"), calling.get("allowedFunctionNames")
    made: list[Json] = []
    for group in tools:
        declared = group.get("functionDeclarations", [])
        made += [{"type": "function", "function": _function(each, mode)} for each in declared]
        made += [{key: value} for key, value in group.items() if key != "functionDeclarations"]
    asked: Json = {"tools": made} if made else {}
    if names and len(names) == 1 and mode == "ANY":
        asked["tool_choice"] = {"type": "function", "function": {"name": names[0]}}
    elif names:
        listed = [{"type": "function", "function": {"name": name}} for name in names]
        allowed = {"mode": MODES.get(mode, "auto"), "tools": listed}
        asked["tool_choice"] = {"type": "allowed_tools", "allowed_tools": allowed}
    elif mode in MODES:
        asked["tool_choice"] = MODES[mode]
    rest = {key: value for key, value in config.items() if key != "functionCallingConfig"}
    return asked | ({"tool_config": rest} if rest else {})


def _function(declared: Json, mode: str | None) -> Json:
    function: Json = {"name": declared["name"]}
    if declared.get("description"):
        function["description"] = declared["description"]
    for key in ("parameters", "parametersJsonSchema"):
        if key in declared:
            function["parameters"] = lowered(declared[key])
    return function | ({"strict": True} if mode == "VALIDATED" else {})


def lowered(schema: Any) -> Any:
    """Return a schema with JSON Schema's names of types, where Gemini's own has upper case."""
    if isinstance(schema, list):
        return [lowered(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: lowered(value) for key, value in schema.items()}
    if isinstance(found.get("type"), str):
        found["type"] = found["type"].lower()
    return found


def camel(value: Any) -> Any:
    """Return a request with Gemini's own spelling of its keys; some clients write snake case."""
    if isinstance(value, list):
        return [camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    told = {re.sub(r"_([a-z])", lambda m: m[1].upper(), key): item for key, item in value.items()}
    return {k: v if k in OPAQUE or k in SCHEMAS else camel(v) for k, v in told.items()}


def normal(body: Json) -> Json:
    """Return a request in the one form that all of the same meaning have."""
    body = camel(json.loads(json.dumps(body)))
    body.pop("model", None)
    system = _listed(body.pop("systemInstruction", {"parts": []})["parts"])
    body["systemInstruction"] = [found for part in system if (found := _normal_part(part))]
    contents = _normal_contents(body.pop("contents"))
    config = body.pop("generationConfig", {})
    if config.get("responseMimeType") == "text/plain":
        del config["responseMimeType"]
    for key in ("responseSchema", "responseJsonSchema"):
        if key in config:
            config["schema"] = lowered(config.pop(key))
    body["tools"] = _normal_tools(body.get("tools", []))
    if body.get("toolConfig", {}).get("functionCallingConfig", {}).get("allowedFunctionNames"):
        body["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"].sort()
    if not body["tools"]:
        body.pop("toolConfig", None)
    return {**body, "contents": contents, "generationConfig": config}


def _normal_contents(recorded: list[Json]) -> list[Json]:
    """Return contents with those of one role that follow each other as one, as Gemini reads them."""
    contents: list[Json] = []
    ids = _Ids()
    for content in recorded:
        parts = [found for part in content.get("parts", []) if (found := _normal_part(part))]
        role = content.get("role", "user")
        if role == "model":
            parts = replayable(parts)
        for part in parts:
            if "functionCall" in part:
                ids.of_call(part["functionCall"])
            elif "functionResponse" in part:
                called = ids.of_result(part["functionResponse"])
                if not called.startswith("call_gemini_"):
                    part["functionResponse"]["id"] = called
        if contents and contents[-1]["role"] == role:
            contents[-1]["parts"] += parts
        elif parts:
            contents.append({"role": role, "parts": parts})
    return contents


def _normal_part(part: Json) -> Json:
    if "functionCall" in part:
        part["functionCall"].setdefault("args", {})
    if "inlineData" in part:
        part["inlineData"]["data"] = plain(part["inlineData"]["data"])
    for inner in part.get("functionResponse", {}).get("parts", []):
        _normal_part(inner)
    is_silent = part.get("text") == "" and "thoughtSignature" not in part
    return {} if is_silent else part


def _normal_tools(groups: list[Json]) -> list[Json]:
    declared = [d for group in groups for d in group.get("functionDeclarations", [])]
    for each in declared:
        if not each.get("description"):
            each.pop("description", None)
        for key in ("parameters", "parametersJsonSchema"):
            if key in each:
                each["schema"] = lowered(each.pop(key))
    native = [{k: v} for g in groups for k, v in g.items() if k != "functionDeclarations"]
    return [*({"function": each} for each in declared), *native]
