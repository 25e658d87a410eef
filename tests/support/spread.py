"""How `make test` spreads the suite over processes: file by file, the longest first.

The files in `BY_THEMSELVES` go to one process, one after the other. Each of them keeps the whole machine
busy, or has processes come back at the ports that they had, while another opens thousands of connections.
"""

from typing import Final

from xdist.scheduler import LoadFileScheduling

BY_THEMSELVES: Final = (
    "tests/launch/test_supervisor.py",
    "tests/faults/test_routers.py",
    "tests/faults/test_capacity.py",
    "tests/faults/test_reload.py",
    "tests/end_to_end/test_processes.py",
)

LONGEST: Final = (
    *BY_THEMSELVES,
    "tests/conformance/test_corpus.py",
    "tests/simulation/test_simulation.py",
    "tests/conformance/test_typed_parity.py",
    "tests/router/providers/anthropic/test_anthropic_fuzz.py",
    "tests/faults/test_canaries.py",
    "tests/conformance/test_gemini_corpus.py",
    "tests/router/providers/gemini/test_gemini_fuzz.py",
)
"""What begins first, so that what ends last is short."""


_RANKS: Final = {file: rank for rank, file in enumerate(LONGEST)}


def share_of(nodeid: str) -> str:
    """Return what a process takes as a whole, of which this test is a part."""
    file = _file_of(nodeid)
    return "by themselves" if file in BY_THEMSELVES else file


def rank_of(nodeid: str) -> int:
    """Return what tests are sorted by."""
    return _RANKS.get(_file_of(nodeid), len(_RANKS))


def _file_of(nodeid: str) -> str:
    return nodeid.partition("::")[0]


class Spread(LoadFileScheduling):
    """Gives shares to processes."""

    def _split_scope(self, nodeid: str) -> str:
        return share_of(nodeid)
