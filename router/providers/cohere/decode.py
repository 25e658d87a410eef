"""A whole answer of Cohere's as a chat completion.

Beyond OpenAI's own fields a message carries, where the answer has them: `reasoning_content`, what the
model thought and then what it planned; `tool_plan`, that plan by itself, to be sent back; `citations`.
Source: https://docs.cohere.com/reference/chat.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from router.providers.adapter import Completion
from router.providers.cohere import answer, errors
from router.wire import jsontext

NO_ARGUMENTS: Final = "{}"
"""Arguments of a call that has none."""

NULL: Final = "null"


class Reply(msgspec.Struct):
    """An answer. Fields are what they should be, or anything: providers' answers are read leniently."""

    message: Any = None
    id: Any = None
    finish_reason: Any = None
    usage: Any = None
    logprobs: Any = None
    error: Any = None
    error_type: Any = None


_REPLY = msgspec.json.Decoder(Reply)


@dataclass(slots=True)
class _Parts:
    """An answer's content, sorted into the fields of OpenAI's message."""

    texts: list[str] = field(default_factory=list)
    thinking: list[str] = field(default_factory=list)
    tool_calls: list[dict[str, Any]] = field(default_factory=list)


def decode(body: bytes, created: int, model: str) -> Completion:
    """Read the body of a 200; `model` is the one that was asked, since Cohere does not repeat it.

    Raises:
        UpstreamError: if it cannot be read, or is a failure in disguise.

    """
    reply = _read(body)
    parts = _sorted(reply.message)
    plan = text_of(reply.message.get("tool_plan"))
    citations = reply.message.get("citations")
    extras = {
        "tool_calls": parts.tool_calls,
        "reasoning_content": "".join(parts.thinking) + plan,
        "tool_plan": plan,
        "citations": citations if isinstance(citations, list) else None,
    }
    choice = {
        "index": 0,
        "message": {
            "role": "assistant",
            "content": "".join(parts.texts) if parts.texts or not parts.tool_calls else None,
            "refusal": None,
            **{key: value for key, value in extras.items() if value},
        },
        "logprobs": answer.logprobs(reply.logprobs),
        **answer.finish(reply.finish_reason, calls_tools=bool(parts.tool_calls)),
    }
    completion: dict[str, Any] = {
        "id": text_of(reply.id),
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [choice],
    }
    if usage := answer.told_usage(reply.usage):
        completion["usage"] = usage
    return Completion(msgspec.json.encode(completion), answer.read_usage(reply.usage))


def _read(body: bytes) -> Reply:
    try:
        jsontext.check(body)
        reply = _REPLY.decode(body)
    except (ValueError, RecursionError) as exc:
        raise errors.unreadable("an answer", exc) from exc
    if reply.finish_reason in answer.FAILED:
        said = {key: getattr(reply, key) for key in ("finish_reason", "error", "error_type")}
        raise errors.stated_failure(said)
    if not isinstance(reply.message, dict):
        if isinstance(reply.message, str):
            raise errors.stated_failure({"message": reply.message, "error_type": reply.error_type})
        raise errors.unreadable("an answer without a message")
    return reply


def _sorted(message: dict[str, Any]) -> _Parts:
    parts = _Parts()
    content = message.get("content")
    if isinstance(content, str):
        parts.texts.append(content)
    for part in content if isinstance(content, list) else ():
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text":
            parts.texts.append(text_of(part.get("text")))
        elif kind == "thinking":
            parts.thinking.append(text_of(part.get("thinking")))
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict):
            parts.tool_calls.append(_told_call(call))
    return parts


def _told_call(call: dict[str, Any]) -> dict[str, Any]:
    """Return a call of a tool, its arguments as the text that the model wrote."""
    stated = call.get("function")
    function = stated if isinstance(stated, dict) else {}
    return {
        "id": text_of(call.get("id")),
        "type": "function",
        "function": {
            "name": text_of(function.get("name")),
            "arguments": arguments_of(text_of(function.get("arguments"))),
        },
    }


def arguments_of(text: str) -> str:
    """Return a call's arguments; `null`, which Cohere writes for a tool without any, is no object."""
    return NO_ARGUMENTS if text in ("", NULL) else text


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else ""
