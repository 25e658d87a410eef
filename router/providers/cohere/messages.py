"""OpenAI's messages as Cohere's: the same four roles, in the same places.

- `developer` is `system`, which Cohere takes anywhere.
- A file that is plain text becomes one of the request's `documents`, which the model cites; Cohere takes
  no other files. Content is carried or refused, never lost.
- The reasoning that an answer was given with goes back: a plan for tools as `tool_plan` (the extra field
  of that name, or the end of `reasoning_content`), all else as a thinking block.

Sources: https://docs.cohere.com/reference/chat, …/docs/tool-use-overview, …/docs/reasoning,
…/docs/image-inputs.
"""

import base64
from collections.abc import Callable, Mapping
from mimetypes import guess_type
from typing import Final, NamedTuple

import msgspec

from router.errors import InvalidRequestError
from router.providers import fields
from router.providers.cohere.draft import Block, Draft
from router.providers.data_url import data_url
from router.providers.fields import Members
from router.providers.roles import role_of

_COMMON = frozenset({"role", "content"})

_KNOWN: Final[Mapping[str, frozenset[str]]] = {
    "system": _COMMON,
    "developer": _COMMON,
    "user": _COMMON,
    # A tool's `name` repeats what its call already says; `citations` and `annotations` repeat what the
    # provider said of its own answer, and the carriers of thinking say the same in several ways.
    "tool": _COMMON | {"tool_call_id", "name"},
    "assistant": _COMMON | {
        "refusal", "tool_calls", "tool_plan", "reasoning_content", "reasoning", "thinking_blocks",
        "reasoning_details", "citations", "annotations",
    },
}  # fmt: skip
"""Members of a message that are carried, or that say nothing new. Others are reported."""

_UNCARRIED = ("audio", "function_call", "provider_blocks")
"""Content of an assistant that Cohere has no form for, and that must not vanish."""

_SENT_ROLE: Final = {"developer": "system"}

_NULL = msgspec.Raw(b"null")


def encode_messages(draft: Draft) -> None:
    """Fill `messages` of the draft's body, and the draft's `documents`.

    Raises:
        InvalidRequestError: for content that cannot be carried, or that is not as OpenAI has it.

    """
    sent = []
    for i, message in enumerate(fields.objects(draft.fields.get("messages"), "messages")):
        param = f"messages.[{i}]"
        role = role_of(message, param, _KNOWN)
        sent.append({"role": _SENT_ROLE.get(role, role)} | _READERS[role](message, param, draft))
        for key, value in message.items():
            if key not in _KNOWN[role] and not fields.says_nothing(value):
                draft.dropped.append(f"{param}.{key}")
    draft.body["messages"] = sent


def _plain(message: Members, param: str, draft: Draft) -> Block:
    return {"content": _content(message, f"{param}.content", draft, _TEXT_READERS)}


def _user(message: Members, param: str, draft: Draft) -> Block:
    return {"content": _content(message, f"{param}.content", draft, _USER_READERS)}


def _tool(message: Members, param: str, draft: Draft) -> Block:
    return {
        "tool_call_id": fields.required_text(message, "tool_call_id", param),
        "content": _content(message, f"{param}.content", draft, _TOOL_READERS),
    }


def _assistant(message: Members, param: str, draft: Draft) -> Block:
    for key in _UNCARRIED:
        if not fields.says_nothing(message.get(key)):
            msg = f"'{param}.{key}' cannot be sent to this model."
            raise InvalidRequestError(msg, param=f"{param}.{key}")
    calls = fields.objects(message.get("tool_calls"), f"{param}.tool_calls")
    content = _content(message, f"{param}.content", draft, _ASSISTANT_READERS)
    if refusal := fields.text(message.get("refusal"), f"{param}.refusal"):
        content = [*_blocks(content), {"type": "text", "text": refusal}]
    thinking, plan = _reasoning(message, param, draft, calls_tools=bool(calls))
    if thinking:
        content = [{"type": "thinking", "thinking": thinking}, *_blocks(content)]
    sent: Block = {}
    is_stated = bytes(message.get("content", _NULL)) != b"null"
    if content or is_stated or not calls:
        sent["content"] = content
    if plan:
        sent["tool_plan"] = plan
    if calls:
        sent["tool_calls"] = [_call(c, f"{param}.tool_calls.[{i}]") for i, c in enumerate(calls)]
    return sent


def _blocks(content: str | list[Block]) -> list[Block]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return content


def _reasoning(message: Members, param: str, draft: Draft, *, calls_tools: bool) -> tuple[str, str]:
    """Return the thinking and the plan for tools that a message was given with."""
    plan = fields.text(message.get("tool_plan"), f"{param}.tool_plan") or ""
    thinking = _thinking(message, param)
    if plan:
        # `reasoning_content` tells both, the plan last.
        return thinking.removesuffix(plan), plan
    if calls_tools and not draft.family.thinks:
        return "", thinking
    return thinking, ""


def _thinking(message: Members, param: str) -> str:
    for key in ("reasoning_content", "reasoning"):
        if text := fields.text(message.get(key), f"{param}.{key}"):
            return text
    for key, inner in (("thinking_blocks", "thinking"), ("reasoning_details", "text")):
        entries = fields.objects(message.get(key), f"{param}.{key}")
        texts = [fields.text(e.get(inner), f"{param}.{key}.{inner}") or "" for e in entries]
        if any(texts):
            return "".join(texts)
    return ""


def _call(call: Members, param: str) -> Block:
    kind = fields.text(call.get("type"), f"{param}.type")
    if kind not in (None, "function"):
        msg = f"Tool calls of type '{kind}' cannot be sent to this model."
        raise InvalidRequestError(msg, param=f"{param}.type")
    function = fields.members(call.get("function"), f"{param}.function")
    arguments = fields.text(function.get("arguments"), f"{param}.function.arguments") or ""
    return {
        "id": fields.required_text(call, "id", param),
        "type": "function",
        "function": {
            "name": fields.required_text(function, "name", f"{param}.function"),
            "arguments": arguments if arguments.strip() else "{}",
        },
    }


class _Part(NamedTuple):
    """A part being read: its members, where it stands, and where documents go."""

    found: Members
    param: str
    draft: Draft


_Reader = Callable[[_Part], Block | None]


def _content(
    message: Members, param: str, draft: Draft, readers: Mapping[str, _Reader]
) -> str | list[Block]:
    found = fields.text_or_objects(message.get("content"), param)
    if isinstance(found, str):
        return found
    blocks = []
    for i, members in enumerate(found):
        part = _Part(members, f"{param}.[{i}]", draft)
        kind = fields.required_text(members, "type", part.param)
        if kind not in readers:
            msg = f"Content of type '{kind}' cannot be sent to this model."
            raise InvalidRequestError(msg, param=part.param)
        if not fields.says_nothing(members.get("cache_control")):
            draft.dropped.append(f"{part.param}.cache_control")
        if block := readers[kind](part):
            blocks.append(block)
    return blocks or ""


def _text(part: _Part) -> Block:
    param = f"{part.param}.text"
    text = fields.text(part.found.get("text"), param)
    if text is None:
        raise InvalidRequestError(f"Missing required parameter: '{param}'.", param=param)
    return {"type": "text", "text": text}


def _refusal(part: _Part) -> Block:
    return {"type": "text", "text": fields.required_text(part.found, "refusal", part.param)}


def _thinking_part(part: _Part) -> Block:
    thinking = fields.text(part.found.get("thinking"), f"{part.param}.thinking")
    return {"type": "thinking", "thinking": thinking or ""}


def _image(part: _Part) -> Block:
    param = f"{part.param}.image_url"
    image = fields.text_or_members(part.found.get("image_url"), param)
    if isinstance(image, str):
        return {"type": "image_url", "image_url": {"url": image}}
    sent: Block = {"url": fields.required_text(image, "url", param)}
    if detail := fields.text(image.get("detail"), f"{param}.detail"):
        sent["detail"] = detail
    return {"type": "image_url", "image_url": sent}


def _file(part: _Part) -> Block | None:
    """Read a file: an image becomes one, plain text a document; anything else cannot be carried."""
    param = f"{part.param}.file"
    file = fields.members(part.found.get("file"), param)
    data = fields.text(file.get("file_data"), f"{param}.file_data")
    if not data:
        msg = f"Files can be sent to this model by their data alone: '{param}' has no 'file_data'."
        raise InvalidRequestError(msg, param=param)
    title = fields.text(file.get("filename"), f"{param}.filename")
    stated = guess_type(title or "")[0] or "application/pdf"
    url = data_url(data, f"{param}.file_data", bare=stated)
    if url.media_type.startswith("image/"):
        whole = f"data:{url.media_type};base64,{url.data}"
        return {"type": "image_url", "image_url": {"url": whole}}
    if not url.media_type.startswith("text/"):
        msg = f"Files of type '{url.media_type}' cannot be sent to this model."
        raise InvalidRequestError(msg, param=f"{param}.file_data")
    try:
        text = base64.b64decode(url.data).decode()
    except UnicodeDecodeError as exc:
        raise InvalidRequestError(f"The text in '{param}' is not UTF-8.", param=param) from exc
    part.draft.documents.append({"data": ({"title": title} if title else {}) | {"text": text}})
    return None


def _document(part: _Part) -> Block:
    return {"type": "document", "document": _whole_document(part)}


def _shared_document(part: _Part) -> None:
    part.draft.documents.append(_whole_document(part))


def _whole_document(part: _Part) -> object:
    """Return Cohere's own document part: `{"type": "document", "document": {"id"?, "data"}}`."""
    document, param = part.found.get("document"), f"{part.param}.document"
    if not fields.members(document, param):
        raise InvalidRequestError(f"Missing required parameter: '{param}'.", param=param)
    return document


_TEXT_READERS: Final[Mapping[str, _Reader]] = {"text": _text}
_TOOL_READERS: Final[Mapping[str, _Reader]] = {"text": _text, "document": _document}
_USER_READERS: Final[Mapping[str, _Reader]] = {
    "text": _text,
    "image_url": _image,
    "file": _file,
    "document": _shared_document,
}
_ASSISTANT_READERS: Final[Mapping[str, _Reader]] = {
    "text": _text,
    "refusal": _refusal,
    "thinking": _thinking_part,
}

_READERS: Final[Mapping[str, Callable[[Members, str, Draft], Block]]] = {
    "system": _plain,
    "developer": _plain,
    "user": _user,
    "tool": _tool,
    "assistant": _assistant,
}
