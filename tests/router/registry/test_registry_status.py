import pytest

from router.registry.status import Status, degraded

WELL = Status(3, rows=4, served=3, set_aside=1, confirmed_at=1_700_000_000.0)
SERVING = "serving generation 3, last good 2023-11-14 22:13:20 UTC"
AGAIN = "a restart while the source is down would find an older list or none"


@pytest.mark.parametrize(
    ("status", "sentences"),
    [
        (WELL, ()),
        (Status(0, 0, 0, 0, 0.0), ("model list: not loaded yet",)),
        (
            Status(0, 0, 0, 0, 0.0, failure="source unreachable (why)"),
            ("model list: source unreachable (why); no list is served",),
        ),
        (
            Status(3, 4, 3, 1, 1_700_000_000.0, failure="source unreachable (why)"),
            (f"model list: source unreachable (why); {SERVING}",),
        ),
        (
            Status(3, 4, 3, 1, 1_700_000_000.0, unsaved="/x: read-only file system"),
            (f"model list: not kept on disk (/x: read-only file system); {AGAIN}",),
        ),
    ],
)
def test_what_does_not_work_is_said(status: Status, sentences: tuple[str, ...]) -> None:
    assert degraded(status) == sentences
