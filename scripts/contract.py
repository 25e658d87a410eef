"""Holds `protos/` to its rules: `lint` for style and comments, `breaking` for compatibility.

buf runs offline. What the protos import from Google comes from the installed
googleapis-common-protos; the commit to compare with comes from git.
"""

import argparse
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from importlib.metadata import distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUF = Path(sysconfig.get_path("scripts"), "buf")
GOOGLEAPIS = "gen/googleapis"  # as in buf.yaml


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("check", choices=["lint", "breaking"])
    parser.add_argument("against", nargs="?", help="what `breaking` compares with; else `base()`")
    arguments = parser.parse_args()

    copy_googleapis(ROOT)
    if arguments.check == "lint":
        return buf("lint")
    return breaking(arguments.against or base())


def copy_googleapis(workspace: Path) -> None:
    """Puts Google's own protos where buf.yaml expects them."""
    target = workspace / GOOGLEAPIS
    shutil.rmtree(target, ignore_errors=True)
    for file in distribution("googleapis-common-protos").files or []:
        if file.suffix == ".proto":
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(file.locate()), target / file)


def breaking(against: str | None) -> int:
    """Compares with the protos of a commit; without an earlier contract nothing can break."""
    archive = against and git("archive", against, "protos", "buf.yaml")
    if not archive:
        print("buf breaking: no earlier contract to compare with")
        return 0
    print(f"buf breaking: comparing with {against}", flush=True)
    with tempfile.TemporaryDirectory() as earlier:
        subprocess.run(["tar", "-x", "-C", earlier], input=archive, check=True)
        copy_googleapis(Path(earlier))
        return buf("breaking", "--against", earlier)


def base() -> str | None:
    """The last release, else the last commit that the working tree's protos may differ from."""
    tag = git("describe", "--tags", "--abbrev=0")
    if tag:
        return tag.decode().strip()
    is_committed = git("diff", "--quiet", "HEAD", "--", "protos") is not None
    return "HEAD~1" if is_committed else "HEAD"


def git(*arguments: str) -> bytes | None:
    """What git prints; nothing where it fails or there is no git at all."""
    if shutil.which("git") is None:
        return None
    ran = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)
    return ran.stdout if ran.returncode == 0 else None


def buf(*arguments: str) -> int:
    return subprocess.run([BUF, *arguments], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
