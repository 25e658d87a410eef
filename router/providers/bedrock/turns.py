"""OpenAI's messages as Converse's `system` and alternating turns.

- The leading run of `system` and `developer` messages is hoisted into `system`. A later one stays where
  it is if the family takes it there (after a user turn, before an assistant's or at the end); otherwise
  it is hoisted too, and reported, since its place is lost.
- Consecutive messages of one role become one turn; results of tools stand first in theirs. A
  conversation that begins with an assistant is sent as it is.
- Reasoning is replayed from `thinking_blocks` (LiteLLM's spelling, and ours) or `reasoning_details`
  (OpenRouter's); models that sign none also from `reasoning_content`. A turn whose `block_order` is known
  comes out as it was.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-call.html
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from router.errors import InvalidRequestError
from router.providers import fields
from router.providers.anthropic import order
from router.providers.bedrock import content
from router.providers.bedrock.draft import Block, Draft
from router.providers.fields import Members
from router.providers.roles import SYSTEM_ROLES, following, leading_system, role_of

_COMMON = frozenset({"role", "content", "cache_control"})

_KNOWN: Final[Mapping[str, frozenset[str]]] = {
    "system": _COMMON,
    "developer": _COMMON,
    "user": _COMMON,
    # A tool's `name` repeats what its call already says; `citations` and `annotations` repeat what the
    # provider said of its own answer.
    "tool": _COMMON | {"tool_call_id", "is_error", "name"},
    "assistant": _COMMON | {
        "refusal", "tool_calls", "thinking_blocks", "reasoning_details", "reasoning_content",
        "reasoning", "provider_blocks", "citations", "annotations", order.FIELD,
    },
}  # fmt: skip
"""Members of a message that are carried, or that say nothing new. Others are reported."""

_UNCARRIED = ("audio", "function_call")
"""Content of an assistant that Converse has no form for, and that must not vanish."""

_IN_RESULTS: Final = frozenset({"text", "json", "image", "document", "video", "searchResult"})
"""Blocks that may stand in a tool's result."""


def encode_messages(draft: Draft) -> None:
    """Fill `system` and `messages` of the draft's body.

    Raises:
        InvalidRequestError: for content that cannot be carried, or that is not as OpenAI has it.

    """
    messages = fields.objects(draft.fields.get("messages"), "messages")
    params = [f"messages.[{i}]" for i in range(len(messages))]
    roles = [role_of(m, p, _KNOWN) for m, p in zip(messages, params, strict=True)]
    leading = leading_system(roles)
    after = following(roles)
    system: list[Block] = []
    turns = _Turns()
    is_anywhere = draft.family.claude is not None and draft.family.claude.takes_system_anywhere
    for i, (message, param, role) in enumerate(zip(messages, params, roles, strict=True)):
        _report_unknown(message, role, param, draft)
        found = _READERS[role](message, param, draft)
        found += content.cache_point(message, param) if found else []
        if role not in SYSTEM_ROLES:
            turns.add("assistant" if role == "assistant" else "user", found, leads=role == "tool")
        elif i < leading:
            system += found
        elif is_anywhere and turns.may_hold_system(before=after[i]):
            turns.add("system", found)
        else:
            draft.dropped.append(f"{param}.role")
            system += found
    if draft.family.claude is not None:
        _trim_prefill(turns.made)
    if system:
        draft.body["system"] = system
    draft.body["messages"] = turns.made


class _Turns:
    """Turns as they are made: consecutive blocks of one role together, results of tools first."""

    def __init__(self) -> None:
        self.made: list[Block] = []
        self._leading = 0

    def add(self, role: str, blocks: list[Block], *, leads: bool = False) -> None:
        """Add to the turn of `role`; blocks that lead come before all that do not."""
        if not blocks:
            return
        if not self.made or self.made[-1]["role"] != role:
            self.made.append({"role": role, "content": []})
            self._leading = 0
        merged: list[Block] = self.made[-1]["content"]
        if leads:
            merged[self._leading : self._leading] = blocks
            self._leading += len(blocks)
        else:
            merged += blocks

    def may_hold_system(self, before: str | None) -> bool:
        """Whether a system message may stand here, with a message of role `before` to come."""
        follows_user = bool(self.made) and self.made[-1]["role"] in ("user", "system")
        return follows_user and before in (None, "assistant")


def _trim_prefill(turns: list[Block]) -> None:
    """Take trailing white space from an assistant's turn at the end, which Claude refuses there."""
    if not turns or turns[-1]["role"] != "assistant":
        return
    last = turns[-1]["content"][-1]
    if isinstance(last.get("text"), str):
        last["text"] = last["text"].rstrip()
        if not last["text"]:
            turns[-1]["content"].pop()
    if not turns[-1]["content"]:
        turns.pop()


def _report_unknown(message: Members, role: str, param: str, draft: Draft) -> None:
    for key, value in message.items():
        if key not in _KNOWN[role] and not fields.says_nothing(value):
            draft.dropped.append(f"{param}.{key}")


def _content(message: Members, param: str, draft: Draft) -> list[Block]:
    found = fields.text_or_objects(message.get("content"), f"{param}.content")
    return content.blocks(found, f"{param}.content", draft)


def _tool(message: Members, param: str, draft: Draft) -> list[Block]:
    """Read a tool's result. Whether it is an error is for the caller to say, never guessed."""
    called = fields.required_text(message, "tool_call_id", param)
    found = fields.text_or_objects(message.get("content"), f"{param}.content")
    held = content.blocks(found, f"{param}.content", draft)
    points = [block for block in held if "cachePoint" in block]
    held = [block for block in held if "cachePoint" not in block]
    for block in held:
        kind = next(iter(block))
        if kind not in _IN_RESULTS:
            msg = f"Content of type '{kind}' cannot be sent to this model in a tool's result."
            raise InvalidRequestError(msg, param=f"{param}.content")
    result: Block = {"toolUseId": draft.tool_ids.sent(called), "content": held}
    is_error = fields.boolean(message.get("is_error"), f"{param}.is_error")
    if is_error is not None:
        result["status"] = "error" if is_error else "success"
    return [{"toolResult": result}, *points[:1]]


def _assistant(message: Members, param: str, draft: Draft) -> list[Block]:
    for key in _UNCARRIED:
        if not fields.says_nothing(message.get(key)):
            msg = f"'{param}.{key}' cannot be sent to this model."
            raise InvalidRequestError(msg, param=f"{param}.{key}")
    calls = fields.objects(message.get("tool_calls"), f"{param}.tool_calls")
    refusal = fields.text(message.get("refusal"), f"{param}.refusal")
    own = _provider_blocks(message, f"{param}.provider_blocks")
    said = _content(message, param, draft) + ([{"text": refusal}] if refusal else [])
    made = [_tool_use(c, f"{param}.tool_calls.[{i}]", draft) for i, c in enumerate(calls)]
    thinking = _reasoning(message, param, draft)
    told = fields.anything(message.get(order.FIELD), f"{param}.{order.FIELD}")
    citations = fields.anything(message.get("citations"), f"{param}.citations")
    uses = [use for use, *_ in made]
    texts = [{"type": "text", **block} if block.keys() == {"text"} else block for block in said]
    woven = order.Parts(thinking, own, texts, uses, citations).woven(told)
    if woven is not None and all(len(blocks) == 1 for blocks in made):
        return [_as_told(block) for block in woven]
    return [b for b in thinking if b] + own + said + [b for blocks in made for b in blocks]


def _as_told(block: Block) -> Block:
    """Return a text among the blocks of a replayed turn as Converse has it, with what it cited."""
    if block.get("type") != "text":
        return block
    if "citations" not in block:
        return {"text": block["text"]}
    content = [{"text": block["text"]}]
    return {"citationsContent": {"content": content, "citations": block["citations"]}}


def _provider_blocks(message: Members, param: str) -> list[Block]:
    """Return replayed blocks of Bedrock's own as they are, without the `index` of a stream's list."""
    found = fields.objects(message.get("provider_blocks"), param)
    return [{k: v for k, v in block.items() if k not in ("index", "type")} for block in found]


def _reasoning(message: Members, param: str, draft: Draft) -> list[Block | None]:
    """Return the reasoning to replay; None stands for what cannot be."""
    is_signed = draft.family.claude is not None
    for key, read in _CARRIERS.items():
        entries = fields.objects(message.get(key), f"{param}.{key}")
        if entries:
            replayed = [read(entry, is_signed) for entry in entries]
            if None in replayed:
                draft.dropped.append(f"{param}.{key}")
            return replayed
    for key in ("reasoning_content", "reasoning"):
        if fields.says_nothing(message.get(key)):
            continue
        if is_signed:
            # Claude takes its thinking back only under its own signature.
            draft.dropped.append(f"{param}.{key}")
        else:
            reasoning = fields.text(message.get(key), f"{param}.{key}")
            return [{"reasoningContent": {"reasoningText": {"text": reasoning}}}]
    return []


def _thought(entry: Members, key: str, *, is_signed: bool) -> Block | None:
    """Return a block of reasoning, where `key` names its text."""
    has_signature = not fields.says_nothing(entry.get("signature"))
    if is_signed and not has_signature:
        return None
    text: Block = {"text": entry.get(key, msgspec.Raw(b'""'))}
    if has_signature:
        text["signature"] = entry["signature"]
    return {"reasoningContent": {"reasoningText": text}}


def _redacted(entry: Members) -> Block | None:
    if fields.says_nothing(entry.get("data")):
        return None
    return {"reasoningContent": {"redactedContent": entry["data"]}}


def _thinking_block(entry: Members, is_signed: bool) -> Block | None:  # noqa: FBT001 (one signature for both)
    kind = fields.anything(entry.get("type"), "thinking_blocks")
    if kind == "redacted_thinking":
        return _redacted(entry)
    return _thought(entry, "thinking", is_signed=is_signed) if kind == "thinking" else None


def _reasoning_detail(entry: Members, is_signed: bool) -> Block | None:  # noqa: FBT001 (likewise)
    """Read an entry in OpenRouter's spelling; https://openrouter.ai/docs/use-cases/reasoning-tokens."""
    kind = fields.anything(entry.get("type"), "reasoning_details")
    if kind == "reasoning.encrypted":
        return _redacted(entry)
    return _thought(entry, "text", is_signed=is_signed) if kind == "reasoning.text" else None


_CARRIERS: Final[Mapping[str, Callable[[Members, bool], Block | None]]] = {
    "thinking_blocks": _thinking_block,
    "reasoning_details": _reasoning_detail,
}
"""Where reasoning may stand in a message with its signatures; the first that is there counts."""


def _tool_use(call: Members, param: str, draft: Draft) -> list[Block]:
    kind = fields.text(call.get("type"), f"{param}.type")
    if kind not in (None, "function"):
        msg = f"Tool calls of type '{kind}' cannot be sent to this model."
        raise InvalidRequestError(msg, param=f"{param}.type")
    function = fields.members(call.get("function"), f"{param}.function")
    name = fields.required_text(function, "name", f"{param}.function")
    arguments = f"{param}.function.arguments"
    use: Block = {
        "toolUseId": draft.tool_ids.sent(fields.required_text(call, "id", param)),
        "name": draft.tool_names.sent(name),
        "input": fields.object_text(function.get("arguments"), arguments),
    }
    return [{"toolUse": use}, *content.cache_point(call, param)]


_READERS: Final[Mapping[str, Callable[[Members, str, Draft], list[Block]]]] = {
    "system": _content,
    "developer": _content,
    "user": _content,
    "tool": _tool,
    "assistant": _assistant,
}


def calls_tools(turns: list[dict[str, Any]]) -> bool:
    """Whether tools occur in the conversation: then Bedrock wants them declared."""
    return any("toolUse" in b or "toolResult" in b for turn in turns for b in turn["content"])


def lacks_thinking(turns: list[dict[str, Any]]) -> bool:
    """Whether the turn to be continued is an assistant's that began without thinking.

    With a thinking budget Claude refuses to go on from such a turn: after results of tools, or from a
    prefill.
    """
    if not turns:
        return False
    last = turns[-1]
    if last["role"] == "user" and "toolResult" in last["content"][0] and len(turns) > 1:
        last = turns[-2]
    return last["role"] == "assistant" and "reasoningContent" not in last["content"][0]
