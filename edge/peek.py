"""One look into a request body: does it ask for a stream?

The router judges bodies; the edge only has to choose between two RPCs. Any doubt means no: the unary
RPC gives the same judgement on a broken body, and its answer is plain HTTP. Unusual is not broken: where
the fast decoder is stricter than JSON (a lone surrogate in an escape), the standard library is asked.
"""

import json

import msgspec


class _Peek(msgspec.Struct):
    stream: bool | None = None


# A typed decode skips every other field without building objects for it.
_decode = msgspec.json.Decoder(_Peek).decode


def wants_stream(body: bytes | bytearray) -> bool:
    """Whether `body` is a JSON object whose `stream` is true. Never raises."""
    try:
        return _decode(body).stream is True
    except msgspec.ValidationError:
        return False
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _wants_stream_slowly(body)


def _wants_stream_slowly(body: bytes | bytearray) -> bool:
    try:
        fields = json.loads(body, parse_int=float)
    except (ValueError, RecursionError):
        return False
    return isinstance(fields, dict) and fields.get("stream") is True
