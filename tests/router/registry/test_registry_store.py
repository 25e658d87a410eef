import hashlib
import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from router.registry.good import Past
from router.registry.location import Validators, locate
from router.registry.pace import BATCH
from router.registry.store import Saved, Store, StoreError

HERE = locate("https://user:canary@h/models.json?token=canary")
SAVED = Saved(
    body=b'[{"model_version": "a"}]\n\n\x00\xff',
    past=Past(7, "fingerprint", {"a": 1, "b/ü": 2}),
    validators=Validators('"etag"', "a date"),
    saved_at=1_700_000_000.5,
)


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    Store(tmp_path / "new" / "state", HERE).save(SAVED)

    assert Store(tmp_path / "new" / "state", HERE).load() == SAVED


def test_many_ages_are_kept_in_batches(tmp_path: Path) -> None:
    ages = {f"m{number}": number for number in range(BATCH * 2 + 1)}
    saved = replace(SAVED, past=replace(SAVED.past, created=ages))
    store = Store(tmp_path, HERE)
    store.save(saved)
    header = json.loads(store.path.read_bytes().splitlines()[1])

    assert store.load() == saved
    assert [len(batch) for batch in header["created"]] == [BATCH, BATCH, 1]


def test_a_file_of_an_older_version_is_read(tmp_path: Path) -> None:
    store = Store(tmp_path, HERE)
    store.save(SAVED)
    first, line, body = store.path.read_bytes().split(b"\n", 2)
    header = json.dumps({**json.loads(line), "created": dict(SAVED.past.created)}).encode()
    rest = header + b"\n" + body
    magic = first.split()[0] + b" "
    store.path.write_bytes(magic + hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest)

    assert store.load() == SAVED


def test_nothing_saved_is_nothing_loaded(tmp_path: Path) -> None:
    with capture_logs() as logs:
        assert Store(tmp_path / "absent", HERE).load() is None
    assert logs == []


def test_each_source_has_its_own_file(tmp_path: Path) -> None:
    Store(tmp_path, HERE).save(SAVED)

    assert Store(tmp_path, locate("https://h/other.json")).load() is None
    assert Store(tmp_path, locate("/models.json")).load() is None


def test_the_file_is_private_and_names_no_credential(tmp_path: Path) -> None:
    store = Store(tmp_path / "state", HERE)
    store.save(SAVED)
    store.save(SAVED)

    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700
    assert list(store.path.parent.iterdir()) == [store.path]
    assert b"canary" not in store.path.read_bytes() + str(store.path).encode()


def _damages(whole: bytes) -> list[bytes]:
    flipped = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(len(whole))]
    cut = [whole[:end] for end in range(len(whole))]
    return [*flipped, *cut, b"{}", b"\n\n", whole + b" "]


def test_a_file_that_is_not_whole_is_ignored(tmp_path: Path) -> None:
    store = Store(tmp_path, HERE)
    store.save(SAVED)
    for damaged in _damages(store.path.read_bytes()):
        store.path.write_bytes(damaged)
        with capture_logs() as logs:
            assert store.load() is None
        assert [log["event"] for log in logs] == ["last_good_list_ignored"]


def test_a_file_of_another_source_is_ignored(tmp_path: Path) -> None:
    other = Store(tmp_path, locate("https://h/other.json"))
    other.save(SAVED)
    store = Store(tmp_path, HERE)
    other.path.rename(store.path)
    with capture_logs() as logs:
        assert store.load() is None

    assert logs[0]["reason"] == "it is another source's"


def test_a_directory_in_its_place_is_ignored(tmp_path: Path) -> None:
    store = Store(tmp_path, HERE)
    store.path.mkdir()
    with capture_logs() as logs:
        assert store.load() is None

    assert logs[0]["reason"] == "not a regular file"


def test_where_nothing_can_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file: "):
        Store(tmp_path / "file", HERE).save(SAVED)


def test_a_save_that_fails_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path, HERE)
    store.save(SAVED)

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(StoreError, match="no space left on device"):
        store.save(Saved(b"[]", Past(8), Validators(), 0.0))

    assert store.load() == SAVED
    assert list(tmp_path.iterdir()) == [store.path]


def test_an_acceptance_is_kept_until_it_is_forgotten(tmp_path: Path) -> None:
    store = Store(tmp_path / "state", HERE)
    assert store.accepted() is None
    store.forget_accepted()

    store.accept("a" * 64)
    assert Store(tmp_path / "state", HERE).accepted() == "a" * 64

    store.forget_accepted()
    assert store.accepted() is None


def test_an_acceptance_that_cannot_be_removed_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with capture_logs() as logs:
        Store(tmp_path / "file", HERE).forget_accepted()

    assert [log["event"] for log in logs] == ["acceptance_not_removed"]
