"""OpenAI's messages as Anthropic's `system` and alternating turns.

- The leading run of `system` and `developer` messages is hoisted into `system`. A later one stays where
  it is if the family takes it there (after a user turn, before an assistant's or at the end); otherwise
  it is hoisted too, and reported, since its place is lost.
- Consecutive messages of one role become one turn; results of tools stand first in theirs, as Anthropic
  demands. A conversation that begins with an assistant is sent as it is.
- Signed thinking is replayed from `thinking_blocks` (LiteLLM's spelling, and ours) or
  `reasoning_details` (OpenRouter's).

Source: https://platform.claude.com/docs/en/build-with-claude/working-with-messages, …/thinking.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from router.errors import InvalidRequestError
from router.providers import fields
from router.providers.anthropic import content, order
from router.providers.anthropic.draft import Block, Draft
from router.providers.fields import Members
from router.providers.roles import SYSTEM_ROLES, following, leading_system, role_of
from router.wire import jsontext

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
"""Content of an assistant that Anthropic has no form for, and that must not vanish."""


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
    for i, (message, param, role) in enumerate(zip(messages, params, roles, strict=True)):
        found = _READERS[role](message, param, draft)
        _share_cache_control(message, found)
        if role not in SYSTEM_ROLES:
            turns.add("assistant" if role == "assistant" else "user", found)
        elif i < leading:
            system += found
        elif draft.family.takes_system_anywhere and turns.may_hold_system(before=after[i]):
            turns.add("system", found)
        else:
            draft.dropped.append(f"{param}.role")
            system += found
    _trim_prefill(turns.made)
    if system:
        draft.body["system"] = system
    draft.body["messages"] = turns.made


class _Turns:
    """Turns as they are made: consecutive blocks of one role together, results of tools first."""

    def __init__(self) -> None:
        self.made: list[Block] = []
        self._results = 0

    def add(self, role: str, blocks: list[Block]) -> None:
        if not blocks:
            return
        if not self.made or self.made[-1]["role"] != role:
            self.made.append({"role": role, "content": []})
            self._results = 0
        merged: list[Block] = self.made[-1]["content"]
        results = [block for block in blocks if block["type"] == "tool_result"]
        merged[self._results : self._results] = results
        self._results += len(results)
        merged += [block for block in blocks if block["type"] != "tool_result"]

    def may_hold_system(self, before: str | None) -> bool:
        """Whether Anthropic takes a system message here, with a message of role `before` to come."""
        follows_user = bool(self.made) and self.made[-1]["role"] in ("user", "system")
        return follows_user and before in (None, "assistant")


def _share_cache_control(message: Members, blocks: list[Block]) -> None:
    """Let `cache_control` on a message mark its last block: a string has no part to carry it."""
    if blocks and not fields.says_nothing(message.get("cache_control")):
        blocks[-1]["cache_control"] = message["cache_control"]


def _trim_prefill(turns: list[Block]) -> None:
    """Take trailing white space from an assistant's turn at the end, which Anthropic refuses there."""
    if not turns or turns[-1]["role"] != "assistant":
        return
    last = turns[-1]["content"][-1]
    if last["type"] == "text" and isinstance(last["text"], str):
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
    return content.blocks(found, f"{param}.content", draft.dropped)


def _system(message: Members, param: str, draft: Draft) -> list[Block]:
    _report_unknown(message, "system", param, draft)
    return _content(message, param, draft)


def _user(message: Members, param: str, draft: Draft) -> list[Block]:
    _report_unknown(message, "user", param, draft)
    return _content(message, param, draft)


def _tool(message: Members, param: str, draft: Draft) -> list[Block]:
    """Read a tool's result. Whether it is an error is for the caller to say, never guessed."""
    _report_unknown(message, "tool", param, draft)
    called = fields.required_text(message, "tool_call_id", param)
    result: Block = {"type": "tool_result", "tool_use_id": draft.tool_ids.sent(called)}
    found = fields.text_or_objects(message.get("content"), f"{param}.content")
    if isinstance(found, str):
        result["content"] = found
    elif found:
        result["content"] = content.blocks(found, f"{param}.content", draft.dropped)
    is_error = fields.boolean(message.get("is_error"), f"{param}.is_error")
    if is_error is not None:
        result["is_error"] = is_error
    return [result]


def _assistant(message: Members, param: str, draft: Draft) -> list[Block]:
    for key in _UNCARRIED:
        if not fields.says_nothing(message.get(key)):
            msg = f"'{param}.{key}' cannot be sent to this model."
            raise InvalidRequestError(msg, param=f"{param}.{key}")
    _report_unknown(message, "assistant", param, draft)
    thinking = _thinking(message, param, draft)
    own = _provider_blocks(message, f"{param}.provider_blocks")
    said = _content(message, param, draft)
    calls = [
        _tool_use(call, f"{param}.tool_calls.[{i}]", draft)
        for i, call in enumerate(fields.objects(message.get("tool_calls"), f"{param}.tool_calls"))
    ]
    refusal = fields.text(message.get("refusal"), f"{param}.refusal")
    if refusal:
        said.append({"type": "text", "text": refusal})
    citations = fields.anything(message.get("citations"), f"{param}.citations")
    parts = order.Parts(thinking, own, said, calls, citations)
    entries = fields.anything(message.get(order.FIELD), f"{param}.{order.FIELD}")
    return parts.woven(entries) or parts.in_usual_order()


def _provider_blocks(message: Members, param: str) -> list[Block]:
    """Return replayed blocks of Anthropic's own as they are, without the `index` of a stream's list."""
    found = fields.objects(message.get("provider_blocks"), param)
    return [
        {key: value for key, value in block.items() if key != "index"}
        | {"type": fields.required_text(block, "type", f"{param}.[{i}]")}
        for i, block in enumerate(found)
    ]


def _thinking(message: Members, param: str, draft: Draft) -> list[Block | None]:
    """Return a block for each entry of signed thinking, None for one that cannot be replayed."""
    for key, read in _CARRIERS.items():
        entries = fields.objects(message.get(key), f"{param}.{key}")
        if entries:
            replayed = [read(entry) for entry in entries]
            if None in replayed:
                draft.dropped.append(f"{param}.{key}")
            return replayed
    for key in ("reasoning_content", "reasoning"):
        # Anthropic takes thinking back only under its own signature.
        if not fields.says_nothing(message.get(key)):
            draft.dropped.append(f"{param}.{key}")
    return []


def _thinking_block(entry: Members) -> Block | None:
    kind = fields.anything(entry.get("type"), "thinking_blocks")
    if kind == "redacted_thinking" and not fields.says_nothing(entry.get("data")):
        return {"type": "redacted_thinking", "data": entry["data"]}
    if kind == "thinking" and not fields.says_nothing(entry.get("signature")):
        thinking = entry.get("thinking", msgspec.Raw(b'""'))
        return {"type": "thinking", "thinking": thinking, "signature": entry["signature"]}
    return None


def _reasoning_detail(entry: Members) -> Block | None:
    """Read an entry in OpenRouter's spelling, of Anthropic's own making.

    Source: https://openrouter.ai/docs/use-cases/reasoning-tokens.
    """
    kind = fields.anything(entry.get("type"), "reasoning_details")
    origin = fields.anything(entry.get("format"), "reasoning_details") or "anthropic"
    if not isinstance(origin, str) or not origin.startswith("anthropic"):
        return None
    if kind == "reasoning.encrypted" and not fields.says_nothing(entry.get("data")):
        return {"type": "redacted_thinking", "data": entry["data"]}
    if kind == "reasoning.text" and not fields.says_nothing(entry.get("signature")):
        thinking = entry.get("text", msgspec.Raw(b'""'))
        return {"type": "thinking", "thinking": thinking, "signature": entry["signature"]}
    return None


_CARRIERS: Final[Mapping[str, Callable[[Members], Block | None]]] = {
    "thinking_blocks": _thinking_block,
    "reasoning_details": _reasoning_detail,
}
"""Where signed thinking may stand in a message; the first that is there counts."""


def _tool_use(call: Members, param: str, draft: Draft) -> Block:
    kind = fields.text(call.get("type"), f"{param}.type")
    if kind not in (None, "function"):
        msg = f"Tool calls of type '{kind}' cannot be sent to this model."
        raise InvalidRequestError(msg, param=f"{param}.type")
    function = fields.members(call.get("function"), f"{param}.function")
    name = fields.required_text(function, "name", f"{param}.function")
    block: Block = {
        "type": "tool_use",
        "id": draft.tool_ids.sent(fields.required_text(call, "id", param)),
        "name": draft.tool_names.sent(name),
        "input": _arguments(function, f"{param}.function.arguments"),
    }
    for key in ("cache_control", "caller"):
        if not fields.says_nothing(call.get(key)):
            block[key] = call[key]
    return block


def _arguments(function: Members, param: str) -> msgspec.Raw:
    """Return the arguments as the object that they are the text of, in that very text."""
    text = fields.text(function.get("arguments"), param) or ""
    if not text.strip():
        return msgspec.Raw(b"{}")
    data = text.encode()
    try:
        jsontext.check(data)
    except jsontext.MalformedJsonError as exc:
        msg = f"'{param}' must be a JSON object: {exc}."
        raise InvalidRequestError(msg, param=param) from exc
    if not text.lstrip().startswith("{"):
        raise InvalidRequestError(f"'{param}' must be a JSON object.", param=param)
    return msgspec.Raw(data)


_READERS: Final[Mapping[str, Callable[[Members, str, Draft], list[Block]]]] = {
    "system": _system,
    "developer": _system,
    "user": _user,
    "tool": _tool,
    "assistant": _assistant,
}


def lacks_thinking(turns: list[dict[str, Any]]) -> bool:
    """Whether the turn to be continued is an assistant's that began without thinking.

    With a thinking budget Anthropic refuses to go on from such a turn: after results of tools, or from
    a prefill.
    """
    if not turns:
        return False
    last = turns[-1]
    if last["role"] == "user" and last["content"][0]["type"] == "tool_result" and len(turns) > 1:
        last = turns[-2]
    return (
        last["role"] == "assistant"
        and last["content"][0]["type"] not in ("thinking", "redacted_thinking")
    )  # fmt: skip
