"""The typed chat service: the same answers as over HTTP, and never a credential of ours."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
import yaml

from tests.support.one_provider import (
    ANTHROPIC,
    CONTENT,
    DONE,
    FINISH,
    ROLE,
    content,
    event,
    request,
    running,
)
from tests.support.typed import (
    Failed,
    Stubs,
    everything,
    failure_of,
    streamed,
    stubs,
    unary,
    until_failure,
)
from tests.support.upstream import Connection, Request, Script, drip, reply, upstream

SECRETS = [
    ("plain-canary-key", "plain-canary-value"),
    ('quo"ted"canary', 'quo"ted"value/x'),
    ("slash/ed/canary==", "back\\slash/value"),
    ('all/of"them\\canary', 'all/of"them\\value'),
]


@asynccontextmanager
async def echoing(tmp_path: Path, secrets: tuple[str, str], script: Script) -> AsyncIterator[Stubs]:
    """Give a client of a gateway that sends a key and a configured header to its provider."""
    key, value = secrets
    config = tmp_path / "trunkline.yaml"
    headers = {"x-account": value}
    config.write_text(yaml.safe_dump({"providers": {"openai": {"headers": headers}}}))
    environ = {"TRUNKLINE_CONFIG": str(config), "OPENAI_API_KEY": key}
    async with (
        running(tmp_path, script, **environ) as (started, provider),
        stubs(started.grpc) as client,
    ):
        yield client
    assert provider.requests[0].headers["authorization"] == f"Bearer {key}"
    assert provider.requests[0].headers["x-account"] == value


def spellings(secrets: tuple[str, str]) -> str:
    """Return what a provider could echo, as it stands inside a JSON string."""
    plain = "; ".join(f"key {secret}" for secret in secrets)
    in_json = json.dumps(plain)[1:-1]
    return in_json + " and " + in_json.replace("/", "\\/")


def has_none(text: str, secrets: tuple[str, str]) -> bool:
    spelt = {form for s in secrets for form in (s, json.dumps(s)[1:-1], repr(s)[1:-1])}
    spelt |= {form.replace("/", "\\/") for form in spelt}
    return "***" in text and not any(form in text for form in spelt)


@pytest.mark.parametrize("secrets", SECRETS, ids=["plain", "quotes", "slashes", "all"])
async def test_a_whole_answer_shows_no_credential(tmp_path: Path, secrets: tuple[str, str]) -> None:
    said = spellings(secrets)
    body = (
        f'{{"id":"{said}","choices":[{{"index":0,"message":{{"content":"{said}"}}}}],"x":"{said}"}}'
    )
    async with echoing(tmp_path, secrets, reply(body.encode())) as client:
        answer = (await client.chat.CreateChatCompletion(unary())).completion

    for text in (answer.id, answer.choices[0].message.content, answer.extra_json):
        assert has_none(text, secrets)


@pytest.mark.parametrize("secrets", SECRETS, ids=["plain", "quotes", "slashes", "all"])
async def test_a_chunk_shows_no_credential(tmp_path: Path, secrets: tuple[str, str]) -> None:
    said = spellings(secrets)
    chunk = f'data: {{"choices":[{{"index":0,"delta":{{"content":"{said}"}}}}],"x":"{said}"}}\n\n'
    script = drip(chunk.encode(), FINISH, DONE)
    async with echoing(tmp_path, secrets, script) as client:
        chunks = await everything(client.chat.StreamChatCompletion(streamed()))

    assert has_none(chunks[0].chunk.choices[0].delta.content, secrets)
    assert has_none(chunks[0].chunk.extra_json, secrets)


def refusals(said: str) -> dict[str, bytes]:
    named = f'"param":"{said}","code":"{said}"'
    return {
        "shaped": f'{{"error":{{"message":"m {said}","type":"t",{named}}}}}'.encode(),
        "incomplete": f'{{"error":{{"message":"m {said}","code":"{said}"}}}}'.encode(),
        "bare": f'{{"detail":"m {said}"}}'.encode(),
        "long": f'{{"detail":"{"x" * 3980} {said}"}}'.encode(),
        "unknown": f'{{"a":1,"b":["m {said}"]}}'.encode(),
    }


@pytest.mark.parametrize("shape", refusals(""))
@pytest.mark.parametrize("secrets", SECRETS, ids=["plain", "quotes", "slashes", "all"])
async def test_a_refusal_shows_no_credential(
    tmp_path: Path, secrets: tuple[str, str], shape: str
) -> None:
    body = refusals(spellings(secrets))[shape]
    async with echoing(tmp_path, secrets, reply(body, 400)) as client:
        whole = await failure_of(client.chat.CreateChatCompletion(unary()))
        _, parts = await until_failure(client.chat.StreamChatCompletion(streamed()))

    for failed in (whole, parts):
        assert failed.info.reason == "UPSTREAM_REJECTED"
        assert has_none(failed.everything + "***", secrets)
        assert "canary" not in failed.everything


@pytest.mark.parametrize("secrets", SECRETS, ids=["plain", "quotes", "slashes", "all"])
@pytest.mark.parametrize("before", [(), (ROLE,), (ROLE, CONTENT), (ROLE, CONTENT, FINISH)])
@pytest.mark.parametrize("kind", ["server_error", "invalid_request_error"])
async def test_an_error_frame_shows_no_credential_wherever_it_stands(
    tmp_path: Path, secrets: tuple[str, str], before: tuple[bytes, ...], kind: str
) -> None:
    said = spellings(secrets)
    error = f'"message":"m {said}","type":"{kind}","param":"{said}","code":"{said}"'
    script = drip(*before, f'data: {{"error":{{{error}}}}}\n\n'.encode(), DONE)
    async with echoing(tmp_path, secrets, script) as client:
        seen, failed = await until_failure(client.chat.StreamChatCompletion(streamed()))

    assert len(seen) == (len(before) if CONTENT in before else 0)
    assert failed.message.startswith("m key ***")
    assert failed.message == failed.details.message
    assert has_none(failed.everything, secrets)
    if kind == "invalid_request_error":
        assert has_none(failed.info.metadata["param"], secrets)
        assert has_none(failed.info.metadata["code"], secrets)


async def test_a_key_that_an_anthropic_provider_echoes_is_not_shown_either(tmp_path: Path) -> None:
    async def echo(request: Request, connection: Connection) -> None:
        error = {"type": "invalid_request_error", "message": f"bad {request.headers['x-api-key']}"}
        await reply({"type": "error", "error": error}, 400)(request, connection)

    key = 'all/of"them\\canary'
    async with (
        running(tmp_path, echo, handle=ANTHROPIC, ANTHROPIC_API_KEY=key) as (started, _),
        stubs(started.grpc) as client,
    ):
        failed = await failure_of(client.chat.CreateChatCompletion(unary()))

    assert failed.message == "bad ***"


async def test_a_typed_call_sends_what_a_call_over_http_sends(tmp_path: Path) -> None:
    script = reply({"id": "a", "choices": []})
    async with running(tmp_path, script) as (started, provider), stubs(started.grpc) as client:
        await started.post(request(temperature=0.5, user="u"))
        await client.chat.CreateChatCompletion(unary(temperature=0.5, extra_json='{"user":"u"}'))

    by_http, by_grpc = (sent.fields for sent in provider.requests)
    assert by_http.pop("stream") is False
    assert by_grpc == by_http
    assert provider.requests[0].headers == {
        **provider.requests[1].headers,
        "content-length": provider.requests[0].headers["content-length"],
    }


async def test_a_typed_stream_gives_each_chunk_apart_and_no_end_mark(tmp_path: Path) -> None:
    usage = event(choices=[], usage={"prompt_tokens": 3, "completion_tokens": 4})
    script = drip(ROLE + content("a") + content("b"), FINISH + usage + DONE)
    async with running(tmp_path, script) as (started, provider), stubs(started.grpc) as client:
        hidden = await everything(client.chat.StreamChatCompletion(streamed()))
        extra = '{"stream_options":{"include_usage":true}}'
        asked = await everything(client.chat.StreamChatCompletion(streamed(extra_json=extra)))

    assert [m.chunk.choices[0].delta.content for m in hidden] == ["", "a", "b", ""]
    assert len(asked) == 5
    assert asked[-1].chunk.usage.completion_tokens == 4
    assert all(sent.fields["stream"] is True for sent in provider.requests)


@pytest.mark.parametrize("extra", ['{"stream":true}', "{", "[]", '{"model":"x"}', '{"a":NaN}'])
async def test_extra_json_that_cannot_be_sent_is_refused_and_named(
    tmp_path: Path, extra: str
) -> None:
    async with running(tmp_path, reply({})) as (started, provider), stubs(started.grpc) as client:
        call = client.chat.CreateChatCompletion(unary(extra_json=extra))
        failed: Failed = await failure_of(call)

    assert (failed.code, failed.info.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
    )
    assert failed.info.metadata["param"].startswith("extra_json")
    assert provider.requests == []


async def test_a_provider_that_is_not_there_is_told_as_unavailable(tmp_path: Path) -> None:
    async with upstream(reply({})) as gone:
        url = gone.url
    environ = {"TRUNKLINE_PROVIDERS__OPENAI__BASE_URL": url}
    async with (
        running(tmp_path, reply({}), **environ) as (started, _),
        stubs(started.grpc) as client,
    ):
        failed = await failure_of(client.chat.CreateChatCompletion(unary()))

    assert (failed.code, failed.info.reason) == (
        grpc.StatusCode.UNAVAILABLE,
        "UPSTREAM_UNAVAILABLE",
    )
