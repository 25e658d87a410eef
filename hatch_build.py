"""Generates `gen/trunkline/` from `protos/`, on every (editable) install and by `make codegen`.

Hatch finds the build hook in this file by its name; `python hatch_build.py` does the same by hand.
What is generated is never committed and never edited. It replaces what was there as a whole: the
stubs of a deleted proto vanish, and a failed run leaves the old stubs as they were.
"""

import sys
import tempfile
from importlib.metadata import distribution
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from grpc_tools import protoc
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "trunkline"

# Plain `--pyi_out` types messages only; mypy-protobuf types stubs and servicers too. `only_async`:
# every client and servicer of ours is `grpc.aio`; typed for both kinds, a servicer method that
# forgets its `async` would pass mypy.
OUTPUTS = {"python": "", "grpc_python": "", "mypy": "quiet:", "mypy_grpc": "quiet,only_async:"}
PLUGINS = ("protoc-gen-mypy", "protoc-gen-mypy_grpc")


class GenerateStubs(BuildHookInterface[Any]):
    """Runs before hatch collects the files of a wheel, be it a real or an editable one."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        generate(Path(self.root))


def generate(root: Path) -> None:
    """Writes the typed stubs of `root/protos` into `root/gen`."""
    protos = root / "protos"
    gen = root / "gen"
    gen.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".scratch-", dir=gen) as scratch:
        fresh = Path(scratch, "fresh")
        fresh.mkdir()
        _run_protoc(protos, fresh)
        _mark_packages(fresh / PACKAGE)
        _replace(gen / PACKAGE, by=fresh / PACKAGE, keeping=Path(scratch, "old"))


def _run_protoc(protos: Path, out: Path) -> None:
    # `protoc.main()` knows no include path of its own, unlike `python -m grpc_tools.protoc`:
    # google/protobuf lies in grpc_tools/_proto, google/api in googleapis-common-protos.
    googleapis = distribution("googleapis-common-protos").locate_file("")
    with as_file(files("grpc_tools") / "_proto") as well_known:
        status = protoc.main(
            [
                "protoc",
                *(f"-I{path}" for path in (protos, well_known, googleapis)),
                *(f"--plugin={name}={_find_plugin(name)}" for name in PLUGINS),
                *(f"--{name}_out={options}{out}" for name, options in OUTPUTS.items()),
                *sorted(str(path) for path in protos.rglob("*.proto")),
            ]
        )
    if status:
        message = f"protoc ended with status {status}; its own message stands above"
        raise RuntimeError(message)


def _find_plugin(name: str) -> Path:
    """The script that came with the mypy-protobuf in use, whatever else stands on `PATH`.

    `.venv/bin` is on no `PATH` when `.venv/bin/python` runs by its path, and an isolated build
    keeps its scripts apart from its interpreter.
    """
    installed = distribution("mypy-protobuf").files or []
    return next(Path(str(f.locate())).resolve() for f in installed if f.stem == name)


def _mark_packages(package: Path) -> None:
    """Makes typed packages of what protoc leaves as bare directories."""
    for directory in (package, *(path for path in package.rglob("*") if path.is_dir())):
        (directory / "__init__.py").touch()
        (directory / "py.typed").touch()


def _replace(target: Path, *, by: Path, keeping: Path) -> None:
    """Puts one directory in the place of another by two renames: no mixture is ever seen."""
    if target.exists():
        target.rename(keeping)
    by.rename(target)


if __name__ == "__main__":
    try:
        generate(Path(__file__).resolve().parent)
    except RuntimeError as error:
        sys.exit(str(error))
