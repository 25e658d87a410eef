"""How the registry is doing, for those who watch it. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Status:
    """The list that is served and what is wrong with it.

    `generation` 0: none is. `confirmed_at` is the Unix time in seconds at which the source last gave it.
    `failure` is why the latest list is not served, `unsaved` why the served one is not on disk; both empty
    if all is well.
    """

    generation: int
    rows: int
    served: int
    set_aside: int
    confirmed_at: float
    failure: str = ""
    unsaved: str = ""


def when(seconds: float) -> str:
    """Return a Unix time as people read it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def degraded(status: Status) -> tuple[str, ...]:
    """Return what does not work as it should, one sentence each."""
    sentences = []
    if status.failure:
        sentences.append(f"model list: {status.failure}; {_serving(status)}")
    elif not status.generation:
        sentences.append("model list: not loaded yet")
    if status.unsaved:
        sentences.append(
            f"model list: not kept on disk ({status.unsaved}); "
            "a restart while the source is down would find an older list or none"
        )
    return tuple(sentences)


def _serving(status: Status) -> str:
    if not status.generation:
        return "no list is served"
    return f"serving generation {status.generation}, last good {when(status.confirmed_at)}"
