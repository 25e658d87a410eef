"""Content parts of OpenAI's messages as Gemini's parts.

Content is carried or refused, never lost: a part that Gemini has no form for is a 400 that names it.
What lies inline goes as `inlineData`, what has an address (the web, Google's file API, Cloud Storage,
YouTube) as `fileData`; nothing is fetched here. Beside OpenAI's own parts these are read: `video_url`
(as `image_url`), and `mime_type` or `format` (LiteLLM's spelling) where a URL does not tell its type.
`mediaResolution` and `videoMetadata` on a part are Gemini's own and pass as they are.
Sources: https://platform.openai.com/docs/api-reference/chat/create (parts),
https://ai.google.dev/api/caching#Part, https://ai.google.dev/gemini-api/docs/file-input-methods.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from router.errors import InvalidRequestError
from router.providers import fields
from router.providers.data_url import data_url
from router.providers.fields import Members
from router.providers.gemini.draft import Draft, Part

MEDIA_TYPES: Final[Mapping[str, str]] = MappingProxyType({
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp",
    "heic": "image/heic", "heif": "image/heif", "gif": "image/gif",
    "pdf": "application/pdf", "txt": "text/plain", "md": "text/markdown", "html": "text/html",
    "csv": "text/csv", "xml": "text/xml", "json": "application/json",
    "mp4": "video/mp4", "mpeg": "video/mpeg", "mpg": "video/mpg", "mov": "video/mov", "avi": "video/avi",
    "flv": "video/x-flv", "webm": "video/webm", "wmv": "video/wmv", "3gp": "video/3gpp",
    "wav": "audio/wav", "mp3": "audio/mp3", "aiff": "audio/aiff", "aac": "audio/aac",
    "ogg": "audio/ogg", "opus": "audio/opus", "flac": "audio/flac", "m4a": "audio/m4a",
})  # fmt: skip
"""Media types by the end of a file's name; also of `input_audio.format`."""

_ADDRESSES: Final = ("http://", "https://", "gs://")
_YOUTUBE: Final = ("youtu.be", "youtube.com", "www.youtube.com", "m.youtube.com")
_OWN: Final = ("mediaResolution", "videoMetadata")


class _Part(NamedTuple):
    """A part being read: its members, where it stands, and the request that it belongs to."""

    found: Members
    param: str
    draft: Draft


def parts(content: str | list[Members], param: str, draft: Draft) -> list[Part]:
    """Return the parts for a message's content. Empty texts, which say nothing, are left out.

    Raises:
        InvalidRequestError: for a part that cannot be carried.

    """
    if isinstance(content, str):
        return [{"text": content}] if content else []
    found = (_part(_Part(part, f"{param}.[{i}]", draft)) for i, part in enumerate(content))
    return [part for part in found if part]


def _part(part: _Part) -> Part:
    kind = fields.required_text(part.found, "type", part.param)
    if kind not in _READERS:
        msg = f"Content of type '{kind}' cannot be sent to this model."
        raise InvalidRequestError(msg, param=part.param)
    read = _READERS[kind](part)
    for key in _OWN:
        if read and not fields.says_nothing(part.found.get(key)):
            read[key] = part.found[key]
    if not fields.says_nothing(part.found.get("cache_control")):
        part.draft.dropped.append(f"{part.param}.cache_control")
    return read


def _text(part: _Part) -> Part:
    param = f"{part.param}.text"
    text = fields.text(part.found.get("text"), param)
    if text is None:
        raise InvalidRequestError(f"Missing required parameter: '{param}'.", param=param)
    return {"text": text} if text else {}


def _refusal(part: _Part) -> Part:
    text = fields.text(part.found.get("refusal"), f"{part.param}.refusal")
    return {"text": text} if text else {}


def _url(part: _Part) -> Part:
    """Read `image_url` or `video_url`, by its data or its address."""
    kind = fields.required_text(part.found, "type", part.param)
    param = f"{part.param}.{kind}"
    media = fields.text_or_members(part.found.get(kind), param)
    if isinstance(media, str):
        return _media(media, None, param)
    if fields.text(media.get("detail"), f"{param}.detail") not in (None, "auto"):
        part.draft.dropped.append(f"{param}.detail")
    return _media(fields.required_text(media, "url", param), _stated_type(media, param), param)


def _audio(part: _Part) -> Part:
    param = f"{part.param}.input_audio"
    audio = fields.members(part.found.get("input_audio"), param)
    data = fields.required_text(audio, "data", param)
    spelt = fields.required_text(audio, "format", param).lower()
    media_type = spelt if "/" in spelt else MEDIA_TYPES.get(spelt, f"audio/{spelt}")
    return _inline(media_type, data_url(data, f"{param}.data", bare=media_type).data)


def _file(part: _Part) -> Part:
    """Read a file by its data or its address, which may stand in `file_id` too."""
    param = f"{part.param}.file"
    file = fields.members(part.found.get("file"), param)
    data = fields.text(file.get("file_data"), f"{param}.file_data")
    file_id = fields.text(file.get("file_id"), f"{param}.file_id")
    name = fields.text(file.get("filename"), f"{param}.filename")
    stated = _stated_type(file, param) or _type_of(name or "")
    if data:
        read = _media(data, stated, f"{param}.file_data", bare=stated or "application/pdf")
    elif file_id and file_id.startswith(_ADDRESSES):
        read = _media(file_id, stated, f"{param}.file_id")
    elif file_id:
        msg = f"'{param}.file_id' must be the URI of a file that this provider can read."
        raise InvalidRequestError(msg, param=f"{param}.file_id")
    else:
        raise InvalidRequestError(f"'{param}' has neither 'file_data' nor 'file_id'.", param=param)
    if name and part.draft.is_on_vertex:
        next(iter(read.values()))["displayName"] = name
    elif name:
        part.draft.dropped.append(f"{param}.filename")
    return read


def _media(url: str, stated: str | None, param: str, bare: str | None = None) -> Part:
    if url.startswith(_ADDRESSES):
        media_type = stated or _type_of(url)
        return {"fileData": ({"mimeType": media_type} if media_type else {}) | {"fileUri": url}}
    return inline(url, param, bare)


def inline(url: str, param: str, bare: str | None = None) -> Part:
    """Return the part for a data: URL; plain base64 is of type `bare`, where that is given.

    Raises:
        InvalidRequestError: if it is neither.

    """
    read = data_url(url, param, bare)
    written = url[:5].lower() == "data:" and url[5 : url.index(",")].removesuffix(";base64")
    # A type keeps its parameters: `audio/L16;rate=24000` is not readable without them.
    return _inline(written or read.media_type, read.data)


def _inline(media_type: str, data: str) -> Part:
    return {"inlineData": {"mimeType": _RIGHTED.get(media_type, media_type), "data": data}}


_RIGHTED: Final = {"image/jpg": "image/jpeg"}
"""A misspelling that is common enough to right."""


def _stated_type(media: Members, param: str) -> str | None:
    for key in ("mime_type", "format"):
        stated = fields.text(media.get(key), f"{param}.{key}")
        if stated:
            return stated if "/" in stated else MEDIA_TYPES.get(stated.lower())
    return None


def _type_of(url: str) -> str | None:
    """Return the media type that the end of a path tells; None if it tells none."""
    try:
        address = urlsplit(url)
        is_video = address.hostname in _YOUTUBE
    except ValueError:
        return None
    if is_video:
        return "video/mp4"
    _, dot, ending = address.path.rpartition(".")
    return MEDIA_TYPES.get(ending.lower()) if dot else None


_READERS: Final[Mapping[str, Callable[[_Part], Part]]] = {
    "text": _text,
    "refusal": _refusal,
    "image_url": _url,
    "video_url": _url,
    "input_audio": _audio,
    "file": _file,
}
