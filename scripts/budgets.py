"""Fails when a function or a file outgrows its budget; run by `make lint`.

The median size tells good code and bad apart in no project, the maximum does in all of them.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

MAX_FUNCTION_LINES = 60
MAX_FILE_LINES = 500

ROOT = Path(__file__).resolve().parent.parent
PLACES = ("router", "edge", "launch", "bench", "tests", "scripts")


def main() -> int:
    paths = [path for place in PLACES for path in sorted(ROOT.joinpath(place).rglob("*.py"))]
    excesses = [line for path in paths for line in check(path)]
    print("\n".join(excesses) or "Sizes are within budget.")
    return 1 if excesses else 0


def check(path: Path) -> Iterator[str]:
    """One line for each excess in a file, in the form that editors make clickable."""
    name = path.relative_to(ROOT)
    source = path.read_text(encoding="utf-8")
    lines = len(source.splitlines())
    if lines > MAX_FILE_LINES:
        yield f"{name}:1: {lines} lines, budget {MAX_FILE_LINES}"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                where = f"{name}:{node.lineno}: {node.name}"
                yield f"{where}: {lines} lines, budget {MAX_FUNCTION_LINES}"


if __name__ == "__main__":
    sys.exit(main())
