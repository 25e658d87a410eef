"""Server-sent events: payloads in, framed bytes out.

An SSE line ends at CR, LF or CRLF, so a payload that holds any of them is spread over several `data:`
lines; the reader joins them by line feeds, which in JSON are as good as what stood there.
"""

import re
from collections.abc import Sequence

DONE = b"data: [DONE]\n\n"
"""The end mark of OpenAI's streams; whoever writes it says that the answer is complete."""

_LINE_END = re.compile(rb"\r\n|\r|\n")


def frame(payload: bytes) -> bytes:
    """One event."""
    if b"\n" in payload or b"\r" in payload:
        payload = _LINE_END.sub(b"\ndata: ", payload)
    return b"".join((b"data: ", payload, b"\n\n"))


_BETWEEN = b"\n\ndata: "


def frames(payloads: Sequence[bytes]) -> bytes:
    """Several events, to be sent in one write."""
    if len(payloads) == 1:  # as nearly always in a stream that takes its time
        return frame(payloads[0])
    together = _BETWEEN.join(payloads)
    if b"\r" in together or together.count(b"\n") != 2 * (len(payloads) - 1):
        return b"".join(map(frame, payloads))
    return b"".join((b"data: ", together, b"\n\n")) if payloads else b""
