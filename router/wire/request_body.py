"""What the checks of all request bodies share: one JSON object in UTF-8, whose edits touch nothing else."""

from collections.abc import Collection, Iterable

from router.errors import InvalidRequestError
from router.wire import jsontext

Edit = tuple[int, int, str]
"""Where in the text, from and to, and what is to stand there."""


def decoded(body: bytes) -> str:
    """Return the body as text.

    Raises:
        InvalidRequestError: if it is not UTF-8.

    """
    try:
        return jsontext.decode_utf8(body)
    except jsontext.MalformedJsonError as exc:
        raise malformed(exc) from exc


def malformed(exc: jsontext.MalformedJsonError) -> InvalidRequestError:
    """Return the failure for a body that is not JSON."""
    return InvalidRequestError(f"We could not parse the JSON body of your request: {exc}.")


def refuse_duplicates(body: bytes, names: Collection[str]) -> None:
    """Refuse two spellings of one of `names`: whoever reads the other one is fooled.

    A body in which each name occurs once at most and no key can be spelt with escapes needs no walk.

    Raises:
        InvalidRequestError: naming the field.

    """
    if all(body.count(b'"%s"' % n.encode()) <= 1 for n in names) and b"\\u" not in body:
        return
    seen: set[str] = set()
    try:
        for member in jsontext.members(body.decode()):
            if member.key in names and member.key in seen:
                msg = f"The request body names '{member.key}' twice."
                raise InvalidRequestError(msg, param=member.key)
            seen.add(member.key)
    except jsontext.MalformedJsonError as exc:
        raise malformed(exc) from exc
    except RecursionError as exc:
        raise malformed(jsontext.MalformedJsonError("nested too deeply")) from exc


def edited(text: str, edits: Iterable[Edit]) -> bytes:
    """Return the body with `edits`, which do not overlap."""
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text.encode()
