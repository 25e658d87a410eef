"""The suite of the OpenAI dialect: what a vendor says reaches the caller byte for byte, and back."""

import hashlib
import html
import json
import re
from functools import cache
from typing import Any, Final

from router.providers.openai import OpenAIExchange
from router.providers.presets import PRESETS
from router.values import Deployment, Dialect, Endpoint, Provider, Secret, Usage
from router.wire.chat_request import ChatRequest
from tests.conformance.kit.refusals import assert_by_the_table, words_in
from tests.conformance.kit.split import Make, outcome
from tests.conformance.kit.suite import Suite, general_reason, is_streamed
from tests.support.corpus import Exchange

PRESET_OF: Final = {
    "vercel_gateway": "vercel",
    "github_models": "github",
    "alibaba": "dashscope",
}
"""Names of presets where the corpus calls a provider otherwise."""

LISTED: Final = "listed"
CREATED: Final = 1_700_000_000


@cache
def deployment(provider: str, path: str, model: str) -> Deployment:
    """A row of the list for a recorded exchange; quirks are those of the provider's preset."""
    preset = PRESETS.get(PRESET_OF.get(provider, provider))
    return Deployment(
        model=LISTED,
        upstream_model=model,
        provider=Provider(
            provider,
            "http://provider.test",
            api_key=Secret("key-of-ours"),
            volunteers_usage=bool(preset and preset.volunteers_usage),
        ),
        dialect=Dialect.OPENAI,
        endpoint=Endpoint.CHAT,
        path=path,
    )


def asked_of(recorded: Exchange) -> dict[str, Any]:
    """The recorded request, for the listed model; a plain one where none was recorded."""
    plain = {"messages": [{"role": "user", "content": "Hi"}]}
    return {**plain, **recorded.asked, "model": LISTED, "stream": is_streamed(recorded)}


def exchange_of(recorded: Exchange) -> OpenAIExchange:
    """The gateway's own exchange for a recording."""
    request = ChatRequest.parse(json.dumps(asked_of(recorded)).encode(), CREATED)
    model = recorded.asked.get("model") or recorded.model or "unnamed"
    return OpenAIExchange(request, deployment(recorded.provider, recorded.path, str(model)))


def payloads(stream: bytes) -> list[bytes]:
    """Read `data:` payloads in the plainest way, apart from the gateway's own decoder."""
    text = stream.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    events = (
        [line for line in e.split(b"\n") if line[:5] == b"data:"] for e in text.split(b"\n\n")
    )
    found = (b"\n".join(line[5:].removeprefix(b" ") for line in lines) for lines in events if lines)
    return [payload for payload in found if payload]


IN_EVERY_CHUNK: Final = frozenset({
    "id", "object", "created", "model", "choices", "usage",
    "system_fingerprint", "service_tier", "obfuscation",
})  # fmt: skip


def is_usage_alone(payload: bytes) -> bool:
    """Whether this is the chunk that `include_usage` asks for: no choices, usage, nothing else."""
    chunk = json.loads(payload)
    others = [value for key, value in chunk.items() if key not in IN_EVERY_CHUNK]
    return chunk.get("choices") == [] and bool(chunk.get("usage")) and not any(others)


def hides_usage(recorded: Exchange) -> bool:
    """Whether usage was asked for by the gateway alone: the contract's one exception."""
    asked = asked_of(recorded)
    wanted = (asked.get("stream_options") or {}).get("include_usage") is True
    preset = PRESETS.get(PRESET_OF.get(recorded.provider, recorded.provider))
    return not wanted and not (preset and preset.volunteers_usage)


def decode(recorded: Exchange) -> None:
    """See `Check.DECODE`."""
    if recorded.status != 200:
        _decode_error(recorded)
    elif is_streamed(recorded):
        _decode_stream(recorded)
    else:
        completion = exchange_of(recorded).decode_response(recorded.body)
        assert _hash(completion.body) == _hash(recorded.body)
        assert_usage(completion.usage, json.loads(recorded.body).get("usage"))


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _decode_stream(recorded: Exchange) -> None:
    exchange = exchange_of(recorded)
    frames, done, usage, failure, is_told = outcome(exchange.stream_decoder, [recorded.body])
    said = payloads(recorded.body)
    marks = [i for i, payload in enumerate(said) if payload.rstrip() == b"[DONE]"]
    said = said[: marks[0]] if marks else said
    chunks = [json.loads(payload) for payload in said]
    errors = [chunk for chunk in chunks if chunk.get("error")]
    if errors and not any(_generates(chunk) for chunk in chunks[: chunks.index(errors[0])]):
        assert failure is not None
        assert not done
        assert failure[1] in words_in(errors[0])
        return
    kept = [p for p in said if not (hides_usage(recorded) and is_usage_alone(p))]
    assert _hash(b"\n".join(f.payload for f in frames)) == _hash(b"\n".join(kept))
    assert done == bool(marks)
    if errors:
        assert failure is not None
        assert is_told
        return
    assert (failure is None) == (bool(marks) or _is_finished(chunks))
    stated = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
    assert_usage(usage, stated[-1] if stated else None)


def _generates(chunk: dict[str, Any]) -> bool:
    """Whether a chunk carries anything generated, or a reason to end."""
    return any(
        choice.get("finish_reason") is not None
        or any(value for key, value in (choice.get("delta") or {}).items() if key != "role")
        for choice in chunk.get("choices") or []
    )


def _is_finished(chunks: list[dict[str, Any]]) -> bool:
    """Whether every choice that was seen has its `finish_reason`."""
    choices = [choice for chunk in chunks for choice in chunk.get("choices") or []]
    seen = {choice.get("index") or 0 for choice in choices}
    ended = {choice.get("index") or 0 for choice in choices if choice.get("finish_reason")}
    return bool(seen) and seen == ended


def assert_usage(read: Usage | None, stated: dict[str, Any] | None) -> None:
    """The usage that is billed is the one that stands in the answer."""
    if not stated:
        assert read is None
        return
    assert read is not None
    assert read.prompt_tokens == int(stated.get("prompt_tokens") or 0)
    assert read.completion_tokens == int(stated.get("completion_tokens") or 0)
    prompt = stated.get("prompt_tokens_details") or {}
    completion = stated.get("completion_tokens_details") or {}
    assert read.cached_tokens == int(prompt.get("cached_tokens") or 0)
    assert read.reasoning_tokens == int(completion.get("reasoning_tokens") or 0)


def _decode_error(recorded: Exchange) -> None:
    exchange = exchange_of(recorded)
    error = exchange.decode_error(recorded.status, recorded.headers, recorded.body)
    assert_by_the_table(error, recorded.status, recorded.headers)
    try:
        said = json.loads(recorded.body)
    except ValueError:
        said = recorded.body.decode()
    inner = said.get("error") if isinstance(said, dict) else None
    if isinstance(inner, dict) and isinstance(inner.get("message"), str):
        assert error.message == inner["message"]
        whole = json.loads(error.body)["error"] if error.body else {}
        assert {key: whole[key] for key in inner} == inner if whole else not whole
        assert not whole or {"message", "type", "param", "code"} <= whole.keys()
    else:
        told = _folded(error.message)
        assert told
        assert any(told in _folded(text) or _folded(text) in told for text in words_in(said))


def _folded(text: str) -> str:
    """A text as it reads: no markup, white space folded."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def round_trip(recorded: Exchange) -> None:
    """See `Check.ROUND_TRIP`: of what the caller sent only the model is changed, and usage asked for."""
    sent = json.loads(exchange_of(recorded).http.body)
    expected = {**asked_of(recorded), "model": recorded.asked.get("model") or recorded.model}
    if expected["stream"] and hides_usage(recorded):
        options = expected.get("stream_options") or {}
        expected["stream_options"] = {**options, "include_usage": True}
    assert sent == expected


def decoder_of(recorded: Exchange) -> Make:
    """See `Suite.decoder_of`."""
    return exchange_of(recorded).stream_decoder


OPENAI: Final = Suite("OpenAI", decode, round_trip, decoder_of, general_reason)
