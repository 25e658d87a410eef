"""`make profile`: writes docs/benchmarks/flame-*.svg, which say where the gateway's processor time goes.

A rectangle is a function; its width is the share of processor time spent in it and in what stands above it,
which it called. Colours are rooms of the house, libraries among them.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Final

from bench.asks import Ask
from bench.bed import Bed, prepared
from bench.load import Job
from bench.measure import say, warm_up
from bench.report import PLACE
from bench.scenarios import STREAM_CHUNKS
from bench.systems import Place, System, environ_of, launched

JOBS: Final[Mapping[str, tuple[str, Job]]] = {
    "unary": ("unary requests, 16 connections", Job("closed", Ask(), 15.0, 16)),
    "streams": (
        "50 streams of 203 chunks, 20 ms apart",
        Job("closed", Ask(chunks=STREAM_CHUNKS, gap=20), 15.0, 50),
    ),
}

_ROOMS: Final = (
    ("edge/", "#1f6feb", "edge"),
    ("launch/inprocess", "#bf3989", "in-process channel"),
    ("launch/", "#bf3989", "launch"),
    ("router/", "#1a7f37", "router"),
    ("gen/", "#1a7f37", "generated stubs"),
    ("tornado/", "#d4a72c", "tornado"),
    ("aiohttp/", "#e16f24", "aiohttp"),
    ("structlog/", "#8250df", "structlog"),
    ("prometheus_client/", "#8250df", "prometheus"),
    ("", "#8c959f", "standard library and others"),
)
"""What a name begins with, its colour and what it is; the first that fits."""

_ROOT: Final = "asyncio/runners:Runner.run"
"""What stands below it is the same in every sample."""

_WIDTH: Final = 1200
_STEP: Final = 17
_LEAST: Final = 0.6
"""Pixels: narrower ones are left out."""

_CHARACTER: Final = 6.4
"""Pixels of a letter, about."""


@dataclass(slots=True)
class Node:
    """A function in one place of the stacks: samples in it and above it."""

    count: int = 0
    above: dict[str, "Node"] = field(default_factory=dict)


def tree(stacks: Mapping[str, int]) -> Node:
    """Join stacks that begin alike; those outside the event loop are left out."""
    root = Node()
    for stack, count in stacks.items():
        names = stack.split(";")
        if _ROOT not in names:
            continue
        node = root
        node.count += count
        for name in names[names.index(_ROOT) + 1 :]:
            node = node.above.setdefault(name, Node())
            node.count += count
    return root


def drawn(title: str, root: Node) -> str:
    """Return a drawing: the event loop at the bottom, what it called above."""
    height = _depth(root, max(1, root.count)) * _STEP + 60
    parts = list(_boxes("event loop", root, 0.0, height - 24.0, _WIDTH / max(1, root.count)))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}"'
        ' font-family="monospace" font-size="11">'
    )
    back = '<rect width="100%" height="100%" fill="white"/>'
    name = f'<text x="8" y="18" font-size="14">{escape(title)}: {root.count:,} samples</text>'
    return "\n".join([head, back, name, *_legend(root), *parts, "</svg>", ""])


def _depth(node: Node, total: int) -> int:
    wide = [n for n in node.above.values() if n.count * _WIDTH / total >= _LEAST]
    return 1 + max((_depth(n, total) for n in wide), default=0)


def _boxes(name: str, node: Node, x: float, y: float, scale: float) -> Iterator[str]:
    width = node.count * scale
    if width < _LEAST:
        return
    share = node.count * scale / _WIDTH
    short = name.rpartition(":")[2]
    room = int((width - 6) / _CHARACTER)
    shown = escape(short[:room]) if room > 2 else ""
    yield (
        f'<g><title>{escape(name)} {share:.1%}</title><rect x="{x:.1f}" y="{y:.0f}" width="{width:.1f}"'
        f' height="{_STEP - 1}" fill="{_colour(name)}" fill-opacity="0.75" stroke="white"'
        f' stroke-width="0.5"/><text x="{x + 3:.1f}" y="{y + 12:.0f}">{shown}</text></g>'
    )
    for above, child in sorted(node.above.items()):
        yield from _boxes(above, child, x, y - _STEP, scale)
        x += child.count * scale


def _colour(name: str) -> str:
    return next(colour for start, colour, _ in _ROOMS if name.startswith(start))


def rooms(root: Node) -> dict[str, float]:
    """Return the share of each room: of the samples whose topmost function is in it."""
    shares: dict[str, float] = {}

    def add(name: str, node: Node) -> None:
        own = node.count - sum(child.count for child in node.above.values())
        room = next(words for start, _, words in _ROOMS if name.startswith(start))
        shares[room] = shares.get(room, 0.0) + own / max(1, root.count)
        for above, child in node.above.items():
            add(above, child)

    add("", root)
    return dict(sorted(shares.items(), key=lambda pair: -pair[1]))


def _legend(root: Node) -> Iterator[str]:
    colours = {words: colour for _, colour, words in _ROOMS}
    x = 8.0
    for room, share in rooms(root).items():
        text = f"{room} {share:.0%}"
        yield f'<rect x="{x:.0f}" y="28" width="10" height="10" fill="{colours[room]}"/>'
        yield f'<text x="{x + 14:.0f}" y="37">{escape(text)}</text>'
        x += 30 + len(text) * _CHARACTER


@contextmanager
def sampled(place: Place, out: Path) -> Iterator[System]:
    """Give a gateway in one process that samples itself."""
    command: list[str | Path] = [sys.executable, "-m", "bench.sampled", out, "serve"]
    environ = environ_of(place, None, "state-sampled")
    with launched(command, place, until=r"curl .*\n", environ=environ) as it:
        yield System("trunkline", it.port(), (it.process.pid,))


def _stacks(bed: Bed, name: str, job: Job) -> dict[str, int]:
    out = bed.place.directory / f"{name}.json"
    with sampled(bed.place, out) as system:
        warm_up(bed, system)
        bed.do(system, job)
    stacks: dict[str, int] = json.loads(out.read_text())
    return stacks


def main() -> None:
    PLACE.mkdir(parents=True, exist_ok=True)
    with prepared() as bed:
        for name, (title, job) in JOBS.items():
            root = tree(_stacks(bed, name, job))
            (PLACE / f"flame-{name}.svg").write_text(drawn(title, root), encoding="utf-8")
            told = ", ".join(f"{room} {share:.0%}" for room, share in rooms(root).items())
            say(f"{title}: {told}")


if __name__ == "__main__":
    main()
