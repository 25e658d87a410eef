"""Trouble before the first content is routed around; after it, it is told as it is."""

import asyncio
import json
from pathlib import Path

import grpc
import pytest

from tests.faults.places import KEYS, places
from tests.support.gateway import MESSAGES
from tests.support.one_provider import CONTENT, DONE, FINISH, PATIENCE, ROLE, error_of, request
from tests.support.typed import failure_of, streamed, stubs, unary, until_failure
from tests.support.upstream import (
    Connection,
    Request,
    Script,
    drip,
    garbage,
    hang,
    hang_up,
    in_turn,
    reply,
    reset,
    truncated,
)

WHOLE = reply({"id": "whole", "choices": [{"index": 0, "message": {"content": "hi"}}]})
STREAM = drip(ROLE, CONTENT, FINISH, DONE)
DOWN = reply({"error": {"message": "down"}}, 500)
BUSY = reply({"error": {"message": "busy"}}, 503)
REFUSED = reply({"error": {"message": "no", "type": "t", "param": None, "code": "c"}}, 400)
LIMITED = reply({"error": {"message": "slow down"}}, 429, retry_after="30")


async def broken_frame(_: Request, connection: Connection) -> None:
    """Send a frame that is no JSON in an answer that has begun."""
    await connection.chunk(b"data: {\n\n")
    await connection.end()


async def half_told(_: Request, connection: Connection) -> None:
    """Fail with a body that does not come to its end."""
    await connection.raw(b"HTTP/1.1 500 Scripted\r\ncontent-length: 1000\r\n\r\n{")
    await connection.closed_by_peer()


def too_long(code: str = "context_length_exceeded") -> Script:
    error = {"message": code, "type": "invalid_request_error", "param": "messages", "code": code}
    return reply({"error": error}, 400)


TROUBLES: dict[str, Script] = {
    "500": DOWN,
    "502": reply(b"<html>", 502, content_type="text/html"),
    "503": BUSY,
    "504": reply({"error": {"message": "late"}}, 504),
    "529": reply({"error": {"message": "full"}}, 529),
    "408": reply({"error": {"message": "late"}}, 408),
    "reset": reset,
    "hang up": hang_up,
    "garbage": garbage(),
    "cut": truncated(b'{"choices":', 1000),
    "no JSON": reply(b"{"),
    "redirect": reply(b"", 302, location="/x"),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
async def test_a_trouble_that_passes_is_not_seen_by_the_caller(
    tmp_path: Path, trouble: Script, *, stream: bool
) -> None:
    good = STREAM if stream else WHOLE
    async with places(tmp_path, {"a": in_turn(trouble, trouble, good)}) as made:
        status, headers, body = await made.gateway.post(request(stream=stream))

    assert (status, headers["x-trunkline-attempts"]) == (200, "3")
    assert made.counts() == {"a": 3}
    assert (body.count(b'"hi"'), body.count(b"[DONE]")) == (1, int(stream))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
async def test_the_next_deployment_is_asked_before_the_same_one_again(
    tmp_path: Path, trouble: Script, *, stream: bool
) -> None:
    good = STREAM if stream else WHOLE
    async with places(tmp_path, {"a": trouble, "b": good}) as made:
        status, headers, _ = await made.gateway.post(request(stream=stream))

    assert (status, headers["x-trunkline-attempts"]) == (200, "2")
    assert headers["x-trunkline-provider"] == "b"
    assert headers["x-trunkline-upstream-model"] == "m-at-b"
    assert made.counts() == {"a": 1, "b": 1}


@pytest.mark.parametrize(("retries", "attempts"), [("0", 1), ("1", 2), ("4", 5)])
async def test_retries_are_as_many_as_configured(
    tmp_path: Path, retries: str, attempts: int
) -> None:
    async with places(tmp_path, {"a": DOWN}, TRUNKLINE_RETRIES=retries) as made:
        status, headers, body = await made.gateway.post(request())

    assert (status, error_of(body)["message"]) == (502, "down")
    assert headers["x-trunkline-attempts"] == str(attempts)
    assert made.counts() == {"a": attempts}


async def test_the_callers_fault_is_asked_of_nobody_else(tmp_path: Path) -> None:
    async with places(tmp_path, {"a": REFUSED, "b": WHOLE}) as made:
        status, headers, body = await made.gateway.post(request())

    assert (status, error_of(body)["code"], headers["x-trunkline-attempts"]) == (400, "c", "1")
    assert made.counts() == {"a": 1, "b": 0}


@pytest.mark.parametrize("end", [hang_up, reset, broken_frame])
async def test_after_the_first_content_nobody_else_is_asked(tmp_path: Path, end: Script) -> None:
    async with places(tmp_path, {"a": drip(ROLE, CONTENT, then=end), "b": STREAM}) as made:
        status, _, body = await made.gateway.post(request(stream=True))

    frames = [part.removeprefix(b"data: ") for part in body.split(b"\n\n") if part]
    assert status == 200
    assert "error" in json.loads(frames[-1])
    assert (body.count(b'"hi"'), body.count(b"[DONE]")) == (1, 0)
    assert made.counts() == {"a": 1, "b": 0}


@pytest.mark.parametrize("held", [ROLE, ROLE * 64, b": comment\n\n"])
async def test_what_was_held_back_of_a_failed_attempt_is_dropped(
    tmp_path: Path, held: bytes
) -> None:
    async with places(tmp_path, {"a": drip(held, then=reset), "b": STREAM}) as made:
        status, headers, body = await made.gateway.post(request(stream=True))

    assert (status, headers["x-trunkline-provider"]) == (200, "b")
    assert body == ROLE + CONTENT + FINISH + DONE


async def test_a_stream_that_sends_too_much_without_content_is_committed(tmp_path: Path) -> None:
    scripts = {"a": drip(ROLE * 65, then=reset), "b": STREAM}
    async with places(tmp_path, scripts) as made:
        status, _, body = await made.gateway.post(request(stream=True))

    assert (status, body.count(ROLE)) == (200, 65)
    assert b"upstream_truncated" in body
    assert made.counts() == {"a": 1, "b": 0}


async def test_a_stream_without_content_in_time_goes_elsewhere_and_else_is_a_timeout(
    tmp_path: Path,
) -> None:
    silent = drip(ROLE, then=hang)
    config = {"timeouts": {"first_token": 0.3}}
    async with places(tmp_path, {"a": silent, "b": STREAM}, config=config) as made:
        other = await made.gateway.post(request(stream=True))
    async with places(tmp_path, {"a": silent}, config=config) as alone:
        status, _, body = await alone.gateway.post(request(stream=True))

    assert (other[0], other[1]["x-trunkline-provider"]) == (200, "b")
    assert (status, error_of(body)["code"]) == (504, "timeout")
    assert alone.counts() == {"a": 1}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_failure_whose_words_do_not_come_is_routed_around(
    tmp_path: Path, *, stream: bool
) -> None:
    good = STREAM if stream else WHOLE
    async with places(tmp_path, {"a": half_told, "b": good}) as made:
        status, headers, _ = await made.gateway.post(
            request(stream=stream), x_trunkline_timeout=str(PATIENCE)
        )

    assert (status, headers["x-trunkline-provider"]) == (200, "b")


async def test_one_deadline_bounds_all_attempts(tmp_path: Path) -> None:
    async with places(tmp_path, {"a": DOWN, "b": hang, "c": WHOLE}) as made:
        status, _, body = await made.gateway.post(request(), x_trunkline_timeout="0.5")
        await asyncio.wait_for(made.at["b"].left.wait(), PATIENCE)

    assert (status, error_of(body)["code"]) == (504, "timeout")
    assert made.counts() == {"a": 1, "b": 1, "c": 0}


async def test_a_short_retry_after_is_waited_out_and_a_long_one_is_told(tmp_path: Path) -> None:
    short = reply({"error": {"message": "slow down"}}, 429, retry_after_ms="10")
    async with places(tmp_path, {"a": in_turn(short, WHOLE)}) as patient:
        waited = await patient.gateway.post(request())
    async with places(tmp_path, {"a": LIMITED}) as made:
        status, headers, body = await made.gateway.post(request())

    assert (waited[0], waited[1]["x-trunkline-attempts"]) == (200, "2")
    assert (status, headers["retry-after"], headers["x-trunkline-attempts"]) == (429, "30", "1")
    assert error_of(body)["code"] == "rate_limit_exceeded"


async def test_the_first_targets_failure_is_told_and_is_said_to_be_its(tmp_path: Path) -> None:
    refused = reply({"error": {"message": "bad key"}}, 401)
    async with places(tmp_path, {"a": LIMITED, "b": refused}) as made:
        status, headers, body = await made.gateway.post(request())

    assert (status, headers["retry-after"]) == (429, "30")
    assert (headers["x-trunkline-provider"], headers["x-trunkline-attempts"]) == ("a", "2")
    assert error_of(body)["message"] == "slow down"


MODELS = {"m": ["a"], "n": ["b"], "long": ["c"], "lax": ["d"]}
CHAINS = {"general": ["n"], "context_window": ["long"], "content_policy": ["lax"]}


@pytest.mark.parametrize(
    ("trouble", "provider"),
    [
        (DOWN, "b"),
        (LIMITED, "b"),
        (too_long(), "c"),
        (too_long("content_policy_violation"), "d"),
    ],
    ids=["down", "limited", "too long", "policy"],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_each_kind_of_failure_falls_back_to_its_models(
    tmp_path: Path, trouble: Script, provider: str, *, stream: bool
) -> None:
    good = STREAM if stream else WHOLE
    scripts = {"a": trouble, "b": good, "c": good, "d": good}
    config = {"fallbacks": {"m": CHAINS}, "retries": 0}
    async with places(tmp_path, scripts, models=MODELS, config=config) as made:
        status, headers, _ = await made.gateway.post(request(stream=stream))

    assert (status, headers["x-trunkline-provider"]) == (200, provider)
    assert json.loads(made.at[provider].requests[0].body)["model"].endswith(f"-at-{provider}")
    assert sum(made.counts().values()) == 2


async def test_a_request_that_no_model_can_read_is_told_so(tmp_path: Path) -> None:
    scripts = {"a": too_long(), "b": WHOLE, "c": DOWN}
    models = {"m": ["a"], "n": ["b"], "long": ["c"]}
    config = {"fallbacks": {"m": CHAINS}, "retries": 0}
    async with places(tmp_path, scripts, models=models, config=config) as made:
        status, _, body = await made.gateway.post(request())

    assert (status, error_of(body)["code"]) == (400, "context_length_exceeded")
    assert made.counts() == {"a": 1, "b": 0, "c": 1}


@pytest.mark.parametrize("status", [401, 403, 402])
async def test_a_key_that_is_refused_is_set_aside_and_the_next_one_serves(
    tmp_path: Path, status: int
) -> None:
    refused = reply({"error": {"message": "bad key"}}, status)
    config = {"providers": {"a": {"api_keys": [KEYS["one"], KEYS["two"]]}}}

    async def by_key(asked: Request, connection: Connection) -> None:
        is_first = asked.headers["authorization"].endswith(KEYS["one"])
        await (refused if is_first else WHOLE)(asked, connection)

    async with places(tmp_path, {"a": by_key}, config=config) as made:
        for _ in range(5):
            assert (await made.gateway.post(request()))[0] == 200
        degraded = made.gateway.router.status().degraded

    used = [r.headers["authorization"].removeprefix("Bearer ") for r in made.at["a"].requests]
    assert used.count(KEYS["one"]) == 1
    assert used.count(KEYS["two"]) == 5
    what = "a/m-at-a" if status == 403 else "a key of a"
    assert any(sentence.startswith(f"{what}: set aside") for sentence in degraded)


async def test_keys_take_turns_and_a_limited_one_rests(tmp_path: Path) -> None:
    config = {"providers": {"a": {"api_keys": list(KEYS.values())}}}

    async def by_key(asked: Request, connection: Connection) -> None:
        is_first = asked.headers["authorization"].endswith(KEYS["one"])
        await (LIMITED if is_first else WHOLE)(asked, connection)

    async with places(tmp_path, {"a": WHOLE}, config=config) as made:
        for _ in range(4):
            await made.gateway.post(request())
        turns = [r.headers["authorization"] for r in made.at["a"].requests]
        made.at["a"].script = by_key
        made.at["a"].requests.clear()
        statuses = [(await made.gateway.post(request()))[0] for _ in range(4)]
        limited = [r.headers["authorization"] for r in made.at["a"].requests]

    assert turns == [f"Bearer {KEYS[name]}" for name in ("one", "two", "one", "two")]
    assert statuses == [200] * 4
    assert limited.count(f"Bearer {KEYS['one']}") == 1


async def test_a_target_that_cannot_carry_a_request_leaves_it_to_one_that_can(
    tmp_path: Path,
) -> None:
    config = {"providers": {"a": {"dialect": "anthropic"}}}
    audio = [
        {
            "role": "user",
            "content": [{"type": "input_audio", "input_audio": {"data": "x", "format": "wav"}}],
        }
    ]
    async with places(tmp_path, {"a": DOWN, "b": WHOLE}, config=config) as made:
        status, headers, _ = await made.gateway.post(request() | {"messages": audio})

    assert (status, headers["x-trunkline-provider"]) == (200, "b")
    assert made.counts() == {"a": 0, "b": 1}


async def test_in_strict_mode_a_target_that_honours_everything_is_found(tmp_path: Path) -> None:
    config = {"providers": {"a": {"dialect": "anthropic"}}}
    body = request() | {"logit_bias": {"50256": -100}}
    async with places(tmp_path, {"a": DOWN, "b": WHOLE}, config=config) as made:
        status, headers, _ = await made.gateway.post(body, x_trunkline_strict="true")

    assert (status, headers["x-trunkline-provider"]) == (200, "b")
    assert "x-trunkline-dropped-params" not in headers
    assert made.counts() == {"a": 0, "b": 1}


async def test_typed_callers_get_the_same(tmp_path: Path) -> None:
    async with (
        places(tmp_path, {"a": DOWN, "b": in_turn(WHOLE, STREAM, BUSY)}) as made,
        stubs(made.gateway.grpc) as client,
    ):
        whole = await client.chat.CreateChatCompletion(unary())
        call = client.chat.StreamChatCompletion(streamed())
        chunks = [part.chunk async for part in call]
        told = dict(await call.initial_metadata())
        failed = await failure_of(client.chat.CreateChatCompletion(unary()))

    assert whole.completion.choices[0].message.content == "hi"
    assert "".join(c.choices[0].delta.content for c in chunks) == "hi"
    assert (told["x-trunkline-provider"], told["x-trunkline-attempts"]) == ("b", "2")
    assert (failed.code, failed.info.reason) == (
        grpc.StatusCode.UNAVAILABLE,
        "UPSTREAM_UNAVAILABLE",
    )


async def test_a_typed_stream_that_breaks_off_fails_after_what_came(tmp_path: Path) -> None:
    scripts = {"a": drip(ROLE, CONTENT, then=reset), "b": STREAM}
    async with places(tmp_path, scripts) as made, stubs(made.gateway.grpc) as client:
        seen, failed = await until_failure(client.chat.StreamChatCompletion(streamed()))

    assert "".join(part.chunk.choices[0].delta.content for part in seen) == "hi"
    assert failed.info.reason == "UPSTREAM_TRUNCATED"
    assert made.counts() == {"a": 1, "b": 0}


async def test_embeddings_fall_back_too(tmp_path: Path) -> None:
    vectors = reply(
        {"object": "list", "data": [], "usage": {"prompt_tokens": 1, "total_tokens": 1}}
    )
    async with places(tmp_path, {"a": DOWN, "b": vectors}) as made:
        file = tmp_path / "models.json"
        rows = json.loads(file.read_text().replace("/v1/chat/completions", "/v1/embeddings"))
        file.write_text(json.dumps(rows))
        await made.gateway.router.registry.refresh_now()
        body = {"model": "m", "input": "x"}
        status, headers, _ = await made.gateway.post(body, path="/v1/embeddings")

    assert (status, headers["x-trunkline-provider"]) == (200, "b")


async def test_the_official_client_sees_an_answer_and_nothing_of_the_trouble(
    tmp_path: Path,
) -> None:
    async with places(tmp_path, {"a": in_turn(reset, STREAM)}) as made:
        stream = await made.gateway.sdk().chat.completions.create(
            model="m", messages=MESSAGES, stream=True
        )
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert text == "hi"
