"""Content parts of OpenAI's messages as Anthropic's content blocks.

Content is carried or refused, never lost: a part that Anthropic has no block for is a 400 that names it.
Sources: https://platform.openai.com/docs/api-reference/chat/create (parts),
https://platform.claude.com/docs/en/api/messages (blocks), …/build-with-claude/vision, …/pdf-support.
"""

import base64
from collections.abc import Callable, Mapping
from mimetypes import guess_type
from types import MappingProxyType
from typing import Final, NamedTuple

from router.errors import InvalidRequestError
from router.providers import fields
from router.providers.anthropic.draft import Block
from router.providers.capabilities import LIMITS
from router.providers.data_url import DataUrl, data_url
from router.providers.fields import Members
from router.values import Dialect

IMAGE_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {kind: kind for kind in LIMITS[Dialect.ANTHROPIC].images} | {"image/jpg": "image/jpeg"}
)
"""Media types of images that Anthropic takes, with a misspelling that is common enough to right."""

NATIVE_PARTS: Final = frozenset({
    "image", "document", "search_result", "container_upload", "tool_reference",
    "thinking", "redacted_thinking", "compaction", "server_tool_use", "mcp_tool_use", "mcp_tool_listing",
    "tool_addition", "tool_removal", "fallback", "browser_state",
})  # fmt: skip
"""Anthropic's own blocks, which callers may use as parts; they pass as they are, as do the results of the
provider's tools (`web_search_tool_result` and the like)."""

_TOOL_RESULT: Final = "_tool_result"

_WEB = ("http://", "https://")


class _Part(NamedTuple):
    """A part being read: its members, where it stands, and where to report what is left out."""

    found: Members
    param: str
    dropped: list[str]


def blocks(content: str | list[Members], param: str, dropped: list[str]) -> list[Block]:
    """Return the blocks for a message's content. Empty texts, which Anthropic refuses, are left out.

    Raises:
        InvalidRequestError: for a part that cannot be carried.

    """
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    found = (_block(_Part(part, f"{param}.[{i}]", dropped)) for i, part in enumerate(content))
    return [block for block in found if block]


def _block(part: _Part) -> Block:
    kind = fields.required_text(part.found, "type", part.param)
    if kind in NATIVE_PARTS or kind.endswith(_TOOL_RESULT):
        return {**part.found, "type": kind}
    if kind not in _READERS:
        msg = f"Content of type '{kind}' cannot be sent to this model."
        raise InvalidRequestError(msg, param=part.param)
    block = _READERS[kind](part)
    cache_control = part.found.get("cache_control")
    if block and not fields.says_nothing(cache_control):
        block["cache_control"] = cache_control
    return block


def _text(part: _Part) -> Block:
    param = f"{part.param}.text"
    text = fields.text(part.found.get("text"), param)
    if text is None:
        raise InvalidRequestError(f"Missing required parameter: '{param}'.", param=param)
    block: Block = {"type": "text", "text": text} if text else {}
    # Citations of an earlier answer, replayed by callers that keep Anthropic's own blocks.
    if block and not fields.says_nothing(part.found.get("citations")):
        block["citations"] = part.found["citations"]
    return block


def _refusal(part: _Part) -> Block:
    text = fields.text(part.found.get("refusal"), f"{part.param}.refusal")
    return {"type": "text", "text": text} if text else {}


def _image_url(part: _Part) -> Block:
    param = f"{part.param}.image_url"
    image = fields.text_or_members(part.found.get("image_url"), param)
    if isinstance(image, str):
        url = image
    else:
        url = fields.required_text(image, "url", param)
        if fields.text(image.get("detail"), f"{param}.detail") not in (None, "auto"):
            part.dropped.append(f"{param}.detail")
    if url.startswith(_WEB):
        return {"type": "image", "source": {"type": "url", "url": url}}
    return _image(data_url(url, param), param)


def _image(image: DataUrl, param: str) -> Block:
    if image.media_type not in IMAGE_TYPES:
        known = ", ".join(sorted(set(IMAGE_TYPES.values())))
        msg = f"Images of type '{image.media_type}' cannot be sent to this model; it takes {known}."
        raise InvalidRequestError(msg, param=param)
    source = {"type": "base64", "media_type": IMAGE_TYPES[image.media_type], "data": image.data}
    return {"type": "image", "source": source}


def _file(part: _Part) -> Block:
    """Read a file by its data, its address or its id; `filename` becomes the document's title.

    Beside `file` the part may say what Anthropic has for documents: `citations` and `context`.
    """
    param = f"{part.param}.file"
    file = fields.members(part.found.get("file"), param)
    data = fields.text(file.get("file_data"), f"{param}.file_data")
    file_id = fields.text(file.get("file_id"), f"{param}.file_id")
    title = fields.text(file.get("filename"), f"{param}.filename")
    if data and not data.startswith(_WEB):
        url = data_url(data, f"{param}.file_data", bare=_bare_type(title))
        if url.media_type.startswith("image/"):
            return _image(url, f"{param}.file_data")
        source = _document_source(url, f"{param}.file_data")
    elif address := data or (file_id if file_id and file_id.startswith(_WEB) else None):
        source = {"type": "url", "url": address}
    elif file_id:
        source = {"type": "file", "file_id": file_id}
    else:
        raise InvalidRequestError(f"'{param}' has neither 'file_data' nor 'file_id'.", param=param)
    document: Block = {"type": "document", "source": source}
    if title:
        document["title"] = title
    own = {key: part.found[key] for key in ("citations", "context") if key in part.found}
    return document | {key: value for key, value in own.items() if not fields.says_nothing(value)}


def _bare_type(title: str | None) -> str:
    """Return the media type of data that states none: what the file's name tells, else a PDF."""
    return guess_type(title or "")[0] or "application/pdf"


def _document_source(document: DataUrl, param: str) -> Block:
    if document.media_type == "application/pdf":
        return {"type": "base64", "media_type": "application/pdf", "data": document.data}
    if document.media_type != "text/plain":
        msg = f"Files of type '{document.media_type}' cannot be sent to this model."
        raise InvalidRequestError(msg, param=param)
    try:
        text = base64.b64decode(document.data).decode()
    except UnicodeDecodeError as exc:
        raise InvalidRequestError(f"The text in '{param}' is not UTF-8.", param=param) from exc
    return {"type": "text", "media_type": "text/plain", "data": text}


_READERS: Mapping[str, Callable[[_Part], Block]] = {
    "text": _text,
    "refusal": _refusal,
    "image_url": _image_url,
    "file": _file,
}
