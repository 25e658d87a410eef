"""What the README shows works as it stands there."""

import asyncio
import re
import sys
from pathlib import Path

import pytest

from launch.config import UNPREFIXED
from launch.settings import PARSERS, PROVIDER_PARSERS
from tests.support.process import PATIENCE, started

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
PROGRAMS = [p for p in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "import" in p]


@pytest.mark.parametrize(
    ("program", "output"), [(PROGRAMS[0], "Hello!"), (PROGRAMS[1], "Hello!\nHello!")]
)
async def test_the_programs_run_and_get_the_same_answer(
    tmp_path: Path, program: str, output: str
) -> None:
    async with started("serve", state=tmp_path) as running:
        program = program.replace("http://127.0.0.1:8080", running.url)
        program = program.replace("127.0.0.1:50051", running.grpc)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await asyncio.wait_for(process.communicate(), PATIENCE)

    assert out.decode() == output


def test_the_grpc_program_has_ten_lines_of_code() -> None:
    assert len([line for line in PROGRAMS[1].splitlines() if line.strip(" )")]) <= 10


def test_every_setting_stands_in_the_table() -> None:
    names = {name.lower() for name in UNPREFIXED}
    for path in PARSERS:
        last = path[-1].upper()
        shown = last if path[0] in names else f"TRUNKLINE_{'__'.join(path).upper()}"
        assert f"`{shown}`" in README or f"`__{last}`" in README, shown
    assert all(f"__{key.upper()}`" in README or f"`{key}`" in README for key in PROVIDER_PARSERS)
