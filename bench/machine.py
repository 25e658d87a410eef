"""What a run ran on: figures without that mean nothing."""

import os
import platform
import re
import subprocess
import sysconfig
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import msgspec

from bench.systems import PEERS, PORTKEY, ROOT, nginx_path

_LIBRARIES: Final = (
    "trunkline",
    "aiohttp",
    "grpcio",
    "httptools",
    "msgspec",
    "protobuf",
    "tornado",
    "uvloop",
)

_BUILD_OPTIONS: Final = ("--enable-optimizations", "--with-lto", "-fprofile-use", "-flto")
"""Of an interpreter: a tenth of its time and more."""


def machine() -> dict[str, str]:
    """Return processor, cores, memory, kernel and Python."""
    processor = re.search(
        r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE
    )
    memory = re.search(r"^MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return {
        "processor": processor[1] if processor else platform.machine(),
        "cores": str(os.cpu_count()),
        "memory": f"{int(memory[1]) / 2**20:.0f} GiB" if memory else "unknown",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()} ({build_of_python()})",
    }


def build_of_python() -> str:
    """Return how the interpreter was built, as far as it matters."""
    # Some builders configure nothing and optimize in a later step, which the compiler's flags tell.
    names = ("CONFIG_ARGS", "PY_CORE_CFLAGS")
    options = " ".join(str(sysconfig.get_config_var(name)) for name in names)
    found = [option for option in _BUILD_OPTIONS if option in options]
    return f"built with {' '.join(found)}" if found else "no optimizations on record"


def versions(systems: Iterable[str]) -> dict[str, str]:
    """Return the versions of what is measured and of the libraries below it."""
    found = {name: _installed(name) for name in _LIBRARIES}
    found["commit"] = _said(["git", "-C", str(ROOT), "describe", "--always", "--dirty"])
    chosen = set(systems)
    if "nginx" in chosen:
        found["nginx"] = _said([nginx_path() or "nginx", "-v"]).rpartition("/")[2]
    if "litellm" in chosen:
        ask = "import importlib.metadata as m; print(m.version('litellm'))"
        found["litellm"] = _said([str(PEERS / "litellm" / "bin" / "python"), "-c", ask])
    if "portkey" in chosen:
        package = msgspec.json.decode((PORTKEY / "package.json").read_bytes())
        found["portkey"] = str(package["version"])
        found["node"] = _said(["node", "--version"])
    return found


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def _said(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except OSError:
        return "unknown"
    return (done.stdout or done.stderr).strip()
