"""Writes `requirements.lock` from `pyproject.toml`; run by `make lock`, which brings `uv`.

One resolution for every Python and platform, in two parts: what runs and builds the project stands
before `MARKER`, what only `make test` and `make lint` need stands after it. The Makefile cuts
there.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
MARKER = "# --- test ---"

HEADER = """\
# Every dependency with its hashes, written by `make lock`, never by hand.
# Valid for each Python that pyproject.toml allows, on Linux and macOS.
# First what runs and builds the project; below the test mark what `make test` and `make lint` add.
"""

# A generated stub refuses an older grpcio than the grpcio-tools it came from.
GRPC_TOOLS = "grpcio-tools"
GRPC_FAMILY = ("grpcio", "grpcio-health-checking", "grpcio-reflection", "grpcio-status")

COMPILE = ["uv", "pip", "compile", "pyproject.toml"]
OPTIONS = ["--quiet", "--universal", "--generate-hashes", "--no-header"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions allowed")
    upgrade = parser.parse_args().upgrade

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = grpc_pins(project["optional-dependencies"]["build"])
    with tempfile.TemporaryDirectory() as scratch:
        constraints = Path(scratch, "constraints.txt")
        constraints.write_text("\n".join(pins))
        resolved = Path(scratch, "resolved.txt")
        if LOCK.exists() and not upgrade:
            resolved.write_text(LOCK.read_text())  # uv prefers the versions that it finds here
        everything = blocks(compile_extras(resolved, constraints, "build", "test"))
        constraints.write_text(resolved.read_text())
        needed = blocks(compile_extras(Path(scratch, "needed.txt"), constraints, "build"))

    run = [text for name, text in everything if name in {name for name, _ in needed}]
    test = [text for name, text in everything if name not in {name for name, _ in needed}]
    LOCK.write_text("".join([HEADER, *run, MARKER, "\n", *test]))
    print(f"{LOCK.name}: {len(run)} packages to run and build, {len(test)} more to test")


def grpc_pins(build: list[str]) -> list[str]:
    """Constraints that hold every grpcio package to the version of grpcio-tools."""
    version = next(line.partition("==")[2] for line in build if line.startswith(f"{GRPC_TOOLS}=="))
    return [f"{name}=={version}" for name in GRPC_FAMILY]


def compile_extras(out: Path, constraints: Path, *extras: str) -> str:
    """The text that `uv pip compile` writes for the project with these extras."""
    options = [*OPTIONS, f"--constraint={constraints}", f"--output-file={out}"]
    options += [f"--extra={extra}" for extra in extras]
    command = [sys.executable, "-m", *COMPILE, *options]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return out.read_text()


def blocks(compiled: str) -> list[tuple[str, str]]:
    """Each requirement as its name and its lines, hashes and origin included."""
    compiled = re.sub(r"^ +#   -c .*\n", "", compiled, flags=re.MULTILINE)  # our scratch files
    starts = list(re.finditer(r"^([a-z0-9][a-z0-9._-]*)==", compiled, re.MULTILINE))
    ends = [start.start() for start in starts[1:]] + [len(compiled)]
    spans = zip(starts, ends, strict=True)
    return [(start[1], compiled[start.start() : end]) for start, end in spans]


if __name__ == "__main__":
    main()
