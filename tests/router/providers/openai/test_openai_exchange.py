"""The OpenAI dialect is transparent: bytes pass, what is read on the way changes nothing."""

import json
from dataclasses import replace

import pytest
from msgspec import structs

from router.errors import (
    AccessDeniedError,
    AccountUnpaidError,
    QuotaExhaustedError,
    RateLimitedError,
    UpstreamAuthError,
    UpstreamError,
    UpstreamModelNotFoundError,
    UpstreamNotFoundError,
    UpstreamOverloadedError,
    UpstreamRejectedError,
    UpstreamTimeoutError,
    UpstreamTruncatedError,
    UpstreamUnavailableError,
)
from router.providers.openai import OpenAIExchange
from router.providers.openai.stream import OpenAIStreamDecoder
from router.values import Deployment, Dialect, Endpoint, Provider, Secret, Usage
from router.wire.chat_request import ChatRequest

DEPLOYMENT = Deployment(
    model="m",
    upstream_model="up",
    provider=Provider("p", "https://host/base", api_key=Secret("key-of-ours")),
    dialect=Dialect.OPENAI,
    endpoint=Endpoint.CHAT,
    path="/v1/chat/completions?v=1",
)


def exchange(deployment: Deployment = DEPLOYMENT, **fields: object) -> OpenAIExchange:
    body = json.dumps({"model": "m", "messages": [], **fields}).encode()
    return OpenAIExchange(ChatRequest.parse(body, created=1), deployment)


def chunk(**fields: object) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def delta(index: int = 0, finish: str | None = None, **fields: object) -> dict[str, object]:
    return {"index": index, "delta": fields, "finish_reason": finish}


CONTENT = chunk(choices=[delta(content="hi")])
ROLE = chunk(choices=[delta(role="assistant", content="")])
FINISH = chunk(choices=[delta(finish="stop")])
DONE = b"data: [DONE]\n\n"


def decoder(*, hides_usage: bool = False) -> OpenAIStreamDecoder:
    return OpenAIStreamDecoder(hides_usage=hides_usage)


def test_the_request_goes_out_with_our_key_and_the_deployments_model() -> None:
    http = exchange().http

    assert http.url == "https://host/base/v1/chat/completions?v=1"
    assert http.headers["authorization"] == "Bearer key-of-ours"
    assert json.loads(http.body) == {"model": "up", "messages": []}


def test_without_a_key_no_credential_is_sent() -> None:
    keyless = structs.replace(DEPLOYMENT, provider=Provider("local", "http://host"))

    assert "authorization" not in exchange(keyless).http.headers


def test_streams_ask_for_usage_unless_the_vendor_volunteers_it() -> None:
    vendor = structs.replace(
        DEPLOYMENT, provider=replace(DEPLOYMENT.provider, volunteers_usage=True)
    )

    assert json.loads(exchange(stream=True).http.body)["stream_options"] == {"include_usage": True}
    assert "stream_options" not in json.loads(exchange(vendor, stream=True).http.body)


def test_a_whole_answer_passes_as_it_is_and_its_usage_is_read() -> None:
    body = b'{"usage":{"prompt_tokens":3,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":1}}} '

    completion = exchange().decode_response(body)

    assert completion.body is body
    assert completion.usage == Usage(3, 4, cached_tokens=1)


@pytest.mark.parametrize(
    ("body", "usage"),
    [
        (b'{"usage": null}', None),
        (b'{"usage": []}', None),
        (b'{"usage": {"prompt_tokens": "many", "completion_tokens": 2.0}}', Usage(0, 2)),
        (b'{"usage": {"prompt_tokens": 1, "completion_tokens_details": []}}', Usage(1, 0)),
        (b'{"usage": {"prompt_tokens": ' + b"9" * 5000 + b"}}", Usage()),
        (b"[]", None),
        (b'{"x": "\\ud800"}', None),
    ],
)
def test_odd_usage_is_no_failure(body: bytes, usage: Usage | None) -> None:
    completion = exchange().decode_response(body)

    assert (completion.body, completion.usage) == (body, usage)


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"a": "\xff"}', b"<html>", b'{"a": NaN}', b"[" * 99999]
)
def test_a_broken_answer_is_a_failure(body: bytes) -> None:
    with pytest.raises(UpstreamUnavailableError):
        exchange().decode_response(body)


def test_frames_pass_byte_for_byte() -> None:
    odd = b'{ "choices" : [ {"index":0,"delta":{"content":"\xc3\xa9"},"x":1.0} ] }'
    stream = decoder()

    frames = stream.feed(ROLE + b"data: " + odd + b"\n\n" + FINISH + DONE)

    assert [f.is_content for f in frames] == [False, True, True]
    assert frames[1].payload == odd
    assert (stream.done, stream.failure) == (True, None)


def test_the_usage_chunk_that_only_we_asked_for_is_taken_out() -> None:
    usage = chunk(id="1", choices=[], usage={"prompt_tokens": 1, "completion_tokens": 2})
    filters = chunk(choices=[], usage={"prompt_tokens": 1}, prompt_filter_results=[{"x": 1}])
    stream = decoder(hides_usage=True)

    frames = stream.feed(CONTENT + filters + usage + FINISH + DONE)

    assert len(frames) == 3
    assert stream.usage == Usage(1, 2)


def test_the_usage_chunk_that_the_caller_asked_for_passes() -> None:
    usage = chunk(choices=[], usage={"prompt_tokens": 1, "completion_tokens": 2})

    assert len(decoder().feed(CONTENT + usage + FINISH + DONE)) == 3


def test_a_finish_reason_for_every_choice_completes_a_stream_without_end_mark() -> None:
    stream = decoder()
    stream.feed(chunk(choices=[delta(0, content="a")]) + chunk(choices=[delta(1, content="b")]))
    stream.feed(chunk(choices=[delta(0, "stop"), delta(1, "stop")]))
    stream.finish()

    assert (stream.failure, stream.done) == (None, False)


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [ROLE],
        [CONTENT],
        [CONTENT, chunk(choices=[delta(1, content="b")]), FINISH],
        [CONTENT, FINISH[:-20]],
    ],
)
def test_a_stream_that_ends_early_is_truncated(parts: list[bytes]) -> None:
    stream = decoder()
    for part in parts:
        stream.feed(part)
    stream.finish()

    assert isinstance(stream.failure, UpstreamTruncatedError)
    assert not stream.is_failure_told
    assert not stream.done


@pytest.mark.parametrize("frame", [b"data: {\n\n", b'data: {"a": "\xff"}\n\n', b"data: hello\n\n"])
def test_a_broken_frame_fails_the_stream_after_what_came_before(frame: bytes) -> None:
    stream = decoder()

    frames = stream.feed(CONTENT + frame + CONTENT)

    assert len(frames) == 1
    assert isinstance(stream.failure, UpstreamUnavailableError)


def test_an_event_that_is_too_large_fails_the_stream() -> None:
    stream = decoder()
    stream.feed(b"data: " + b"x" * (17 * 1024 * 1024))

    assert isinstance(stream.failure, UpstreamUnavailableError)


def test_an_error_before_content_fails_the_call_with_the_providers_words() -> None:
    stream = decoder()
    frames = stream.feed(
        ROLE + b'event: error\ndata: {"error":{"message":"busy","type":"x","code":503}}\n\n'
    )

    assert len(frames) == 1
    assert isinstance(stream.failure, UpstreamOverloadedError)
    assert stream.failure.message == "busy"


def test_an_error_after_content_passes_in_the_providers_own_frame() -> None:
    error = b'{"id":"1","error":{"message":"broke","code":502},"choices":[]}'
    stream = decoder()

    frames = stream.feed(CONTENT + b"data: " + error + b"\n\n")
    stream.finish()

    assert frames[-1].payload == error
    assert stream.is_failure_told
    assert isinstance(stream.failure, UpstreamUnavailableError)
    assert not stream.done


@pytest.mark.parametrize(
    ("status", "kind", "http_status"),
    [
        (400, UpstreamRejectedError, 400),
        (404, UpstreamNotFoundError, 404),
        (409, UpstreamRejectedError, 409),
        (413, UpstreamRejectedError, 413),
        (415, UpstreamRejectedError, 415),
        (422, UpstreamRejectedError, 422),
        (418, UpstreamRejectedError, None),
        (410, UpstreamModelNotFoundError, None),
        (429, RateLimitedError, None),
        (401, UpstreamAuthError, None),
        (402, AccountUnpaidError, None),
        (403, AccessDeniedError, None),
        (500, UpstreamUnavailableError, None),
        (502, UpstreamUnavailableError, None),
        (302, UpstreamUnavailableError, None),
        (201, UpstreamUnavailableError, None),
        (503, UpstreamOverloadedError, None),
        (529, UpstreamOverloadedError, None),
        (408, UpstreamTimeoutError, None),
        (504, UpstreamTimeoutError, None),
    ],
)
def test_the_status_decides_the_class_of_a_failure(
    status: int, kind: type[UpstreamError], http_status: int | None
) -> None:
    error = exchange().decode_error(status, {}, b'{"error":{"message":"words","code":"c"}}')

    assert type(error) is kind
    assert (error.message, error.upstream_status, error.http_status) == (
        "words",
        status,
        http_status,
    )
    assert (error.retry_after is not None) == (kind in (RateLimitedError, UpstreamOverloadedError))


def test_a_callers_fault_in_openais_shape_passes_whole_with_all_four_keys() -> None:
    error = exchange().decode_error(
        404, {}, b'{"error":{"message":"m","type":"error","x":1},"id":"y"}'
    )

    assert json.loads(error.body) == {
        "error": {"message": "m", "type": "error", "x": 1, "param": None, "code": None},
        "id": "y",
    }


def test_our_own_fault_is_told_in_our_words_of_type_and_code() -> None:
    error = exchange().decode_error(401, {}, b'{"error":{"message":"m","code":"invalid_api_key"}}')

    assert (error.body, error.code, error.message) == (b"", None, "m")


def test_quota_is_told_from_rate() -> None:
    body = b'{"error":{"message":"m","type":"insufficient_quota","code":"insufficient_quota"}}'

    assert type(exchange().decode_error(429, {}, body)) is QuotaExhaustedError


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        (
            {
                "retry-after": "Mon, 23 Nov 2026 00:00:09 GMT",
                "date": "Mon, 23 Nov 2026 00:00:00 GMT",
            },
            9.0,
        ),
        ({"retry-after": "soon"}, 1.0),
        ({"retry-after-ms": "inf"}, 86_400.0),
        ({"retry-after": "-3"}, 1.0),
        ({}, 1.0),
    ],
)
def test_the_wait_is_the_providers_or_one_second(headers: dict[str, str], seconds: float) -> None:
    assert exchange().decode_error(429, headers, b"").retry_after == seconds


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"plain  words", "plain words"),
        (b'{"detail": "d"}', "d"),
        (b'{"error": "e"}', "e"),
        (b'{"message": "m", "code": 3}', "m"),
        (b'[{"error": {"message": "listed"}}]', "listed"),
        (b'{"errors": [{"message": "a"}, {"message": "b"}]}', "a; b"),
        (b'{"detail": [{"loc": ["x"], "msg": "field required"}]}', "field required"),
        (
            b"<html><head><title>t</title></head><body><h1>Bad &amp; gone</h1></body></html>",
            "Bad & gone",
        ),
        (b'{"odd": 1}', '{"odd": 1}'),
        (b"", "The provider answered with status 500 and no message."),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_other_shapes_are_put_right_and_keep_the_words(body: bytes, words: str) -> None:
    assert exchange().decode_error(500, {}, body).message == words
