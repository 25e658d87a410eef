"""Several workers serve one gateway: what becomes of calls, counts, the model list, signals and mistakes."""

import asyncio
import itertools
import json
import os
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
import yaml

from tests.router.registry.scripted import ListServer, rows
from tests.support.gateway import MESSAGES, row
from tests.support.one_provider import CONTENT, DONE, FINISH, OPENAI, environ_of
from tests.support.process import PATIENCE, Running, open_descriptors, run, started
from tests.support.upstream import Connection, Request, upstream
from trunkline.v1 import model_service_pb2, model_service_pb2_grpc

Line = dict[str, Any]

ECHO: dict[str, Any] = {"model": "demo/echo", "messages": MESSAGES}


class Fleet:
    """A gateway with workers, and what it logs."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.lines: list[Line] = []
        self.text = ""
        self._heard = asyncio.Event()
        self._ids = map(str, itertools.count())
        self._reading = asyncio.create_task(self._read(), name="read-log")

    async def _read(self) -> None:
        assert self.running.process.stderr
        async for line in self.running.process.stderr:
            self.text += line.decode()
            with suppress(json.JSONDecodeError):
                self.lines.append(json.loads(line))
            self._heard.set()

    def said(self, event: str, **fields: object) -> list[Line]:
        wanted = {"event": event, **fields}.items()
        return [line for line in self.lines if wanted <= line.items()]

    async def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until what was logged fulfils a condition."""
        async with asyncio.timeout(PATIENCE):
            while not (found := condition()):
                self._heard.clear()
                await self._heard.wait()
        return found

    @property
    def pids(self) -> dict[int, int]:
        """The newest process of each worker that serves."""
        return {line["worker"]: line["pid"] for line in self.said("worker_ready")}

    async def ended(self) -> int:
        """Wait for the end of all processes; return the exit status."""
        status = await asyncio.wait_for(self.running.process.wait(), PATIENCE)
        await asyncio.wait_for(self._reading, PATIENCE)
        return status

    async def ask(self, path: str = "/v1/models", body: object = None) -> tuple[int, Line]:
        """Send a request over a connection of its own; return the status and the line of its call."""
        wanted = next(self._ids)
        async with aiohttp.ClientSession() as http:
            method = "GET" if body is None else "POST"
            headers = {"x-request-id": wanted}
            async with http.request(
                method, self.running.url + path, json=body, headers=headers
            ) as response:
                await response.read()
        lines = await self.until(lambda: self.said("call_ended", request_id=wanted))
        return response.status, lines[0]

    async def each(self, is_so: Callable[[Line], Any] = bool) -> None:
        """Ask until every worker has answered, the last time as it should be."""
        seen: dict[int, bool] = {}
        async with asyncio.timeout(PATIENCE):
            while len(seen) < len(self.pids) or not all(seen.values()):
                _, line = await self.ask()
                seen[line["worker"]] = bool(is_so(line))

    async def metrics(self) -> dict[str, float]:
        """Return what the worker shows that a new connection happens to reach."""
        url = self.running.url.removesuffix("/metrics") + "/metrics"
        async with aiohttp.ClientSession() as http, http.get(url) as response:
            text = await response.text()
        shown = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in shown}

    async def calls(self) -> float:
        """Return how many calls a worker shows."""
        shown = await self.metrics()
        return sum(v for name, v in shown.items() if name.startswith("trunkline_requests_total"))


@asynccontextmanager
async def fleet(
    state: Path,
    environ: Mapping[str, str] | None = None,
    *,
    workers: int = 2,
    command: str = "serve",
) -> AsyncIterator[Fleet]:
    told = {"TRUNKLINE_DRAIN_SECONDS": str(PATIENCE), **(environ or {})}
    async with started(command, "--workers", str(workers), state=state, **told) as running:
        made = Fleet(running)
        try:
            await made.until(lambda: len(made.pids) == workers)
            yield made
        finally:
            if running.process.returncode is None:
                running.process.send_signal(signal.SIGTERM)
                with suppress(TimeoutError):
                    await made.ended()


class Held:
    """A provider that begins its streams at once and ends them when told to."""

    def __init__(self) -> None:
        self.finish = asyncio.Event()

    async def script(self, request: Request, connection: Connection) -> None:
        await connection.head(200, {"content-type": "text/event-stream"})
        await connection.chunk(CONTENT)
        await self.finish.wait()
        await connection.chunk(FINISH + DONE)
        await connection.end()


async def streams_on_all(made: Fleet, http: aiohttp.ClientSession) -> dict[int, list[Any]]:
    """Begin streams until each worker has one; return the open answers by worker."""
    held: dict[int, list[Any]] = {number: [] for number in made.pids}
    async with asyncio.timeout(PATIENCE):
        while not all(held.values()):
            before = {n: open_descriptors(pid) for n, pid in made.pids.items()}
            url = f"{made.running.url}/v1/chat/completions"
            body = {"model": "m", "messages": MESSAGES, "stream": True}
            answer = await http.post(url, json=body)
            assert await answer.content.readuntil(b"\n\n") == CONTENT
            # Its connections to the client and to the provider.
            grown = {n: len(open_descriptors(p) - before[n]) for n, p in made.pids.items()}
            held[max(grown, key=lambda n: grown[n])].append(answer)
    return held


@asynccontextmanager
async def holding(tmp_path: Path) -> AsyncIterator[tuple[Fleet, Held, dict[int, list[Any]]]]:
    held = Held()
    async with upstream(held.script) as provider:
        environ = environ_of(tmp_path, provider, [row("m", OPENAI)])
        connector = aiohttp.TCPConnector(force_close=True)
        async with (
            fleet(tmp_path / "state", environ) as made,
            aiohttp.ClientSession(connector=connector) as http,
        ):
            streams = await streams_on_all(made, http)
            try:
                yield made, held, streams
            finally:
                held.finish.set()
                for answer in itertools.chain(*streams.values()):
                    answer.close()


async def test_calls_reach_all_workers_and_whichever_is_scraped_shows_all(tmp_path: Path) -> None:
    async with fleet(tmp_path, workers=3) as made:
        await made.each()
        assert (await made.ask("/v1/chat/completions", ECHO))[0] == 200
        asked = len(made.said("call_ended"))
        scrapes = [await made.metrics() for _ in range(8)]
        calls = [await made.calls() for _ in range(8)]

    assert calls == [asked] * 8
    for shown in scrapes:
        own = {n for n in shown if n.startswith("process_resident_memory_bytes")}
        assert own == {f'process_resident_memory_bytes{{worker="{n}"}}' for n in range(3)}
        assert shown["trunkline_model_list_generation"] == 1
    banner = made.running.banner
    assert (banner.count("Trunkline HTTP"), banner.count("Trunkline gRPC")) == (1, 1)


async def test_a_worker_that_is_killed_is_replaced_and_nothing_else_happens(
    tmp_path: Path,
) -> None:
    async with holding(tmp_path) as (made, held, streams):
        await made.each()
        before, pids = await made.calls(), made.pids
        os.kill(pids[1], signal.SIGKILL)
        await made.until(lambda: made.said("worker_ended", worker=1, status=-signal.SIGKILL))
        assert await made.calls() >= before
        await made.until(lambda: made.pids[1] != pids[1])
        held.finish.set()
        for answer in streams[0]:
            assert await answer.content.read() == FINISH + DONE
        for answer in streams[1]:
            with pytest.raises(aiohttp.ClientError):
                await answer.content.read()
        await made.each()
        assert await made.calls() > before
        assert made.pids[0] == pids[0]


async def test_a_worker_that_is_told_to_stop_leaves_its_counts_and_is_replaced(
    tmp_path: Path,
) -> None:
    async with fleet(tmp_path) as made:
        await made.each()
        asked, pids = len(made.said("call_ended")), made.pids
        os.kill(pids[1], signal.SIGTERM)
        await made.until(lambda: made.said("worker_ended", worker=1, status=0))

        assert await made.calls() == asked
        await made.until(lambda: made.pids[1] != pids[1])
        assert await made.calls() == asked


async def test_a_stop_waits_for_the_streams_of_all_workers(tmp_path: Path) -> None:
    async with holding(tmp_path) as (made, held, streams):
        made.running.process.send_signal(signal.SIGTERM)
        await made.until(lambda: len(made.said("drain_started")) == 2)
        held.finish.set()
        rest = [await answer.content.read() for each in streams.values() for answer in each]
        status = await made.ended()

    assert set(rest) == {FINISH + DONE}
    assert status == 0
    assert [line.get("worker") for line in made.said("stopped")][-1] is None
    assert len(made.said("stopped")) == 3


async def test_a_second_signal_ends_all_workers_at_once(tmp_path: Path) -> None:
    async with holding(tmp_path) as (made, _, __):
        made.running.process.send_signal(signal.SIGINT)
        await made.until(lambda: len(made.said("drain_started")) == 2)
        made.running.process.send_signal(signal.SIGINT)
        assert await made.ended() == 130

    assert not made.said("worker_killed")


async def test_a_worker_that_hangs_does_not_keep_the_others_from_ending(tmp_path: Path) -> None:
    async with fleet(tmp_path) as made:
        os.kill(made.pids[1], signal.SIGSTOP)
        made.running.process.send_signal(signal.SIGTERM)
        await made.until(lambda: made.said("stopped", worker=0))
        made.running.process.send_signal(signal.SIGTERM)
        assert await made.ended() == 130

    assert [line["worker"] for line in made.said("worker_killed")] == [1]


async def test_a_terminal_speaks_to_the_supervisor_alone(tmp_path: Path) -> None:
    async with fleet(tmp_path) as made:
        groups = {os.getpgid(pid) for pid in made.pids.values()}

        assert os.getpgid(made.running.process.pid) not in groups


async def test_workers_whose_supervisor_is_gone_stop_in_good_order(tmp_path: Path) -> None:
    async with holding(tmp_path) as (made, held, streams):
        made.running.process.kill()
        await made.until(lambda: len(made.said("drain_started")) == 2)
        held.finish.set()
        rest = [await answer.content.read() for each in streams.values() for answer in each]
        await made.ended()

    assert set(rest) == {FINISH + DONE}
    assert len(made.said("stopped")) == 2


@pytest.fixture
async def source() -> AsyncIterator[ListServer]:
    source = ListServer()
    await source.start()
    yield source
    await source.stop()


async def test_one_worker_asks_the_source_for_all(tmp_path: Path, source: ListServer) -> None:
    source.listed = rows(2)
    environ = {"MODEL_LIST_URL": source.url, "MODEL_LIST_REFRESH_SECONDS": "3600"}
    async with fleet(tmp_path, environ, workers=3) as made:
        await made.each(lambda line: line["generation"] == 1)
        assert len(source.requests) == 1

        source.listed = rows(3)
        os.kill(made.pids[0], signal.SIGKILL)
        await made.until(lambda: len(made.said("worker_ready", worker=0)) == 2)
        await made.each(lambda line: line["generation"] == 2)
        assert len(source.requests) == 2


async def test_a_changed_list_is_served_by_all_workers(tmp_path: Path, source: ListServer) -> None:
    source.listed = rows(2)
    environ = {"MODEL_LIST_URL": source.url, "MODEL_LIST_REFRESH_SECONDS": "0.1"}
    async with fleet(tmp_path, environ) as made:
        source.listed = rows(3)
        await made.each(lambda line: line["generation"] == 2)
        await source.stop()
        await made.until(lambda: made.said("model_list_not_refreshed"))

    assert {line["worker"] for line in made.said("model_list_not_refreshed")} == {0}


async def test_without_a_state_directory_each_worker_asks_for_itself(
    tmp_path: Path, source: ListServer
) -> None:
    source.listed = rows(2)
    state = tmp_path / "file"
    state.write_text("not a directory")
    environ = {"MODEL_LIST_URL": source.url, "MODEL_LIST_REFRESH_SECONDS": "3600"}
    async with fleet(state, environ) as made:
        await made.each(lambda line: line["generation"] == 1)

    assert len(source.requests) == 2
    assert len(made.said("model_list_not_shared")) == 1


async def test_a_hangup_reaches_all_workers(tmp_path: Path) -> None:
    file = tmp_path / "trunkline.yaml"
    file.write_text(yaml.safe_dump({"retries": 1}))
    async with fleet(tmp_path / "state", {"TRUNKLINE_CONFIG": str(file)}) as made:
        made.running.process.send_signal(signal.SIGHUP)
        reloaded = await made.until(
            lambda: len(lines := made.said("configuration_reloaded")) == 2 and lines
        )

    assert {line["worker"] for line in reloaded} == {0, 1}
    assert not any("needs_restart" in line and line["needs_restart"] for line in reloaded)


async def test_a_changed_file_moves_no_port_and_a_broken_one_stops_only_what_starts(
    tmp_path: Path,
) -> None:
    file = tmp_path / "trunkline.yaml"
    file.touch()
    async with fleet(tmp_path / "state", {"TRUNKLINE_CONFIG": str(file)}) as made:
        file.write_text(yaml.safe_dump({"retries": "many"}))
        os.kill(made.pids[1], signal.SIGKILL)
        await made.until(lambda: len(made.said("worker_ended", worker=1, status=1)) >= 2)
        assert (await made.ask())[0] == 200

        file.write_text(yaml.safe_dump({"http_port": 1, "http_host": "192.0.2.1", "workers": 7}))
        await made.until(lambda: len(made.said("worker_ready", worker=1)) == 2)
        await made.each()

        file.write_text(yaml.safe_dump({"retries": "many"}))
        for pid in made.pids.values():
            os.kill(pid, signal.SIGKILL)
        assert await made.ended() == 1


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"TRUNKLINE_RETRIES": "many"}, "TRUNKLINE_RETRIES"),
        ({"TRUNKLINE_WORKERS": "none"}, "TRUNKLINE_WORKERS"),
        ({"TRUNKLINE_HTTP_HOST": "0.0.0.0"}, "TRUNKLINE_HTTP_HOST"),
        ({"TRUNKLINE_HTTP_HOST": "192.0.2.1", "TRUNKLINE_API_KEYS": "key"}, "TRUNKLINE_HTTP_PORT"),
        ({"MODEL_LIST_URL": "gopher://x"}, "MODEL_LIST_URL"),
    ],
)
async def test_a_mistake_in_the_configuration_is_told_once_and_ends_the_start(
    tmp_path: Path, environ: Mapping[str, str], named: str
) -> None:
    status, out, err = await run("serve", state=tmp_path, **{"TRUNKLINE_WORKERS": "4", **environ})

    assert status == 1
    assert out == ""
    said = [line for line in err.splitlines() if line.startswith("trunkline: ")]
    assert len(said) == 1
    assert named in said[0]


@pytest.fixture
def taken() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield str(sock.getsockname()[1])


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("serve", "TRUNKLINE_HTTP_PORT"),
        ("serve", "TRUNKLINE_GRPC_PORT"),
        ("router", "TRUNKLINE_METRICS_PORT"),
        ("edge", "TRUNKLINE_HTTP_PORT"),
    ],
)
async def test_a_port_in_use_is_an_error_that_names_the_variable(
    tmp_path: Path, command: str, name: str, taken: str
) -> None:
    status, _, err = await run(command, state=tmp_path, **{"TRUNKLINE_WORKERS": "2", name: taken})

    assert status == 1
    (line,) = err.splitlines()
    assert name in line
    assert taken in line


async def test_a_port_of_other_workers_is_in_use_too(tmp_path: Path) -> None:
    async with fleet(tmp_path / "first") as made:
        port = made.running.url.rpartition(":")[2]
        for workers in ("1", "2"):
            environ = {"TRUNKLINE_HTTP_PORT": port, "TRUNKLINE_WORKERS": workers}
            status, _, err = await run("serve", state=tmp_path / "second", **environ)
            assert status == 1
            assert "TRUNKLINE_HTTP_PORT" in err


async def test_both_tiers_run_apart_with_workers_of_their_own(tmp_path: Path) -> None:
    metrics = {"TRUNKLINE_METRICS_PORT": "0"}
    async with (
        fleet(tmp_path, metrics, command="router") as router,
        fleet(tmp_path, {"TRUNKLINE_ROUTER": router.running.grpc}, command="edge") as edge,
    ):
        answered: Counter[int] = Counter()
        async with asyncio.timeout(PATIENCE):
            while len(answered) < 2:
                answered.update([await _worker_of_a_connection(router)])
        async with aiohttp.ClientSession() as http:
            url = f"{edge.running.url}/v1/chat/completions"
            async with http.post(url, json=ECHO) as response:
                assert response.status == 200
        await router.until(lambda: router.said("call_ended", operation="chat"))
        assert await router.calls() == len(router.said("call_ended"))
        shown = await edge.metrics()

    assert shown['trunkline_edge_requests_total{route="/v1/chat/completions",status="200"}'] == 1


async def _worker_of_a_connection(router: Fleet) -> int:
    """Return the worker that answers a gRPC client with a connection of its own."""
    before = len(router.said("call_ended"))
    options = (("grpc.use_local_subchannel_pool", 1),)
    async with grpc.aio.insecure_channel(router.running.grpc, options=options) as channel:
        stub: Any = model_service_pb2_grpc.ModelServiceStub(channel)
        await stub.ListModels(model_service_pb2.ListModelsRequest())
    lines = await router.until(lambda: router.said("call_ended")[before:])
    worker: int = lines[0]["worker"]
    return worker
