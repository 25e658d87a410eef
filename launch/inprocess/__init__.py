"""A gRPC channel to servicers in the same process: their answers without sockets, frames and copies.

    stub ── calls ──▶ rpc ◀── context ── servicer
             │         ▲
          channel    serving ◀── server (collects handlers as the real one does)

`InProcessServer` is registered with like any `grpc.aio` server; `open_channel` gives the channel for stubs.
An RPC (`rpc`) is what both sides share: status, metadata, messages on their way. A caller sees `calls`, a
servicer `context`; `serving` runs servicers; `passing` decides how a message gets to the other side.

Strategy: a servicer runs in a task of its own, as with `grpc.aio`. Running it in its caller's would save
some 4 microseconds a call (bench/micro_inprocess.py) and break what callers rely on: a deadline that ends a
call at once however slowly a servicer unwinds, calls that run before they are awaited, and `asyncio.timeout`
in a servicer, which cancels the task that it was entered in.

A reader may have its messages poured (`UnaryStreamCall.pour`), which `grpc.aio` does not know: they reach it
in the servicer's turn, and its own task sleeps until the end. For streams of small messages that come one by
one the waking is what costs.

Not here: calls that stream requests, interceptors, compression, credentials; nothing here uses them.
"""

from launch.inprocess.passing import FORWARDED
from launch.inprocess.server import InProcessServer

__all__ = ["FORWARDED", "InProcessServer"]
