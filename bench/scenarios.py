"""What is done to each system: a table. Open loops run at shares of what the slowest system can take."""

from dataclasses import dataclass, replace
from typing import Final

import msgspec

from bench.asks import Ask
from bench.load import Job

STREAM_CHUNKS: Final = 203


@dataclass(frozen=True, slots=True)
class Scenario:
    """A job, done `blocks` times in each repeat by each system in turn.

    `share`: of the slowest system's `unary-16` rate, for open loops. `only`: the systems that do it; empty:
    all. `fresh`: each repeat starts the systems anew, one at a time, and looks at their memory while all
    streams are open.
    """

    name: str
    title: str
    job: Job
    blocks: int = 1
    share: float = 0.0
    only: frozenset[str] = frozenset()
    fresh: bool = False

    @property
    def unit(self) -> str:
        """What its CPU time is counted by."""
        return "chunk" if self.job.ask.chunks else "request"


_OURS: Final = frozenset({"direct", "relay", "trunkline"})
_TIERS: Final = _OURS | {"two-tier"}

_KB: Final = 1000
_MB: Final = 1000 * _KB


def _size(size: int, title: str, *, seconds: float, only: frozenset[str] = frozenset()) -> Scenario:
    job = Job("closed", Ask(size=size, answer=size), seconds)
    return Scenario(f"body-{size}", f"bodies of {title} both ways", job, only=only)


def _length(chunks: int, count: int, only: frozenset[str] = frozenset()) -> Scenario:
    # `count` bounds it, and is for some hundred ticks of CPU time; the seconds are for a slower machine.
    job = Job("closed", Ask(chunks=chunks), 4.0, 1, count)
    return Scenario(
        f"stream-{chunks}", f"a stream of {chunks:,} chunks without gaps", job, only=only
    )


def _open(share: float, seconds: float = 1.0) -> Scenario:
    title = f"open loop at {share:.3g} of what the slowest can take"
    return Scenario(f"open-{share:.3g}", title, Job("open", Ask(), seconds), share=share)


UNARY: Final = (
    Scenario("unary-1", "unary, 1 connection", Job("closed", Ask(), 0.5), blocks=2),
    Scenario("unary-16", "unary, 16 connections", Job("closed", Ask(), 0.7, 16), blocks=2),
    _open(0.125),
    _open(0.25),
    _open(0.5),
    Scenario(
        "embeddings",
        "embeddings of two texts, 4 connections",
        Job("closed", Ask(embeds=True), 0.8, 4),
    ),
    Scenario(
        "slow",
        "a provider that takes 0.5 s, 32 connections",
        Job("closed", Ask(delay=500), 0.9, 32),
    ),
)

STREAMS: Final = (
    Scenario(
        "streams-50",
        "50 streams of 203 chunks, 20 ms apart",
        Job("closed", Ask(chunks=STREAM_CHUNKS, gap=20), 0.1, 50, 1),
    ),
    _length(10, 200, _OURS),
    _length(100, 100, _OURS),
    _length(1_000, 30, _OURS),
    _length(10_000, 6),
    _length(100_000, 1),
)

BODIES: Final = (
    _size(_KB, "1 kB", seconds=0.4),
    _size(10 * _KB, "10 kB", seconds=0.4, only=_OURS),
    _size(100 * _KB, "100 kB", seconds=0.4),
    _size(_MB, "1 MB", seconds=0.6, only=_OURS),
    _size(5 * _MB, "5 MB", seconds=0.8),
    _size(10 * _MB, "10 MB", seconds=1.0, only=_OURS),
)

MANY: Final = (
    Scenario(
        "streams-2000",
        "2,000 streams at once, a chunk every 2 s each",
        Job("held", Ask(chunks=9, gap=2000), 8.0, rate=250),
        only=_TIERS - {"direct"},
        fresh=True,
    ),
)

FULL: Final = (*UNARY, *STREAMS, *BODIES, *MANY)


def _shorter(scenario: Scenario, *, seconds: float, ask: Ask | None = None) -> Scenario:
    job = msgspec.structs.replace(scenario.job, seconds=seconds, ask=ask or scenario.job.ask)
    return replace(scenario, job=job, blocks=1)


QUICK: Final = (
    _shorter(UNARY[0], seconds=1.0),
    _shorter(UNARY[1], seconds=1.0),
    _shorter(STREAMS[0], seconds=0.1, ask=Ask(chunks=53, gap=20)),
    _length(10_000, 12),
    _size(100 * _KB, "100 kB", seconds=0.7),
)

PEERS: Final = (
    *(scenario for scenario in UNARY if not scenario.share),
    # The slowest takes so few that a share of it needs a while.
    _open(0.25, 4.0),
    _open(0.5, 4.0),
    STREAMS[0],
    _length(1_000, 3),
    _length(10_000, 1),
    _size(_KB, "1 kB", seconds=0.4),
    _size(100 * _KB, "100 kB", seconds=0.6),
    _size(5 * _MB, "5 MB", seconds=1.5),
)
