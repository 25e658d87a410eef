"""Content parts of OpenAI's messages as Anthropic's content blocks.

Content is carried or refused, never lost: a part that Anthropic has no block for is a 400 that names it.
Sources: https://platform.openai.com/docs/api-reference/chat/create (parts),
https://platform.claude.com/docs/en/api/messages (blocks), …/build-with-claude/vision, …/pdf-support.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from router.errors import InvalidRequestError
from router.providers.anthropic import fields
from router.providers.anthropic.draft import Block
from router.providers.anthropic.fields import Members

IMAGE_TYPES: Final[Mapping[str, str]] = MappingProxyType({
    "image/jpeg": "image/jpeg",
    "image/jpg": "image/jpeg",
    "image/png": "image/png",
    "image/gif": "image/gif",
    "image/webp": "image/webp",
})  # fmt: skip
"""Media types of images that Anthropic takes, with a misspelling that is common enough to right."""

NATIVE_PARTS: Final = frozenset({
    "image", "document", "search_result", "container_upload", "tool_reference",
    "thinking", "redacted_thinking",
})  # fmt: skip
"""Anthropic's own blocks, which callers may use as parts; they pass as they are."""

_WEB = ("http://", "https://")


class _Part(NamedTuple):
    """A part being read: its members, where it stands, and where to report what is left out."""

    found: Members
    param: str
    dropped: list[str]


class _DataUrl(NamedTuple):
    media_type: str
    data: str


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
    if kind in NATIVE_PARTS:
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
    return _image(_data_url(url, param), param)


def _image(image: _DataUrl, param: str) -> Block:
    if image.media_type not in IMAGE_TYPES:
        known = ", ".join(sorted(set(IMAGE_TYPES.values())))
        msg = f"Images of type '{image.media_type}' cannot be sent to this model; it takes {known}."
        raise InvalidRequestError(msg, param=param)
    source = {"type": "base64", "media_type": IMAGE_TYPES[image.media_type], "data": image.data}
    return {"type": "image", "source": source}


def _file(part: _Part) -> Block:
    """Read a file by its data, its address or its id; `filename` becomes the document's title."""
    param = f"{part.param}.file"
    file = fields.members(part.found.get("file"), param)
    data = fields.text(file.get("file_data"), f"{param}.file_data")
    file_id = fields.text(file.get("file_id"), f"{param}.file_id")
    title = fields.text(file.get("filename"), f"{param}.filename")
    if data and not data.startswith(_WEB):
        url = _data_url(data, f"{param}.file_data", bare="application/pdf")
        if url.media_type.startswith("image/"):
            return _image(url, f"{param}.file_data")
        source = _document_source(url, f"{param}.file_data")
    elif address := data or (file_id if file_id and file_id.startswith(_WEB) else None):
        source = {"type": "url", "url": address}
    elif file_id:
        source = {"type": "file", "file_id": file_id}
    else:
        raise InvalidRequestError(f"'{param}' has neither 'file_data' nor 'file_id'.", param=param)
    return {"type": "document", "source": source} | ({"title": title} if title else {})


def _document_source(document: _DataUrl, param: str) -> Block:
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


def _data_url(url: str, param: str, bare: str | None = None) -> _DataUrl:
    """Split `data:<media type>[;…];base64,<data>`; plain base64 is of type `bare`, where that is given."""
    head, comma, data = url.partition(",")
    scheme, _, described = head.partition(":")
    media_type, *parameters = described.split(";")
    if bare and not comma:
        media_type, data = bare, url
    elif scheme.lower() != "data" or not comma or "base64" not in parameters:
        msg = f"'{param}' must be an http(s) URL or a data: URL in base64."
        raise InvalidRequestError(msg, param=param)
    try:
        binascii.a2b_base64(data, strict_mode=True)
    except ValueError as exc:
        raise InvalidRequestError(f"The base64 data in '{param}' is invalid.", param=param) from exc
    return _DataUrl(media_type.lower(), data)


_READERS: Mapping[str, Callable[[_Part], Block]] = {
    "text": _text,
    "refusal": _refusal,
    "image_url": _image_url,
    "file": _file,
}
