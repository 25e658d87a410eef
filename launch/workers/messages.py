"""What supervisor and workers say to each other: messages of one length and one body each."""

import asyncio
import struct
from typing import Final

import msgspec

from launch.workers.counts import Families

MAX_BYTES: Final = 256 * 1024 * 1024
"""Of one message: the counts of a million series."""

_LENGTH: Final = struct.Struct("!I")


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """A worker serves. `banner` is what users are to read once all do."""

    banner: str


class Count(msgspec.Struct, frozen=True, tag="count"):
    """The supervisor wants to know what was counted up to now."""

    number: int


class Counted(msgspec.Struct, frozen=True, tag="counted"):
    """What a worker has counted; `number` is that of the question, 0 if there was none."""

    number: int
    families: Families


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """A worker is scraped and wants to know what all have counted."""

    number: int


class Sum(msgspec.Struct, frozen=True, tag="sum"):
    """What all workers have counted, those that have died included."""

    number: int
    families: Families


FromWorker = Ready | Counted | Ask
FromSupervisor = Count | Sum

FROM_WORKER: Final = msgspec.msgpack.Decoder[FromWorker](FromWorker)
FROM_SUPERVISOR: Final = msgspec.msgpack.Decoder[FromSupervisor](FromSupervisor)
_ENCODER: Final = msgspec.msgpack.Encoder()


def packed(message: FromWorker | FromSupervisor) -> bytes:
    """Return a message as it is sent."""
    body = _ENCODER.encode(message)
    return _LENGTH.pack(len(body)) + body


async def receive(reader: asyncio.StreamReader) -> bytes | None:
    """Return the body of the next message; None once the other side is gone."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        return await reader.readexactly(length) if length <= MAX_BYTES else None
    except (asyncio.IncompleteReadError, OSError):
        return None
