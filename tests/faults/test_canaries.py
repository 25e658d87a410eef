"""What must not cross the gateway does not, in either direction, and none of it is ever logged.

Each secret is a canary of its own. A gateway in a process of its own, as talkative as it can be, goes through
successes, errors, streams, broken answers and crashes; then everything that it sent or printed is searched.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from tests.support.gateway import row
from tests.support.one_provider import ANTHROPIC, CONTENT, DONE, FINISH, OPENAI, ROLE
from tests.support.process import PATIENCE, Running, environment, launched
from tests.support.upstream import (
    Connection,
    Request,
    Script,
    Upstream,
    drip,
    hang,
    hang_up,
    reply,
    reset,
    upstream,
)
from tests.support.wire import eventually

CLIENT_KEY = "canary-client-key"
CLIENT = {
    "authorization": f"Bearer {CLIENT_KEY}",
    "cookie": "session=canary-client-cookie",
    "x-api-key": "canary-client-other-key",
    "proxy-authorization": "Basic canary-client-proxy",
    "x-goog-api-key": "canary-client-google",
    "x-forwarded-for": "canary-client-address",
    "referer": "http://canary-client-page",
    "user-agent": "canary-client-agent",
    "x-anything": "canary-client-header",
    "openai-organization": "canary-client-organization",
}
PROVIDER_KEYS = {"openai": "canary-key-openai", "anthropic": "canary-key-anthropic"}
CONFIGURED = "canary-configured-header"
LIST_CREDENTIAL = "canary-list-authorization"
LIST_QUERY = "canary-list-query"
UPSTREAM = {
    "set-cookie": "id=canary-upstream-cookie",
    "server": "canary-upstream-server",
    "x-ratelimit-remaining": "canary-upstream-limit",
    "openai-organization": "canary-upstream-organization",
    "www-authenticate": "Bearer realm=canary-upstream-realm",
    "location": "http://canary-upstream-place",
    "x-request-id": "canary-upstream-id",
    "x-trunkline-provider": "canary-upstream-provider",
    "access-control-allow-origin": "https://canary-upstream-origin",
}
SAID = "canary-said-by-the-user"

OURS = (*PROVIDER_KEYS.values(), CONFIGURED, LIST_CREDENTIAL, LIST_QUERY)
"""What belongs to the gateway, and to no client."""


def with_canaries(script: Script) -> Script:
    """Answer as `script` does, with headers that are for us alone."""

    async def answer(request: Request, connection: Connection) -> None:
        send, lines = connection.raw, "".join(f"{k}: {v}\r\n" for k, v in UPSTREAM.items())

        async def raw(data: bytes) -> None:
            first, separator, rest = data.partition(b"\r\n")
            is_head = first.startswith(b"HTTP/1.1 ")
            await send(first + separator + lines.encode() + rest if is_head else data)

        connection.raw = raw  # type: ignore[method-assign]
        await script(request, connection)

    return answer


async def echo(request: Request, connection: Connection) -> None:
    """Refuse, and tell all that was received, as careless providers do."""
    error = {"message": f"bad: {dict(request.headers)}", "type": "t", "param": None, "code": "c"}
    await reply({"error": error}, 401)(request, connection)


async def nonsense(request: Request, connection: Connection) -> None:
    await connection.raw(b"HTTP/1.1 two hundred\r\nx: canary-upstream-nonsense\r\n\r\n")
    connection.reset()


async def echo_late(request: Request, connection: Connection) -> None:
    """Fail in mid-stream, as careless."""
    error = {"message": f"bad: {dict(request.headers)}", "type": "t", "param": None, "code": "c"}
    frame = b"data: " + json.dumps({"error": error}).encode() + b"\n\n"
    await drip(ROLE, CONTENT, frame)(request, connection)


SCRIPTS: dict[str, Script] = {
    "a success": reply({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}),
    "a stream": drip(ROLE, CONTENT, FINISH, DONE),
    "a refusal that echoes": echo,
    "a rate limit": reply({"error": {"message": "slow"}}, 429),
    "a failure": reply(b"<html>sorry</html>", 500, content_type="text/html"),
    "a redirect": reply(b"", 302),
    "a stream that breaks off": drip(ROLE, CONTENT, then=hang_up),
    "a stream that is reset": drip(ROLE, CONTENT, then=reset),
    "a stream that fails": echo_late,
    "no answer": reset,
    "no HTTP": nonsense,
    "a bad encoding": reply(b"canary-upstream-zip", content_encoding="gzip"),
    "silence": hang,
}


@dataclass
class Told:
    """All that clients were answered."""

    statuses: set[int] = field(default_factory=set)
    text: str = ""


@dataclass
class Scene:
    """A gateway in a process of its own between a list source, a provider and its clients."""

    running: Running
    provider: Upstream
    source: Upstream
    told: Told = field(default_factory=Told)

    async def ask(self, model: str, *, stream: bool, **headers: str) -> None:
        body = {"model": model, "messages": [{"role": "user", "content": SAID}], "stream": stream}
        query = "?api_key=canary-client-query"
        async with (
            aiohttp.ClientSession() as http,
            http.post(
                f"{self.running.url}/v1/chat/completions{query}",
                json=body,
                headers={**CLIENT, "x-trunkline-timeout": "5", **headers},
            ) as response,
        ):
            self.told.statuses.add(response.status)
            try:
                content = await response.read()
            except aiohttp.ClientPayloadError:
                content = b""
            self.told.text += f"{response.status} {dict(response.headers)}\n{content.decode()}\n"

    async def get(self, path: str, **headers: str) -> None:
        async with (
            aiohttp.ClientSession() as http,
            http.get(self.running.url + path, headers={**CLIENT, **headers}) as response,
        ):
            self.told.statuses.add(response.status)
            text = await response.text()
            self.told.text += f"{response.status} {dict(response.headers)}\n{text}\n"

    async def end(self) -> str:
        """Stop the gateway; return all that it printed."""
        self.running.process.terminate()
        out, err = await asyncio.wait_for(self.running.process.communicate(), PATIENCE)
        assert self.running.process.returncode == 0
        return self.running.banner + out.decode() + err.decode()


ROWS = [row("open", OPENAI), row("anthropic", ANTHROPIC)]
LIST = reply(json.dumps(ROWS).encode(), set_cookie="canary-upstream-list-cookie")
COMMAND = ("-c", "from launch.cli import main; main()", "serve")


@asynccontextmanager
async def scene(tmp_path: Path, *command: str, level: str = "debug") -> AsyncIterator[Scene]:
    async with upstream(SCRIPTS["a success"]) as provider, upstream(LIST) as source:
        settings = {
            name: {"base_url": provider.url, "headers": {"x-tenant": CONFIGURED}}
            for name in PROVIDER_KEYS
        }
        file = tmp_path / "trunkline.yaml"
        file.write_text(json.dumps({"providers": settings}))  # JSON is YAML
        environ = environment(
            tmp_path,
            TRUNKLINE_CONFIG=str(file),
            TRUNKLINE_API_KEYS=CLIENT_KEY,
            TRUNKLINE_LOG_LEVEL=level,
            TRUNKLINE_CORS_ORIGINS="https://page.example",
            MODEL_LIST_URL=f"{source.url}/models.json?token={LIST_QUERY}",
            MODEL_LIST_AUTHORIZATION=f"Bearer {LIST_CREDENTIAL}",
            MODEL_LIST_REFRESH_SECONDS="0.1",
            OPENAI_API_KEY=PROVIDER_KEYS["openai"],
            ANTHROPIC_API_KEY=PROVIDER_KEYS["anthropic"],
        )
        arguments = (sys.executable, *(command or COMMAND))
        async with launched(arguments, r"curl .*\n", environ) as running:
            yield Scene(running, provider, source)


def sent_to(side: Upstream) -> str:
    return "".join(f"{r.method} {r.target} {r.headers} {r.body.decode()}\n" for r in side.requests)


def found(text: str, *canaries: str) -> list[str]:
    """Which of these words a text holds, with what stands around the first one of each."""
    places = [(text.find(canary), canary) for canary in canaries]
    return [text[max(0, at - 100) : at + 60] for at, canary in places if at >= 0]


async def test_no_secret_crosses_the_gateway_and_none_is_logged(tmp_path: Path) -> None:
    async with scene(tmp_path) as played:
        for script in SCRIPTS.values():
            played.provider.script = with_canaries(script)
            for model in ("open", "anthropic"):
                timeout = "0.5" if script is hang else "5"
                for stream in (False, True):
                    await played.ask(model, stream=stream, **{"x-trunkline-timeout": timeout})
        await played.ask("open", stream=False, authorization="Bearer canary-wrong-key")
        await played.ask("open", stream=False, **{"content-encoding": "canary-client-encoding"})
        await played.ask("no-such-model", stream=True)
        for path in ("/v1/models", "/v1/models/open", "/metrics", "/readyz", "/nowhere?k=canary-q"):
            await played.get(path, origin="https://canary-client-origin")
        for answer in (reply(b"canary-list-body"), reply(b"", 401), reset, nonsense):
            played.source.script = answer
            seen = len(played.source.requests)
            await eventually(lambda seen=seen: len(played.source.requests) > seen + 1)  # type: ignore[misc]
        printed = await played.end()

    to_provider, to_source = sent_to(played.provider), sent_to(played.source)
    assert len(played.provider.requests) >= 4 * (len(SCRIPTS) - 1)
    assert {200, 401, 404, 415, 429, 502, 504} <= played.told.statuses
    assert PROVIDER_KEYS["openai"] in to_provider
    assert CONFIGURED in to_provider
    assert LIST_CREDENTIAL in to_source

    assert found(to_provider, "canary-client", "canary-list", "canary-wrong", CLIENT_KEY) == []
    assert found(to_source, "canary-client", "canary-key", CONFIGURED) == []
    assert found(played.told.text, "canary-upstream", CLIENT_KEY, *OURS) == []
    assert "call_ended" in printed
    assert found(printed, "canary") == []


async def test_each_provider_gets_its_own_key_and_no_other(tmp_path: Path) -> None:
    async with scene(tmp_path) as played:
        for model in ("open", "anthropic"):
            await played.ask(model, stream=False)

    headers = {asked.target: str(asked.headers) for asked in played.provider.requests}
    by_openai, by_anthropic = headers["/v1/chat/completions"], headers["/v1/messages"]
    assert PROVIDER_KEYS["openai"] in by_openai
    assert found(by_openai, PROVIDER_KEYS["anthropic"]) == []
    assert PROVIDER_KEYS["anthropic"] in by_anthropic
    assert found(by_anthropic, PROVIDER_KEYS["openai"]) == []


CRASH = """
import sys
from router.transport.http import AiohttpTransport

send_well = AiohttpTransport.send

def send(self, request, *, connect_timeout):
    if request.method == "GET":
        return send_well(self, request, connect_timeout=connect_timeout)
    held, headers = request, dict(request.headers)
    raise RuntimeError({words})

AiohttpTransport.send = send
from launch.cli import main
main()
"""


@pytest.mark.parametrize("words", ['"burst"', 'f"burst with {headers} and {held.url}"'])
async def test_a_crash_tells_its_place_in_the_log_and_no_secret(tmp_path: Path, words: str) -> None:
    async with scene(tmp_path, "-c", CRASH.replace("{words}", words), "serve") as played:
        for stream in (False, True):
            await played.ask("open", stream=stream)
        printed = await played.end()

    assert played.told.statuses == {500}
    assert found(played.told.text, "canary", "burst", "Traceback") == []
    assert "burst" in printed
    assert found(printed, "canary") == []
