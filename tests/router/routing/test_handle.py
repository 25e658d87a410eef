"""A handle names provider, path and dialect; what is no handle is refused with a reason."""

import pytest

from router.routing.handle import Handle, HandleError, language_of, parse
from router.values import Dialect, Endpoint


@pytest.mark.parametrize(
    ("text", "handle"),
    [
        ("/openai/v1/chat/completions", Handle("openai", "/v1/chat/completions")),
        ("/fireworks/chat/completions", Handle("fireworks", "/chat/completions")),
        (
            "/a-b.c_d/x%2Fy/messages?beta=true&x=%20",
            Handle("a-b.c_d", "/x%2Fy/messages?beta=true&x=%20"),
        ),
        ("/p/", Handle("p", "/")),
    ],
)
def test_the_first_segment_names_the_provider_and_the_rest_is_verbatim(
    text: str, handle: Handle
) -> None:
    assert parse(text) == handle


@pytest.mark.parametrize(
    "text",
    [
        "", "/", "openai/v1", "/openai", "//v1/messages", "https://host/v1/messages", "/p/a b", "/p/é",
        "/p/../x", "/p/./x", "/p/x#y", "/p/x\\y", "/p/x\r\ny", "/.p/x", "/p/a\x00", "/" + "p" * 64 + "/x",
    ],
)  # fmt: skip
def test_what_is_no_handle_is_refused(text: str) -> None:
    with pytest.raises(HandleError):
        parse(text)


@pytest.mark.parametrize(
    ("path", "dialect", "endpoint"),
    [
        ("/v1/chat/completions", Dialect.OPENAI, Endpoint.CHAT),
        ("/x/y/chat/completions?api-version=1", Dialect.OPENAI, Endpoint.CHAT),
        ("/v1/messages", Dialect.ANTHROPIC, Endpoint.CHAT),
        ("/v1/messages?x=/chat/completions", Dialect.ANTHROPIC, Endpoint.CHAT),
        ("/v1beta/models/gemini-2.5-flash:generateContent", Dialect.GEMINI, Endpoint.CHAT),
        (
            "/v1/projects/p/locations/global/publishers/google/models/g:generateContent",
            Dialect.GEMINI,
            Endpoint.CHAT,
        ),
        (
            "/v1/projects/p/locations/global/publishers/anthropic/models/c@1:rawPredict",
            Dialect.ANTHROPIC,
            Endpoint.CHAT,
        ),
        ("/v2/chat", Dialect.COHERE, Endpoint.CHAT),
        ("/v1/embeddings", Dialect.OPENAI, Endpoint.EMBEDDINGS),
        ("/v2/embed", Dialect.COHERE, Endpoint.EMBEDDINGS),
        ("/v1beta/models/g:embedContent", Dialect.GEMINI, Endpoint.EMBEDDINGS),
        ("/v1beta/models/g:batchEmbedContents", Dialect.GEMINI, Endpoint.EMBEDDINGS),
        (
            "/model/amazon.titan-embed-text-v2%3A0/invoke",
            Dialect.BEDROCK,
            Endpoint.EMBEDDINGS,
        ),
        ("/model/cohere.embed-english-v3/invoke", Dialect.BEDROCK, Endpoint.EMBEDDINGS),
    ],
)
def test_the_end_of_the_path_tells_the_dialect(
    path: str, dialect: Dialect, endpoint: Endpoint
) -> None:
    assert language_of(path, None) == (dialect, endpoint)


def test_a_configured_dialect_decides_alone() -> None:
    assert language_of("/odd", Dialect.ANTHROPIC) == (Dialect.ANTHROPIC, Endpoint.CHAT)
    assert language_of("/v1/messages", Dialect.OPENAI)[0] is Dialect.OPENAI


@pytest.mark.parametrize(
    "path",
    [
        "/odd", "/model/anthropic.claude-v2/invoke", "/v1/completions",
        "/v1/projects/p/locations/l/publishers/mistralai/models/m:rawPredict",
    ],
)  # fmt: skip
def test_a_path_that_tells_no_dialect_is_refused(path: str) -> None:
    with pytest.raises(HandleError, match="tells no known dialect"):
        language_of(path, None)


@pytest.mark.parametrize(
    ("path", "configured"),
    [
        ("/v1/embeddings", Dialect.ANTHROPIC),
        ("/chat/completions", Dialect.VOYAGE),
        ("/odd", Dialect.VOYAGE),
    ],
)
def test_a_dialect_that_is_not_spoken_at_an_endpoint_is_refused(
    path: str, configured: Dialect
) -> None:
    with pytest.raises(HandleError, match="is not supported for"):
        language_of(path, configured)
