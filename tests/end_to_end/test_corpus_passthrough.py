"""Recorded OpenAI and Fireworks exchanges through the whole gateway: bytes in, the same bytes out.

A provider replays each recording by the query of its handle; the caller sends the recorded request. The
one exception of the contract: the usage-only chunk that the gateway asked for and the caller did not.
"""

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio

from tests.support.corpus import WHY_SKIPPED, Exchange, exchanges
from tests.support.gateway import Gateway, gateway, row, write_list
from tests.support.upstream import Connection, Request, drip, reply, upstream

RECORDED = {e.id: e for p in ("openai", "fireworks") for e in exchanges(p, "chat")}
ANSWERED = [e for e in RECORDED.values() if e.status == 200]
REFUSED = [e for e in RECORDED.values() if e.status != 200]

pytestmark = pytest.mark.skipif(not RECORDED, reason=WHY_SKIPPED)


async def replay(request: Request, connection: Connection) -> None:
    recorded = RECORDED[parse_qs(urlsplit(request.target).query)["exchange"][0]]
    if recorded.status == 200 and recorded.body.lstrip().startswith((b"data:", b":", b"event:")):
        # In pieces that know nothing of frames.
        pieces = [recorded.body[i : i + 1000] for i in range(0, len(recorded.body), 1000)]
        await drip(*pieces)(request, connection)
    else:
        kept = {n.replace("-", "_"): v for n, v in recorded.headers.items() if n == "retry-after"}
        await reply(recorded.body, recorded.status, **kept)(request, connection)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running(
    tmp_path_factory: pytest.TempPathFactory, channel_kind: str
) -> AsyncIterator[Gateway]:
    path: Path = tmp_path_factory.mktemp("corpus")
    rows = [
        row(f"corpus/{e.id}", f"/{e.provider}/v1/chat/completions?exchange={e.id}")
        for e in RECORDED.values()
    ]
    async with (
        upstream(replay) as provider,
        gateway(
            path,
            {
                "MODEL_LIST_URL": write_list(path / "models.json", rows),
                "UPSTREAM_API_KEY": "canary-of-the-upstream",
                "TRUNKLINE_PROVIDERS__OPENAI__BASE_URL": provider.url,
                "TRUNKLINE_PROVIDERS__FIREWORKS__BASE_URL": provider.url,
            },
        ) as started,
    ):
        yield started


def asked(recorded: Exchange) -> dict[str, Any]:
    body = recorded.request.get("body")
    fields = body if isinstance(body, dict) else {}
    is_stream = recorded.status == 200 and recorded.body.startswith((b"data:", b":", b"event:"))
    return {"messages": [], **fields, "model": f"corpus/{recorded.id}", "stream": is_stream}


def payloads(stream: bytes) -> list[bytes]:
    """Read `data:` payloads in the plainest way, as a reading independent of the gateway's own."""
    text = stream.replace(b"\r\n", b"\n")
    return [
        b"\n".join(
            line[5:].removeprefix(b" ") for line in block.split(b"\n") if line[:5] == b"data:"
        )
        for block in text.split(b"\n\n")
        if b"data:" in block
    ]


def is_usage_alone(payload: bytes) -> bool:
    if payload == b"[DONE]":
        return False
    chunk = json.loads(payload)
    return chunk.get("choices") == [] and bool(chunk.get("usage"))


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("recorded", ANSWERED, ids=str)
async def test_every_answered_exchange_passes_unchanged(
    running: Gateway, recorded: Exchange
) -> None:
    request = asked(recorded)
    status, headers, body = await running.post(request)

    assert status == 200, body
    assert headers["x-trunkline-provider"] == recorded.provider
    if not request["stream"]:
        assert hashlib.sha256(body).digest() == hashlib.sha256(recorded.body).digest()
        return
    expected = payloads(recorded.body)
    asked_usage = (request.get("stream_options") or {}).get("include_usage") is True
    if not asked_usage and recorded.provider == "openai":
        expected = [payload for payload in expected if not is_usage_alone(payload)]
    assert payloads(body) == expected


STATUS_OF = {401: 502, 402: 502, 403: 502, 500: 502, 503: 503, 529: 503, 408: 504, 504: 504}
CODE_OF = {401: "upstream_auth", 402: "upstream_auth", 403: "upstream_auth", 503: "overloaded"}


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("recorded", REFUSED, ids=str)
async def test_every_refused_exchange_follows_the_table_and_keeps_the_words(
    running: Gateway, recorded: Exchange
) -> None:
    status, headers, body = await running.post(asked(recorded))

    error = json.loads(body)["error"]
    said = recorded.body.decode()
    words = json.loads(said) if said.startswith("{") else said
    inner = words.get("error") if isinstance(words, dict) else None
    expected = (
        inner["message"]
        if inner
        else words.get("_exception_text", words)
        if isinstance(words, dict)
        else words
    )
    assert status == STATUS_OF.get(recorded.status, recorded.status)
    assert error["message"] == expected
    assert {"message", "type", "param", "code"} <= error.keys()
    if recorded.status in CODE_OF:
        assert (error["type"], error["code"]) == ("api_error", CODE_OF[recorded.status])
    elif inner:
        assert {key: error[key] for key in inner} == inner
    assert ("retry-after" in headers) == (status in (429, 503))


def test_the_corpus_is_as_large_as_the_index_says() -> None:
    assert len(ANSWERED) >= 187 + 7
    assert len(REFUSED) >= 36
