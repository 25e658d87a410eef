"""A whole Anthropic message as a chat completion.

Beyond OpenAI's own fields a message carries, where the answer has them: `reasoning_content`;
`thinking_blocks`, the thinking with its signatures, to be sent back; `citations`; and `provider_blocks`,
what OpenAI has no word for: tools that the provider runs itself, their results, compactions. Those are
never `tool_calls`: a client would try to run them. `block_order` says how all these stood where that is
not the usual order. Source: https://platform.claude.com/docs/en/api/messages.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import msgspec

from router.providers.adapter import Completion
from router.providers.anthropic import answer, errors
from router.providers.anthropic.order import FIELD, Order
from router.providers.names import Names
from router.wire import jsontext

NO_INPUT: Final = "{}"
"""Arguments of a call that has none."""


class Message(msgspec.Struct):
    """An answer. Fields are what they should be, or anything: providers' answers are read leniently."""

    content: list[msgspec.Raw] | None = None
    id: Any = None
    type: Any = None
    model: Any = None
    stop_reason: Any = None
    stop_sequence: Any = None
    stop_details: Any = None
    usage: Any = None
    container: Any = None
    context_management: Any = None
    error: Any = None


class Block(msgspec.Struct):
    """A content block of any kind; `input` is the text that the provider wrote."""

    type: Any = None
    text: Any = None
    thinking: Any = None
    signature: Any = None
    data: Any = None
    id: Any = None
    name: Any = None
    input: msgspec.Raw = msgspec.Raw(b"")
    citations: Any = None
    caller: Any = None


_MESSAGE = msgspec.json.Decoder(Message)
BLOCK: Final = msgspec.json.Decoder(Block)


@dataclass(slots=True)
class _Parts:
    """The blocks of an answer, sorted into the fields of OpenAI's message."""

    names: Names
    json_tool: str | None
    texts: list[str] = field(default_factory=list)
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    thinking_blocks: list[dict[str, Any]] = field(default_factory=list)
    citations: list[Any] = field(default_factory=list)
    provider_blocks: list[msgspec.Raw] = field(default_factory=list)
    order: Order = field(default_factory=Order)

    def add(self, raw: msgspec.Raw) -> None:
        """Sort in the next block of the answer.

        Raises:
            ValueError: if it is no block at all.

        """
        block = BLOCK.decode(raw)
        self._READERS.get(text_of(block.type), _Parts._add_provider_block)(self, block, raw)

    def _add_text(self, block: Block, raw: msgspec.Raw) -> None:
        self._say(text_of(block.text))
        if isinstance(block.citations, list):
            for citation in block.citations:
                self.citations.append(citation)
                self.order.citation()

    def _say(self, text: str) -> None:
        self.texts.append(text)
        self.order.begin_text()
        self.order.text(len(text))

    def _add_tool_use(self, block: Block, raw: msgspec.Raw) -> None:
        arguments = arguments_of(block)
        if self.json_tool is not None and block.name == self.json_tool:
            self._say(arguments)
            return
        self.order.call()
        function = {"name": self.names.told(text_of(block.name)), "arguments": arguments}
        call = {"id": text_of(block.id), "type": "function", "function": function}
        self.tool_calls.append(call | caller_of(block))

    def _add_thinking(self, block: Block, raw: msgspec.Raw) -> None:
        self.order.thinking()
        self.reasoning.append(text_of(block.thinking))
        self.thinking_blocks.append(thinking_block(block.thinking, block.signature))

    def _add_redacted_thinking(self, block: Block, raw: msgspec.Raw) -> None:
        self.order.thinking()
        self.thinking_blocks.append({"type": "redacted_thinking", "data": text_of(block.data)})

    def _add_provider_block(self, block: Block, raw: msgspec.Raw) -> None:
        self.order.provider_block()
        self.provider_blocks.append(raw)

    _READERS: ClassVar[Mapping[str, Callable[["_Parts", Block, msgspec.Raw], None]]] = {
        "text": _add_text,
        "tool_use": _add_tool_use,
        "thinking": _add_thinking,
        "redacted_thinking": _add_redacted_thinking,
    }
    """Blocks that OpenAI has a field for; all others are the provider's own business."""


def decode(body: bytes, created: int, names: Names, json_tool: str | None) -> Completion:
    """Read the body of a 200. `names` are those that the request was sent with.

    Raises:
        UpstreamError: if it cannot be read, or is a failure in disguise.

    """
    message = _read(body)
    usage = message.usage if isinstance(message.usage, dict) else {}
    parts = _Parts(names, json_tool)
    try:
        for raw in message.content or ():
            parts.add(raw)
        told = msgspec.json.encode(_completion(message, parts, usage, created))
    except (ValueError, RecursionError) as exc:
        raise errors.unreadable("an answer", exc) from exc
    return Completion(told, answer.read_usage(usage))


def _read(body: bytes) -> Message:
    try:
        jsontext.check(body)
        message = _MESSAGE.decode(body)
    except (ValueError, RecursionError) as exc:
        raise errors.unreadable("an answer", exc) from exc
    if message.type == "error":
        raise errors.stated_failure(message.error)
    if message.content is None:
        raise errors.unreadable("an answer without content")
    return message


def _completion(
    message: Message, parts: _Parts, usage: Mapping[str, Any], created: int
) -> dict[str, Any]:
    completion: dict[str, Any] = {
        "id": text_of(message.id),
        "object": "chat.completion",
        "created": created,
        "model": text_of(message.model),
        "choices": [_choice(message, parts)],
        "usage": answer.told_usage(usage),
        "service_tier": answer.service_tier(usage),
        **{key: getattr(message, key) for key in answer.ENVELOPE_EXTRAS},
    }
    return {key: value for key, value in completion.items() if value is not None}


def _choice(message: Message, parts: _Parts) -> dict[str, Any]:
    stop = {
        "stop_reason": message.stop_reason,
        "stop_sequence": message.stop_sequence,
        "stop_details": message.stop_details,
    }
    refusal = answer.refusal_text(stop)
    is_textless = not parts.texts and bool(parts.tool_calls or refusal)
    extras = {
        "tool_calls": parts.tool_calls,
        "reasoning_content": "".join(parts.reasoning),
        "thinking_blocks": parts.thinking_blocks,
        "citations": parts.citations,
        "provider_blocks": parts.provider_blocks,
        FIELD: [] if parts.order.is_usual else parts.order.entries,
    }
    return {
        "index": 0,
        "message": {
            "role": "assistant",
            "content": None if is_textless else "".join(parts.texts),
            "refusal": refusal,
            **{key: value for key, value in extras.items() if value},
        },
        "logprobs": None,
        "finish_reason": answer.finish_reason(
            message.stop_reason, calls_tools=bool(parts.tool_calls)
        ),
        **answer.stop_extras(stop),
    }


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else ""


def caller_of(block: Block) -> dict[str, Any]:
    """Return the extra field of a tool call that the provider's own code made, not the model itself."""
    is_direct = not isinstance(block.caller, dict) or block.caller.get("type") == "direct"
    return {} if is_direct else {"caller": block.caller}


def arguments_of(block: Block) -> str:
    """Return a call's arguments as the JSON text that the provider wrote."""
    text = bytes(block.input).decode()
    return NO_INPUT if text in ("", "null") else text


def thinking_block(thinking: Any, signature: Any) -> dict[str, Any]:
    """Return thinking as it goes out, and as it comes back on the next turn."""
    return {
        "type": "thinking",
        "thinking": text_of(thinking),
        "signature": text_of(signature),
    }
