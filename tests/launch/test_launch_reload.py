"""A file is looked at again and again, and read when it has changed and is at rest."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from launch import config as configuration
from launch import reload
from launch.config import Config, FileState
from launch.reload import Reloader
from tests.support.one_provider import PATIENCE

EMPTIED, HALF, WHOLE = (1,), (2,), (3,)


async def test_a_file_that_is_being_written_is_read_once_it_is_at_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "trunkline.yaml"
    file.write_text("retries: 1")
    environ = {"TRUNKLINE_CONFIG": str(file)}
    config = configuration.load(environ)
    looks: list[FileState] = []
    read_after: list[list[FileState]] = []
    taken = asyncio.Event()

    def look(_: Mapping[str, str]) -> FileState:
        states = [config.file, EMPTIED, HALF, WHOLE]
        looks.append(states[min(len(looks), len(states) - 1)])
        return looks[-1]

    async def apply(_: Config) -> None:
        read_after.append(list(looks))
        taken.set()

    monkeypatch.setattr(reload, "file_state", look)
    monkeypatch.setattr(reload, "WATCH_SECONDS", 0.001)
    running = asyncio.create_task(Reloader(config, environ, apply).run())
    await asyncio.wait_for(taken.wait(), PATIENCE)
    running.cancel()

    assert read_after[0] == [config.file, EMPTIED, HALF, WHOLE, WHOLE]
