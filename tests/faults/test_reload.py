"""A changed configuration is taken as a whole while calls go on, or not at all."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tests.faults.test_retries_and_fallback import DOWN, WHOLE
from tests.support.gateway import row, write_list
from tests.support.one_provider import CONTENT, DONE, FINISH, PATIENCE, request
from tests.support.process import COMMAND, Running, environment, started
from tests.support.upstream import Connection, Request, Script, Upstream, drip, reply, upstream

HANDLE = "/openai/v1/chat/completions"


class Live:
    """A gateway in a process of its own, its configuration file and its provider."""

    def __init__(self, running: Running, file: Path, provider: Upstream) -> None:
        self.running = running
        self.file = file
        self.provider = provider
        self.http = aiohttp.ClientSession()

    def write(self, **config: Any) -> None:
        """Replace the file in one step, as deployments do."""
        new = self.file.with_suffix(".new")
        new.write_text(yaml.safe_dump(config), encoding="utf-8")
        new.replace(self.file)

    def hang_up(self) -> None:
        self.running.process.send_signal(signal.SIGHUP)

    async def ask(self, **headers: str) -> tuple[int, aiohttp.typedefs.LooseHeaders, bytes]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"{self.running.url}/v1/chat/completions"
        async with self.http.post(url, json=request(), headers=sent) as response:
            return response.status, response.headers, await response.read()

    async def until(self, is_so: Callable[[int, Any, bytes], bool], **headers: str) -> Any:
        """Ask until the answer is as it should be."""
        async with asyncio.timeout(PATIENCE):
            while True:
                answer = await self.ask(**headers)
                if is_so(*answer):
                    return answer
                # Each one writes a line of the log, and the pipe that nobody reads holds few.
                await asyncio.sleep(0.02)

    async def said(self, event: str) -> dict[str, Any]:
        """Wait for a line of the log."""
        assert self.running.process.stderr
        while True:
            line = await asyncio.wait_for(self.running.process.stderr.readline(), PATIENCE)
            assert line, f"the process ended without saying {event}"
            fields: dict[str, Any] = json.loads(line)
            if fields["event"] == event:
                return fields


@asynccontextmanager
async def live(tmp_path: Path, script: Any = WHOLE, **config: Any) -> AsyncIterator[Live]:
    async with upstream(script) as provider:
        file = tmp_path / "trunkline.yaml"
        source = write_list(tmp_path / "models.json", [row("m", HANDLE)])
        own = {"openai": {"base_url": provider.url, "api_key": "key-of-ours"}}
        file.write_text(yaml.safe_dump({"model_list_url": source, "providers": own, **config}))
        environ = {"TRUNKLINE_CONFIG": str(file)}
        async with started("serve", state=tmp_path / "state", **environ) as running:
            made = Live(running, file, provider)
            try:
                yield made
            finally:
                await made.http.close()


def settings(made: Live, **config: Any) -> dict[str, Any]:
    before: dict[str, Any] = yaml.safe_load(made.file.read_text())
    return {**before, **config}


def generation(headers: Any) -> int:
    return int(headers["x-trunkline-generation"])


def held_until(finish: asyncio.Event) -> Script:
    """A stream that begins, and goes on to its end once `finish` is set."""

    async def held(asked: Request, connection: Connection) -> None:
        await connection.head(200, {"content-type": "text/event-stream"})
        await connection.chunk(CONTENT)
        await finish.wait()
        await connection.chunk(FINISH + DONE)
        await connection.end()

    return held


async def test_a_changed_file_is_taken_by_itself(tmp_path: Path) -> None:
    async with live(tmp_path) as made:
        _, before, _ = await made.ask()
        made.write(**settings(made, api_keys=["client-key"]))
        await made.until(lambda status, _, __: status == 401)
        status, after, _ = await made.ask(authorization="Bearer client-key")

    assert status == 200
    assert generation(after) == generation(before) + 1


async def test_a_hangup_makes_it_read_the_file_and_everything_follows(tmp_path: Path) -> None:
    async with live(tmp_path, DOWN, retries=0) as made, upstream(WHOLE) as other:
        assert (await made.ask())[0] == 502
        own = {"openai": {"base_url": other.url, "api_key": "another-key"}}
        made.write(**settings(made, providers=own, retries=1, cors_origins=["https://page"]))
        made.hang_up()
        _, headers, _ = await made.until(lambda status, _, __: status == 200, origin="https://page")
        await made.said("configuration_reloaded")

    assert other.requests[0].headers["authorization"] == "Bearer another-key"
    assert headers["access-control-allow-origin"] == "https://page"


async def test_what_cannot_be_used_changes_nothing_and_is_said(tmp_path: Path) -> None:
    wrong: list[tuple[dict[str, Any] | str, str]] = [
        ({"retries": "many"}, "retries"),
        ({"providers": {"openai": {"base_url": "ftp://x"}}}, "base_url"),
        ({"model_list_url": "gopher://x"}, "model_list_url"),
        ({"no_such_setting": 1}, "no_such_setting"),
        ({"timeouts": {"idle": -1}}, "idle"),
        ("a: [", "valid YAML"),
    ]
    async with live(tmp_path) as made:
        _, before, _ = await made.ask()
        good = settings(made)
        for change, named in wrong:
            text = change if isinstance(change, str) else yaml.safe_dump({**good, **change})
            made.file.write_text(text)
            made.hang_up()
            refused = await made.said("configuration_refused")
            assert named in refused["reason"]
            assert "key-of-ours" not in str(refused)
            status, after, _ = await made.ask()
            assert (status, generation(after)) == (200, generation(before))


async def test_a_file_that_is_gone_changes_nothing(tmp_path: Path) -> None:
    async with live(tmp_path) as made:
        made.file.unlink()
        refused = await made.said("configuration_refused")
        status, _, _ = await made.ask()

    assert "TRUNKLINE_CONFIG" in refused["reason"]
    assert status == 200


async def test_a_call_under_way_keeps_what_it_began_with(tmp_path: Path) -> None:
    finish = asyncio.Event()
    async with (
        live(tmp_path, held_until(finish)) as made,
        upstream(drip(CONTENT, FINISH, DONE)) as other,
    ):
        url = f"{made.running.url}/v1/chat/completions"
        async with made.http.post(url, json=request(stream=True)) as response:
            first = await response.content.readuntil(b"\n\n")
            own = {"openai": {"base_url": other.url, "api_key": "another-key"}}
            made.write(**settings(made, providers=own, timeouts={"idle": 0.001}, api_keys=["k"]))
            made.hang_up()
            await made.said("configuration_reloaded")
            finish.set()
            rest = await response.content.read()
            old = generation(response.headers)
        status, after, _ = await made.until(lambda s, _, __: s != 401, authorization="Bearer k")

    assert first + rest == CONTENT + FINISH + DONE
    assert generation(after) > old
    assert status in (200, 502)  # (the other provider only streams)
    assert len(other.requests) >= 1


async def test_a_hangup_while_it_stops_ends_no_call(tmp_path: Path) -> None:
    finish = asyncio.Event()
    async with live(tmp_path, held_until(finish)) as made:
        url = f"{made.running.url}/v1/chat/completions"
        async with made.http.post(url, json=request(stream=True)) as response:
            first = await response.content.readuntil(b"\n\n")
            made.running.process.send_signal(signal.SIGTERM)
            await made.said("drain_started")
            made.hang_up()
            finish.set()
            rest = await response.content.read()
        code, _ = await made.running.end()

    assert first + rest == CONTENT + FINISH + DONE
    assert code == 0


async def test_what_needs_a_restart_is_named_and_left(tmp_path: Path) -> None:
    async with live(tmp_path) as made:
        made.write(**settings(made, log_level="debug", max_body_bytes=2048, retries=0))
        made.hang_up()
        said = await made.said("configuration_reloaded")
        status, _, _ = await made.ask()

    assert said["needs_restart"] == ["log", "max_body_bytes"]
    assert status == 200


async def test_another_source_of_the_list_replaces_the_list(tmp_path: Path) -> None:
    async with live(tmp_path) as made:
        moved = write_list(tmp_path / "other.json", [row("n", HANDLE)])
        made.write(**settings(made, model_list_url=str(tmp_path / "none.json")))
        await made.said("configuration_reloaded")
        kept = await made.ask()
        made.write(**settings(made, model_list_url=moved))
        await made.said("configuration_reloaded")
        gone = await made.ask()
        made.write(**{k: v for k, v in settings(made).items() if k != "model_list_url"})
        await made.said("configuration_reloaded")
        async with made.http.get(f"{made.running.url}/v1/models") as response:
            bundled = await response.json()

    assert (kept[0], gone[0]) == (200, 404)
    assert any(model["id"] == "demo/echo" for model in bundled["data"])


async def test_many_reloads_under_load_lose_no_call(tmp_path: Path) -> None:
    async with live(tmp_path) as made:

        async def ask_on() -> list[int]:
            return [(await made.ask())[0] for _ in range(40)]

        asking = [asyncio.create_task(ask_on()) for _ in range(4)]
        for number in range(10):
            made.write(**settings(made, retries=number % 3))
            made.hang_up()
            await made.said("configuration_reloaded")
        statuses = [status for task in asking for status in await task]

    assert statuses == [200] * 160


async def test_a_hangup_while_it_starts_does_not_end_it(tmp_path: Path) -> None:
    asked, finish = asyncio.Event(), asyncio.Event()

    async def held(source: Request, connection: Connection) -> None:
        asked.set()
        await finish.wait()
        await reply([row("m", HANDLE)])(source, connection)

    async with upstream(held) as source:
        environ = environment(tmp_path, MODEL_LIST_URL=f"{source.url}/models.json")
        running = await asyncio.create_subprocess_exec(
            COMMAND, "serve", env=environ, stdout=asyncio.subprocess.PIPE
        )
        assert running.stdout
        try:
            await asyncio.wait_for(asked.wait(), PATIENCE)
            running.send_signal(signal.SIGHUP)
            finish.set()
            banner = await asyncio.wait_for(running.stdout.readline(), PATIENCE)
            running.terminate()
            await asyncio.wait_for(running.communicate(), PATIENCE)
        finally:
            if running.returncode is None:
                running.kill()

    assert b"Trunkline" in banner
    assert running.returncode == 0
