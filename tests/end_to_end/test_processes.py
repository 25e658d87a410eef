"""The commands as users run them: what they print, how they stop, and when they refuse to start."""

import asyncio
import json
import signal
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.gateway import MESSAGES, row, write_list
from tests.support.process import PATIENCE, run, started
from tests.support.upstream import Connection, Request, upstream

CHAT: dict[str, Any] = {"model": "demo/echo", "messages": MESSAGES}
CONTENT = b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
FINISH = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"


async def chat(url: str, body: dict[str, Any] = CHAT, **headers: str) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{url}/v1/chat/completions", json=body, headers=headers) as response,
    ):
        return response.status, await response.json()


async def get(url: str, path: str, **headers: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.get(url + path, headers=headers) as response:
        return response.status, await response.text()


async def test_serve_prints_a_line_that_works_and_stops_in_good_order(tmp_path: Path) -> None:
    async with started("serve", state=tmp_path) as running:
        line = next(text for text in running.banner.splitlines() if "curl" in text)
        curl = await asyncio.create_subprocess_shell(f"{line} -s", stdout=asyncio.subprocess.PIPE)
        out, _ = await asyncio.wait_for(curl.communicate(), PATIENCE)
        assert json.loads(out)["choices"][0]["message"]["content"] == "Hello!"

        running.process.send_signal(signal.SIGTERM)
        status, log = await running.end()

    assert status == 0
    assert [json.loads(text)["event"] for text in log.splitlines()][-1] == "stopped"


async def test_a_stop_waits_for_calls_in_flight_and_takes_no_new_ones(tmp_path: Path) -> None:
    finish = asyncio.Event()

    async def slow(request: Request, connection: Connection) -> None:
        await connection.head(200, {"content-type": "text/event-stream"})
        await connection.chunk(CONTENT)
        await finish.wait()
        await connection.chunk(FINISH + DONE)
        await connection.end()

    rows = [row("m", "/openai/v1/chat/completions")]
    async with upstream(slow) as provider:
        environ = {
            "MODEL_LIST_URL": write_list(tmp_path / "models.json", rows),
            "TRUNKLINE_PROVIDERS__OPENAI__BASE_URL": provider.url,
            "OPENAI_API_KEY": "key",
        }
        async with (
            started("serve", state=tmp_path, **environ) as running,
            aiohttp.ClientSession() as http,
        ):
            body = {**CHAT, "model": "m", "stream": True}
            async with http.post(f"{running.url}/v1/chat/completions", json=body) as response:
                assert await response.content.readuntil(b"\n\n") == CONTENT
                running.process.send_signal(signal.SIGTERM)
                await _until_refused(running.url)
                finish.set()
                rest = await response.content.read()
            status, _ = await running.end()

    assert rest == FINISH + DONE
    assert status == 0


async def _until_refused(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except ConnectionError:
                return
            writer.close()
            with suppress(ConnectionError):  # it was waiting to be accepted
                await writer.wait_closed()


async def test_both_tiers_run_apart(tmp_path: Path) -> None:
    keys = {"TRUNKLINE_API_KEYS": "a-key-of-a-client"}
    async with (
        started("router", state=tmp_path, **keys) as router,
        started("edge", state=tmp_path, TRUNKLINE_ROUTER=router.grpc) as edge,
    ):
        assert (await chat(edge.url))[0] == 401
        status, answer = await chat(edge.url, authorization="Bearer a-key-of-a-client")
        assert (status, answer["choices"][0]["message"]["content"]) == (200, "hi")
        assert (await get(edge.url, "/readyz"))[0] == 200

        router.process.send_signal(signal.SIGTERM)
        assert (await router.end())[0] == 0
        status, answer = await chat(edge.url, authorization="Bearer a-key-of-a-client")
        assert (status, answer["error"]["code"]) == (503, "no_healthy_deployment")
        assert (await get(edge.url, "/readyz"))[0] == 503
        assert (await get(edge.url, "/healthz"))[0] == 200

        edge.process.send_signal(signal.SIGTERM)
        assert (await edge.end())[0] == 0


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("serve", "TRUNKLINE_HTTP_PORT"),
        ("serve", "TRUNKLINE_GRPC_PORT"),
        ("router", "TRUNKLINE_GRPC_PORT"),
    ],
)
async def test_a_port_in_use_is_an_error_that_names_the_variable(
    tmp_path: Path, command: str, name: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        status, _, err = await run(command, state=tmp_path, **{name: port})

    assert status == 1
    assert name in err
    assert port in err
    assert "Traceback" not in err


@pytest.mark.parametrize("name", ["TRUNKLINE_HTTP_HOST", "TRUNKLINE_GRPC_HOST"])
async def test_beyond_loopback_without_keys_nothing_starts(tmp_path: Path, name: str) -> None:
    status, _, err = await run("serve", state=tmp_path, **{name: "0.0.0.0"})

    assert status == 1
    assert name in err
    assert "TRUNKLINE_API_KEYS" in err


async def test_an_edge_beyond_loopback_asks_its_router(tmp_path: Path) -> None:
    async with started("router", state=tmp_path) as router:
        status, _, err = await run(
            "edge", state=tmp_path, TRUNKLINE_ROUTER=router.grpc, TRUNKLINE_HTTP_HOST="0.0.0.0"
        )

    assert status == 1
    assert "TRUNKLINE_HTTP_HOST" in err
    assert "TRUNKLINE_API_KEYS" in err


async def test_a_router_alone_can_be_watched_over_http(tmp_path: Path) -> None:
    async with started("router", state=tmp_path, TRUNKLINE_METRICS_PORT="0") as running:
        url = running.url.removesuffix("/metrics")
        assert await get(url, "/readyz") == (200, '{"status": "ok", "degraded": []}')
        assert (await get(url, "/healthz"))[0] == 200
        assert "trunkline_calls_in_flight" in (await get(url, "/metrics"))[1]


async def test_keys_protect_what_the_contract_names(tmp_path: Path) -> None:
    environ = {"TRUNKLINE_API_KEYS": "key-one,key-two", "TRUNKLINE_HTTP_HOST": "0.0.0.0"}
    async with started("serve", state=tmp_path, **environ) as running:
        for path in ("/v1/models", "/v1/models/demo/echo", "/metrics"):
            assert (await get(running.url, path))[0] == 401
            assert (await get(running.url, path, authorization="Bearer key-two"))[0] == 200
        for path in ("/healthz", "/readyz"):
            assert (await get(running.url, path))[0] == 200
        assert (await chat(running.url))[0] == 401
        assert (await chat(running.url, authorization="Bearer nope"))[0] == 401
        assert (await chat(running.url, authorization="Bearer key-one"))[0] == 200


async def test_models_shows_the_list_and_what_is_wrong_with_it(tmp_path: Path) -> None:
    rows = [
        row("good", "/openai/v1/chat/completions"),
        row("bad", "nowhere"),
        {"handle": "/openai/x"},
    ]
    source = write_list(tmp_path / "models.json", rows)

    status, out, _ = await run("models", state=tmp_path, MODEL_LIST_URL=source)

    assert status == 0
    assert "good" in out
    assert "OPENAI_API_KEY" in out
    assert "bad" in out


async def test_check_says_by_its_exit_status_if_a_start_would_succeed(tmp_path: Path) -> None:
    source = write_list(tmp_path / "models.json", [row("good", "/openai/v1/chat/completions")])

    assert (await run("check", state=tmp_path, MODEL_LIST_URL=source))[0] == 0
    assert (await run("check", state=tmp_path))[0] == 0
    missing = await run("check", state=tmp_path, MODEL_LIST_URL=str(tmp_path / "none.json"))
    invalid = await run("check", state=tmp_path, TRUNKLINE_HTTP_PORT="x")
    assert (missing[0], invalid[0]) == (1, 1)
    assert "TRUNKLINE_HTTP_PORT" in invalid[2]


async def test_a_shrunk_list_is_refused_until_it_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "models.json"
    rows = [row(f"m{i}", "/openai/v1/chat/completions") for i in range(10)]
    environ = {"MODEL_LIST_URL": write_list(path, rows), "MODEL_LIST_REFRESH_SECONDS": "0.05"}
    async with started("serve", state=tmp_path / "state", **environ) as running:
        assert await _count(running.url) == 10
    write_list(path, rows[:2])

    refused = await run("models", state=tmp_path / "state", MODEL_LIST_URL=str(path))
    accepted = await run("models", "--accept", state=tmp_path / "state", MODEL_LIST_URL=str(path))
    async with started("serve", state=tmp_path / "state", MODEL_LIST_URL=str(path)) as running:
        assert await _count(running.url) == 2

    assert refused[0] == 1
    assert "accept" in refused[1]
    assert accepted[0] == 0


async def _count(url: str) -> int:
    return len(json.loads((await get(url, "/v1/models"))[1])["data"])
