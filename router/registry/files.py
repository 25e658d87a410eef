"""Files read and written whole. Blocking: off the event loop."""

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

# Not every platform has all of these flags.
_READ: Final = (
    os.O_RDONLY
    # A pipe would keep the thread waiting for its writer before it could be refused.
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_WRITE: Final = (
    os.O_WRONLY
    | os.O_CREAT
    | os.O_TRUNC
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


class TooLargeError(OSError):
    """The file is larger than was asked for."""


class NotRegularError(OSError):
    """The path leads to a directory, a device, a pipe or a socket."""


def read_regular(path: Path, limit: int) -> bytes:
    """Return what a regular file of at most `limit` bytes holds.

    Raises:
        OSError: if it cannot be read; `NotRegularError` and `TooLargeError` tell why it was not.

    """
    # Opened first and asked then, so that what is asked is what is read.
    descriptor = os.open(path, _READ)
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise NotRegularError("not a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            # No more than it has: `read` takes memory for all that it is asked for.
            data = file.read(min(state.st_size, limit) + 1)
    finally:
        os.close(descriptor)
    if len(data) > limit:
        raise TooLargeError(f"larger than {limit} bytes")
    return data


def write_atomically(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file, readable by its owner alone, so that others see all of it or what was there before.

    Raises:
        OSError: if it cannot be written; then `path` is as it was.

    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # By the process's number, so that what a killed process leaves behind is written over, not gathered.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with os.fdopen(os.open(temporary, _WRITE, 0o600), "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    """Make a rename outlast a power failure, where the platform can."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def words(exc: OSError) -> str:
    """Return what is wrong, without the path, which the reader has been told."""
    return exc.strerror.lower() if exc.strerror else str(exc)
