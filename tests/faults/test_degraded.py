"""The matrix of degraded modes names tests that there are."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_row_of_the_matrix_is_shown_by_a_test_that_exists() -> None:
    page = (ROOT / "docs/degraded.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("|") and "---" not in line]
    rows = [row for row in rows if not row.startswith("| what happens")]
    named = [re.search(r"`(test_\w+)` \|$", row) for row in rows]
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    tests = set(re.findall(r"def (test_\w+)", "\n".join(sources)))

    assert len(rows) > 25
    assert [row for row, name in zip(rows, named, strict=True) if name is None] == []
    assert {name[1] for name in named if name} <= tests
