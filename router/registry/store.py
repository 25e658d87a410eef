"""The last good list on disk, so that a restart serves while the source is down.

One file per source: a line with a checksum, a line of JSON, the list as it came. A file that is not whole
and ours is as good as none. Beside it may lie the mark by which an operator accepted a shrunk list.
Blocking: off the event loop.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import structlog

from router.registry import files
from router.registry.good import GoodList, Past, digest_of
from router.registry.location import Location, Validators
from router.registry.pace import Pace, at_once, batches
from router.registry.source import MAX_BYTES

_log = structlog.get_logger()

_MAGIC: Final = b"trunkline-model-list-1 "
MAX_FILE: Final = MAX_BYTES * 4
"""The list, and an age for each of its models."""

MAX_MARK: Final = 128
MAX_TOLD: Final = 64 * 1024


class StoreError(Exception):
    """The state directory cannot be written; the message says why."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What lies on disk: a list's bytes and what must be known to serve it. `saved_at`: Unix seconds."""

    body: bytes = field(repr=False)
    past: Past
    validators: Validators
    saved_at: float

    @classmethod
    def of(cls, good: GoodList, body: bytes) -> "Saved":
        return cls(body, good.past, good.validators, good.confirmed_at)


class Told(msgspec.Struct, frozen=True):
    """How the last attempt to refresh ended: why the latest list is not served (empty: it is), and the
    Unix time in seconds at which the source last gave the one that is.
    """

    failure: str = ""
    confirmed_at: float = 0.0


class _Header(msgspec.Struct, frozen=True):
    source: str
    generation: int
    fingerprint: str
    created: dict[str, int] | list[msgspec.Raw]
    """In batches, so that no call has to read or write them all. Older files have them in one."""
    etag: str
    last_modified: str
    saved_at: float


def _joined(created: dict[str, int] | list[msgspec.Raw], pace: Pace) -> Mapping[str, int]:
    if isinstance(created, dict):
        return created
    return {key: age for batch in pace(created) for key, age in _AGES.decode(batch).items()}


_AGES: Final = msgspec.json.Decoder(dict[str, int])
_HEADER: Final = msgspec.json.Decoder(_Header)
_TOLD: Final = msgspec.json.Decoder(Told)


class Store:
    """The state of one source. Holds nothing open."""

    def __init__(self, state_dir: Path, location: Location) -> None:
        # By its digest, since the source itself may hold a credential.
        self._source = digest_of(location.identity.encode())
        self.path = state_dir / f"model-list-{self._source[:32]}"
        self._mark = self.path.with_suffix(".accepted")
        self._told = self.path.with_suffix(".state")

    def load(self, pace: Pace = at_once) -> Saved | None:
        """Return what was saved last; None, with a warning, if it cannot be used."""
        try:
            data = files.read_regular(self.path, MAX_FILE)
            return self._parse(data, pace)
        except FileNotFoundError:
            return None
        except OSError as exc:
            reason = files.words(exc)
        except (ValueError, msgspec.MsgspecError) as exc:
            reason = str(exc)
        _log.warning("last_good_list_ignored", path=str(self.path), reason=reason)
        return None

    def _parse(self, data: bytes, pace: Pace) -> Saved:
        end = data.find(b"\n")
        first, rest = data[:end], memoryview(data)[end + 1 :]
        if end < 0 or first != _MAGIC + hashlib.sha256(rest).hexdigest().encode():
            raise ValueError("not a whole file of ours")
        start = data.find(b"\n", end + 1)
        header = _HEADER.decode(memoryview(data)[end + 1 : start])
        if header.source != self._source:
            raise ValueError("it is another source's")
        return Saved(
            body=data[start + 1 :],
            past=Past(header.generation, header.fingerprint, _joined(header.created, pace)),
            validators=Validators(header.etag, header.last_modified),
            saved_at=header.saved_at,
        )

    def save(self, saved: Saved, pace: Pace = at_once) -> None:
        """Keep a list in place of the one before.

        Raises:
            StoreError: if it cannot be written; then the one before is still there.

        """
        header = msgspec.json.encode(
            _Header(
                source=self._source,
                generation=saved.past.generation,
                fingerprint=saved.past.fingerprint,
                created=[
                    msgspec.Raw(msgspec.json.encode(dict(batch)))
                    for batch in pace(batches(saved.past.created.items()))
                ],
                etag=saved.validators.etag,
                last_modified=saved.validators.last_modified,
                saved_at=saved.saved_at,
            )
        )
        checksum = hashlib.sha256(header + b"\n")
        checksum.update(saved.body)
        first = _MAGIC + checksum.hexdigest().encode() + b"\n"
        self._write(self.path, first, header, b"\n", saved.body)

    def state(self) -> tuple[int, ...] | None:
        """Return what tells the list that lies there from any later one; None if there is none."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_size, found.st_ino)

    def tell(self, told: Told) -> None:
        """Let other processes know how the last attempt ended; they go by the list alone if it cannot be."""
        try:
            files.write_atomically(self._told, (msgspec.json.encode(told),))
        except OSError as exc:
            _log.warning("refresh_not_told", path=str(self._told), reason=files.words(exc))

    def told(self) -> Told:
        """Return how the last attempt of the process that tells of it ended."""
        try:
            return _TOLD.decode(files.read_regular(self._told, MAX_TOLD))
        except (OSError, msgspec.MsgspecError):
            return Told()

    def accepted(self) -> str | None:
        """Return the digest of the model ids that an operator accepted, if any."""
        try:
            return files.read_regular(self._mark, MAX_MARK).decode().strip()
        except (OSError, ValueError):
            return None

    def accept(self, ids: str) -> None:
        """Accept a shrunk list, by the digest of its model ids.

        Raises:
            StoreError: if that cannot be written.

        """
        self._write(self._mark, ids.encode(), b"\n")

    def forget_accepted(self) -> None:
        """Take the acceptance back: it was used, or the list has moved on."""
        try:
            self._mark.unlink(missing_ok=True)
        except OSError as exc:
            _log.warning("acceptance_not_removed", path=str(self._mark), reason=files.words(exc))

    @staticmethod
    def _write(path: Path, *parts: bytes) -> None:
        try:
            files.write_atomically(path, parts)
        except OSError as exc:
            raise StoreError(f"{path.parent}: {files.words(exc)}") from exc
