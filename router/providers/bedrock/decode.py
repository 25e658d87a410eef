"""A whole Converse answer as a chat completion.

Beyond OpenAI's own fields a message carries, where the answer has them: `reasoning_content`;
`thinking_blocks`, the reasoning with its signatures, to be sent back; `citations`; and `provider_blocks`,
what OpenAI has no word for: tools that the provider runs itself, their results, images. Those are never
`tool_calls`: a client would try to run them. `block_order` says how all these stood where that is not the
usual order (see `anthropic.order`).
Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, ClassVar, Final

import msgspec

from router.providers.adapter import Completion
from router.providers.anthropic.order import FIELD, Order
from router.providers.bedrock import answer, errors
from router.providers.names import Names
from router.wire import jsontext

NO_INPUT: Final = "{}"
"""Arguments of a call that has none."""

SERVER_TOOL: Final = "server_tool_use"
"""The type of a tool's use that the provider sees to itself."""


@dataclass(frozen=True, slots=True)
class Context:
    """What the request determines of the answer. `created` is Unix time in seconds."""

    created: int
    model: str
    include_usage: bool
    tool_names: Names
    tool_ids: Names
    json_tool: str | None
    seed: bytes = field(repr=False, default=b"")

    def answer_id(self, body: bytes = b"") -> str:
        """Return an id, since Bedrock gives none in its answers: a digest of request and answer."""
        digest = sha256(self.seed)
        digest.update(f"{self.created}".encode())
        digest.update(body)
        return f"chatcmpl-{digest.hexdigest()[:24]}"


class _Message(msgspec.Struct):
    content: list[msgspec.Raw] | None = None


class _Output(msgspec.Struct):
    message: _Message | None = None


class Answer(msgspec.Struct):
    """An answer. Fields are what they should be, or anything: providers' answers are read leniently."""

    output: _Output | None = None
    stopReason: Any = None  # noqa: N815 (AWS's names)
    usage: Any = None
    metrics: Any = None
    trace: Any = None
    performanceConfig: Any = None  # noqa: N815
    serviceTier: Any = None  # noqa: N815
    additionalModelResponseFields: Any = None  # noqa: N815


class ToolUse(msgspec.Struct):
    """A call of a tool; `input` is the text that the provider wrote."""

    toolUseId: Any = None  # noqa: N815
    name: Any = None
    type: Any = None
    input: msgspec.Raw = msgspec.Raw(b"")


class Block(msgspec.Struct):
    """A content block of any kind: the member that is there says which."""

    text: Any = None
    toolUse: ToolUse | None = None  # noqa: N815
    reasoningContent: Any = None  # noqa: N815
    citationsContent: Any = None  # noqa: N815


_ANSWER = msgspec.json.Decoder(Answer)
_BLOCK = msgspec.json.Decoder(Block)


@dataclass(slots=True)
class _Parts:
    """The blocks of an answer, sorted into the fields of OpenAI's message."""

    context: Context
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
        block = _BLOCK.decode(raw)
        for member, read in self._READERS.items():
            if getattr(block, member) is not None:
                read(self, block, raw)
                return
        self._keep(raw)

    def _keep(self, raw: msgspec.Raw) -> None:
        self.provider_blocks.append(raw)
        self.order.provider_block()

    def _say(self, text: str) -> None:
        self.texts.append(text)
        self.order.text(len(text))

    def _add_text(self, block: Block, raw: msgspec.Raw) -> None:
        self.order.begin_text()
        self._say(text_of(block.text))

    def _add_tool_use(self, block: Block, raw: msgspec.Raw) -> None:
        use = block.toolUse
        if use is None or use.type == SERVER_TOOL:
            self._keep(raw)
            return
        arguments = bytes(use.input).decode()
        if arguments in ("", "null"):
            arguments = NO_INPUT
        if self.context.json_tool is not None and use.name == self.context.json_tool:
            self.order.begin_text()
            self._say(arguments)
        else:
            self.order.call()
            self.tool_calls.append(tool_call(use, arguments, self.context))

    def _add_reasoning(self, block: Block, raw: msgspec.Raw) -> None:
        reasoning = block.reasoningContent if isinstance(block.reasoningContent, dict) else {}
        told = reasoning.get("reasoningText")
        if isinstance(told, dict):
            self.reasoning.append(text_of(told.get("text")))
            self.thinking_blocks.append(thinking_block(told.get("text"), told.get("signature")))
            self.order.thinking()
        elif "redactedContent" in reasoning:
            data = text_of(reasoning["redactedContent"])
            self.thinking_blocks.append({"type": "redacted_thinking", "data": data})
            self.order.thinking()

    def _add_cited(self, block: Block, raw: msgspec.Raw) -> None:
        cited = block.citationsContent if isinstance(block.citationsContent, dict) else {}
        self.order.begin_text()
        for content in _list(cited.get("content")):
            self._say(text_of(content.get("text") if isinstance(content, dict) else None))
        for citation in _list(cited.get("citations")):
            self.citations.append(citation)
            self.order.citation()

    _READERS: ClassVar[Mapping[str, Callable[["_Parts", Block, msgspec.Raw], None]]] = {
        "text": _add_text,
        "toolUse": _add_tool_use,
        "reasoningContent": _add_reasoning,
        "citationsContent": _add_cited,
    }
    """Blocks that OpenAI has a field for; all others are the provider's own business."""


def decode(body: bytes, context: Context) -> Completion:
    """Read the body of a 200.

    Raises:
        UpstreamError: if it cannot be read, or is a failure in disguise.

    """
    read = _read(body)
    parts = _Parts(context)
    content = read.output.message.content if read.output and read.output.message else None
    try:
        for raw in content or ():
            parts.add(raw)
        told = msgspec.json.encode(_completion(read, parts, context.answer_id(body)))
    except (ValueError, RecursionError) as exc:
        raise errors.unreadable("an answer", exc) from exc
    return Completion(told, answer.read_usage(read.usage))


def _read(body: bytes) -> Answer:
    try:
        jsontext.check(body)
        read = _ANSWER.decode(body)
    except (ValueError, RecursionError) as exc:
        raise errors.unreadable("an answer", exc) from exc
    if read.output is None or read.output.message is None or read.output.message.content is None:
        raise errors.disguised_failure(body) or errors.unreadable("an answer without content")
    return read


def _completion(read: Answer, parts: _Parts, answer_id: str) -> dict[str, Any]:
    completion: dict[str, Any] = {
        "id": answer_id,
        "object": "chat.completion",
        "created": parts.context.created,
        "model": parts.context.model,
        "choices": [_choice(read, parts)],
        "usage": answer.told_usage(read.usage),
        "service_tier": answer.service_tier(read.serviceTier),
        **{key: getattr(read, key) for key in answer.ENVELOPE_EXTRAS},
    }
    return {key: value for key, value in completion.items() if value is not None}


def _choice(read: Answer, parts: _Parts) -> dict[str, Any]:
    extras = {
        "tool_calls": parts.tool_calls,
        "reasoning_content": "".join(parts.reasoning),
        "thinking_blocks": parts.thinking_blocks,
        "citations": parts.citations,
        "provider_blocks": parts.provider_blocks,
        FIELD: [] if parts.order.is_usual else parts.order.entries,
    }
    calls_tools = bool(parts.tool_calls)
    return {
        "index": 0,
        "message": {
            "role": "assistant",
            "content": None if calls_tools and not parts.texts else "".join(parts.texts),
            "refusal": None,
            **{key: value for key, value in extras.items() if value},
        },
        "logprobs": None,
        "finish_reason": answer.finish_reason(read.stopReason, calls_tools=calls_tools),
        **answer.stop_extras(read.stopReason, read.additionalModelResponseFields),
    }


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else ""


def tool_call(use: ToolUse, arguments: str, context: Context) -> dict[str, Any]:
    """Return a call in OpenAI's form, by the caller's own names."""
    function = {"name": context.tool_names.told(text_of(use.name)), "arguments": arguments}
    told = context.tool_ids.told(text_of(use.toolUseId))
    return {"id": told, "type": "function", "function": function}


def thinking_block(text: Any, signature: Any) -> dict[str, Any]:
    """Return reasoning as it goes out, and as it comes back on the next turn; not every model signs."""
    block = {"type": "thinking", "thinking": text_of(text)}
    return block | ({"signature": signature} if isinstance(signature, str) and signature else {})
