"""Files that callers send inline, as data: URLs in base64."""

import binascii
from typing import NamedTuple

from router.errors import InvalidRequestError


class DataUrl(NamedTuple):
    """What a data: URL holds; `data` is valid base64, as it was written."""

    media_type: str
    data: str


def data_url(url: str, param: str, bare: str | None = None) -> DataUrl:
    """Split `data:<media type>[;…];base64,<data>`; plain base64 is of type `bare`, where that is given.

    Raises:
        InvalidRequestError: if it is neither.

    """
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
    return DataUrl(media_type.lower(), data)
