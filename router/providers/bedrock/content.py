"""Content parts of OpenAI's messages as Converse's content blocks.

Content is carried or refused, never lost: a part that Converse has no block for is a 400 that names it.
Bedrock fetches nothing but from S3: a file comes inline, or as an `s3://` address. A part in AWS's own form
(`{"type": "video", "video": {…}}`) passes as it is. `cache_control` on a part becomes a `cachePoint`
behind its block.
Sources: https://platform.openai.com/docs/api-reference/chat/create (parts),
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from router.errors import InvalidRequestError
from router.providers import fields
from router.providers.bedrock.draft import Block, Draft
from router.providers.data_url import DataUrl, data_url
from router.providers.fields import Members

IMAGES: Final[Mapping[str, str]] = MappingProxyType({
    "image/jpeg": "jpeg",
    "image/jpg": "jpeg",
    "image/png": "png",
    "image/gif": "gif",
    "image/webp": "webp",
})  # fmt: skip

VIDEOS: Final[Mapping[str, str]] = MappingProxyType({
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/x-matroska": "mkv",
    "video/webm": "webm",
    "video/x-flv": "flv",
    "video/mpeg": "mpeg",
    "video/x-ms-wmv": "wmv",
    "video/3gpp": "three_gp",
})  # fmt: skip

AUDIOS: Final[Mapping[str, str]] = MappingProxyType({
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/aac": "aac",
    "audio/flac": "flac",
    "audio/ogg": "ogg",
    "audio/opus": "opus",
    "audio/mp4": "m4a",
    "audio/webm": "webm",
    "audio/pcm": "pcm",
})  # fmt: skip

DOCUMENTS: Final[Mapping[str, str]] = MappingProxyType({
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
})  # fmt: skip
"""Formats by media type, as Converse names them."""

_KINDS: Final[Mapping[str, Mapping[str, str]]] = {
    "image": IMAGES,
    "video": VIDEOS,
    "audio": AUDIOS,
    "document": DOCUMENTS,
}

_FORMATS: Final[Mapping[str, tuple[str, str]]] = {
    form: (kind, form) for kind, forms in reversed(tuple(_KINDS.items())) for form in forms.values()
} | {
    "jpg": ("image", "jpeg"),
    "3gp": ("video", "three_gp"),
    "mpg": ("video", "mpg"),
    "htm": ("document", "html"),
}
"""Block and format by the ending of a file's name; a video's where sound has it too."""

NATIVE_PARTS: Final = frozenset({
    "image", "document", "video", "audio", "guardContent", "cachePoint", "searchResult",
    "citationsContent", "reasoningContent", "toolAddition", "toolRemoval", "json",
})  # fmt: skip
"""AWS's own blocks, which callers may use as parts; they pass as they are."""

_CACHE_TTLS: Final = ("5m", "1h")

_S3: Final = "s3://"


class _Part(NamedTuple):
    """A part being read: its members, where it stands, and the request that it is part of."""

    found: Members
    param: str
    draft: Draft


def blocks(content: str | list[Members], param: str, draft: Draft) -> list[Block]:
    """Return the blocks for a message's content. Empty texts, which Bedrock refuses, are left out.

    Raises:
        InvalidRequestError: for a part that cannot be carried.

    """
    if isinstance(content, str):
        return [{"text": content}] if content else []
    made: list[Block] = []
    for i, found in enumerate(content):
        block = _block(_Part(found, f"{param}.[{i}]", draft))
        if block:
            made += [block, *cache_point(found, f"{param}.[{i}]")]
    return made


def cache_point(found: Members, param: str) -> list[Block]:
    """Return the block for `cache_control`, where that is given: everything before it is cached."""
    control = fields.members(found.get("cache_control"), f"{param}.cache_control")
    if not control:
        return []
    point: Block = {"type": "default"}
    ttl = fields.text(control.get("ttl"), f"{param}.cache_control.ttl")
    if ttl in _CACHE_TTLS:
        point["ttl"] = ttl
    return [{"cachePoint": point}]


def _block(part: _Part) -> Block:
    kind = fields.required_text(part.found, "type", part.param)
    if kind in NATIVE_PARTS and kind in part.found:
        return {kind: part.found[kind]}
    if kind not in _READERS:
        msg = f"Content of type '{kind}' cannot be sent to this model."
        raise InvalidRequestError(msg, param=part.param)
    return _READERS[kind](part)


def _text(part: _Part) -> Block:
    param = f"{part.param}.text"
    text = fields.text(part.found.get("text"), param)
    if text is None:
        raise InvalidRequestError(f"Missing required parameter: '{param}'.", param=param)
    return {"text": text} if text else {}


def _refusal(part: _Part) -> Block:
    text = fields.text(part.found.get("refusal"), f"{part.param}.refusal")
    return {"text": text} if text else {}


def _guarded_text(part: _Part) -> Block:
    """Read text for a guardrail to judge, in LiteLLM's spelling."""
    guarded: Block = {"text": fields.required_text(part.found, "text", part.param)}
    if not fields.says_nothing(part.found.get("qualifiers")):
        guarded["qualifiers"] = part.found["qualifiers"]
    return {"guardContent": {"text": guarded}}


def _image_url(part: _Part) -> Block:
    param = f"{part.param}.image_url"
    image = fields.text_or_members(part.found.get("image_url"), param)
    if isinstance(image, str):
        return _media("image", image, param)
    if fields.text(image.get("detail"), f"{param}.detail") not in (None, "auto"):
        part.draft.dropped.append(f"{param}.detail")
    return _media("image", fields.required_text(image, "url", param), param)


def _video_url(part: _Part) -> Block:
    param = f"{part.param}.video_url"
    video = fields.text_or_members(part.found.get("video_url"), param)
    url = video if isinstance(video, str) else fields.required_text(video, "url", param)
    return _media("video", url, param)


def _input_audio(part: _Part) -> Block:
    param = f"{part.param}.input_audio"
    audio = fields.members(part.found.get("input_audio"), param)
    form = fields.required_text(audio, "format", param)
    data = data_url(fields.required_text(audio, "data", param), f"{param}.data", bare="audio")
    return {"audio": {"format": form, "source": {"bytes": data.data}}}


def _media(kind: str, url: str, param: str) -> Block:
    """Return the block for an image or a video by its address."""
    if url.startswith(_S3):
        return {kind: {"format": _ending(url, kind, param), "source": _s3(url)}}
    return _inline(kind, data_url(url, param), param)


def _inline(kind: str, data: DataUrl, param: str) -> Block:
    if data.media_type not in _KINDS[kind]:
        known = ", ".join(sorted(set(_KINDS[kind])))
        msg = f"Files of type '{data.media_type}' cannot be sent here; this model takes {known}."
        raise InvalidRequestError(msg, param=param)
    return {kind: {"format": _KINDS[kind][data.media_type], "source": {"bytes": data.data}}}


def _s3(url: str) -> Block:
    return {"s3Location": {"uri": url}}


def _ending(name: str, kind: str, param: str) -> str:
    """Return the format that the ending of a file's name tells."""
    found, form = _FORMATS.get(name.rpartition(".")[2].lower(), ("", ""))
    if found != kind:
        msg = f"The format of the file in '{param}' cannot be told from its name."
        raise InvalidRequestError(msg, param=param)
    return form


def _file(part: _Part) -> Block:
    """Read a file by its data, or by its address in S3: an image, a video, a sound, else a document."""
    param = f"{part.param}.file"
    file = fields.members(part.found.get("file"), param)
    data = fields.text(file.get("file_data"), f"{param}.file_data")
    file_id = fields.text(file.get("file_id"), f"{param}.file_id")
    name = fields.text(file.get("filename"), f"{param}.filename") or ""
    address = next((text for text in (data, file_id) if text and text.startswith(_S3)), None)
    kind, form = _FORMATS.get((name or address or "").rpartition(".")[2].lower(), ("", ""))
    if address:
        source = _s3(address)
    elif data:
        url = data_url(data, f"{param}.file_data", bare="application/octet-stream")
        source = {"bytes": url.data}
        kind, form = _kind_of(url.media_type) or (kind, form)
        if not kind and url.media_type == "application/octet-stream":
            kind, form = "document", "pdf"
    elif file_id:
        msg = "This model takes files by 'file_data' or by an s3:// address, not by their id."
        raise InvalidRequestError(msg, param=f"{param}.file_id")
    else:
        raise InvalidRequestError(f"'{param}' has neither 'file_data' nor 'file_id'.", param=param)
    if not kind:
        raise InvalidRequestError(
            f"The type of the file in '{param}' is not known here.", param=param
        )
    if kind != "document":
        return {kind: {"format": form, "source": source}}
    return {"document": _document(part, name, form) | {"source": source}}


def _kind_of(media_type: str) -> tuple[str, str] | None:
    """Return block and format for a media type; None where it says nothing."""
    for kind, forms in _KINDS.items():
        if media_type in forms:
            return kind, forms[media_type]
    return None


def _document(part: _Part, filename: str, form: str) -> Block:
    stem, _, ending = filename.rpartition(".")
    title = stem if stem and ending.lower() in _FORMATS else filename
    document: Block = {"format": form, "name": part.draft.titles.for_file(title)}
    if not fields.says_nothing(part.found.get("citations")):
        document["citations"] = part.found["citations"]
    return document


def _search_result(part: _Part) -> Block:
    """Read a search result in Anthropic's spelling, which differs in its texts alone."""
    texts = fields.objects(part.found.get("content"), f"{part.param}.content")
    result: Block = {key: part.found[key] for key in ("source", "title") if key in part.found}
    result["content"] = [{"text": text.get("text", msgspec.Raw(b'""'))} for text in texts]
    if not fields.says_nothing(part.found.get("citations")):
        result["citations"] = part.found["citations"]
    return {"searchResult": result}


_READERS: Final[Mapping[str, Callable[[_Part], Block]]] = {
    "text": _text,
    "refusal": _refusal,
    "guarded_text": _guarded_text,
    "image_url": _image_url,
    "video_url": _video_url,
    "input_audio": _input_audio,
    "file": _file,
    "search_result": _search_result,
}
