"""Server-sent events: payloads in, framed bytes out.

An SSE line ends at CR, LF or CRLF, so a payload that holds any of them is spread over several `data:`
lines; the reader joins them by line feeds, which in JSON are as good as what stood there.
"""

import re
from collections.abc import Iterable

DONE = b"data: [DONE]\n\n"
"""The end mark of OpenAI's streams; whoever writes it says that the answer is complete."""

_LINE_END = re.compile(rb"\r\n|\r|\n")


def frame(payload: bytes) -> bytes:
    """One event."""
    if b"\n" in payload or b"\r" in payload:
        payload = _LINE_END.sub(b"\ndata: ", payload)
    return b"data: %b\n\n" % payload


def frames(payloads: Iterable[bytes]) -> bytes:
    """Several events, to be sent in one write."""
    return b"".join(map(frame, payloads))
