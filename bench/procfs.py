"""What Linux says of processes: CPU time and memory of a process and all that came from it."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

_PROC: Final = Path("/proc")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_ROLLUP: Final = re.compile(r"^(Rss|Pss):\s+(\d+) kB$", re.MULTILINE)


class Stat(NamedTuple):
    """Of `/proc/<pid>/stat`: who started it, and the ticks that it and its ended children have used."""

    parent: int
    ticks: int


@dataclass(frozen=True, slots=True)
class Memory:
    """KiB. `rss` counts pages that processes share in each of them, `pss` once in all."""

    rss: int
    pss: int

    def __add__(self, other: "Memory") -> "Memory":
        return Memory(self.rss + other.rss, self.pss + other.pss)


def parse_stat(text: str) -> Stat:
    """Read one line of `/proc/<pid>/stat`; the name of a command may hold blanks and brackets."""
    fields = text[text.rindex(")") + 2 :].split()
    return Stat(int(fields[1]), sum(map(int, fields[11:15])))


def parse_rollup(text: str) -> Memory:
    """Read `/proc/<pid>/smaps_rollup`."""
    sizes = {name: int(size) for name, size in _ROLLUP.findall(text)}
    return Memory(sizes.get("Rss", 0), sizes.get("Pss", 0))


def descendants(parents: dict[int, int], root: int) -> list[int]:
    """Return `root` and all processes below it, of a map from processes to their parents."""
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def tree(root: int) -> list[int]:
    """Return `root` and all processes below it."""
    return descendants({pid: stat.parent for pid, stat in _everything().items()}, root)


def cpu_seconds(roots: tuple[int, ...]) -> float:
    """Return the CPU time, user and system, that the trees of `roots` have used so far."""
    stats = _everything()
    parents = {pid: stat.parent for pid, stat in stats.items()}
    pids = [pid for root in roots for pid in descendants(parents, root) if pid in stats]
    return sum(stats[pid].ticks for pid in pids) / _TICKS


def memory(roots: tuple[int, ...]) -> Memory:
    """Return the memory of the trees of `roots`."""
    total = Memory(0, 0)
    for pid in [pid for root in roots for pid in tree(root)]:
        text = _read(_PROC / str(pid) / "smaps_rollup")
        total += parse_rollup(text or "")
    return total


def _everything() -> dict[int, Stat]:
    stats = {}
    for path in _PROC.glob("[0-9]*/stat"):
        if text := _read(path):
            stats[int(path.parent.name)] = parse_stat(text)
    return stats


def _read(path: Path) -> str | None:
    """Return a file of a process; None if it has ended meanwhile."""
    try:
        return path.read_text()
    except OSError:
        return None
