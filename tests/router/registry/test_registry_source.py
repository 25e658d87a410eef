import base64
import json
import os
from pathlib import Path

import pytest

from router.errors import UpstreamTruncatedError, UpstreamUnavailableError
from router.registry import source as sources
from router.registry.location import NO_VALIDATORS, Validators, locate
from router.registry.source import Fetched, Source, SourceError
from router.transport.http import AiohttpTransport
from router.transport.memory import MemoryResponse, MemoryTransport
from router.values import Secret
from router.wire.http import HttpRequest
from tests.router.registry.scripted import ListServer, Reply, rows


async def test_a_list_comes_with_its_version(
    server: ListServer, transport: AiohttpTransport
) -> None:
    server.listed = rows(2)
    server.etag, server.last_modified = '"one"', "Wed, 21 Oct 2015 07:28:00 GMT"
    fetched = await Source(locate(server.url), transport).fetch()

    assert fetched is not None
    assert json.loads(fetched.body) == rows(2)
    assert fetched.validators == Validators('"one"', "Wed, 21 Oct 2015 07:28:00 GMT")


@pytest.mark.parametrize(
    "validators", [Validators(etag='"one"'), Validators(last_modified="a date")]
)
async def test_a_list_that_is_known_is_not_sent_again(
    server: ListServer, transport: AiohttpTransport, validators: Validators
) -> None:
    server.etag, server.last_modified = validators.etag, validators.last_modified

    assert await Source(locate(server.url), transport).fetch(validators) is None


async def test_an_unasked_304_is_no_list(server: ListServer, transport: AiohttpTransport) -> None:
    server.replies["/models.json"] = Reply(304)
    with pytest.raises(SourceError, match="source answered with status 304"):
        await Source(locate(server.url), transport).fetch()


async def test_a_compressed_list_is_read(server: ListServer, transport: AiohttpTransport) -> None:
    server.listed, server.is_gzipped = rows(100), True
    fetched = await Source(locate(server.url), transport).fetch()

    assert fetched is not None
    assert json.loads(fetched.body) == rows(100)
    assert server.requests[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize("status", [201, 204, 401, 404, 500, 503])
async def test_any_other_status_is_named(
    server: ListServer, transport: AiohttpTransport, status: int
) -> None:
    server.replies["/models.json"] = Reply(status, headers={"x": "y"})
    with pytest.raises(SourceError, match=f"source answered with status {status}"):
        await Source(locate(server.url), transport).fetch()


async def test_a_source_that_is_down_is_unreachable(
    server: ListServer, transport: AiohttpTransport
) -> None:
    await server.stop()
    with pytest.raises(SourceError, match=r"source unreachable \(the source cannot be reached\)"):
        await Source(locate(server.url), transport).fetch()


async def test_a_source_that_does_not_answer_is_too_slow(
    server: ListServer, transport: AiohttpTransport
) -> None:
    server.is_hanging = True
    with pytest.raises(SourceError, match=r"source too slow \(no list within 0.05 s\)"):
        await Source(locate(server.url), transport, seconds=0.05).fetch()


@pytest.mark.parametrize("is_gzipped", [False, True])
async def test_a_list_over_the_limit_is_refused(
    server: ListServer,
    transport: AiohttpTransport,
    monkeypatch: pytest.MonkeyPatch,
    is_gzipped: bool,
) -> None:
    server.raw, server.is_gzipped = b"[" + b" " * 9_998 + b"]", is_gzipped
    monkeypatch.setattr(sources, "MAX_BYTES", 10_000)
    assert await Source(locate(server.url), transport).fetch() == Fetched(server.raw)

    monkeypatch.setattr(sources, "MAX_BYTES", 9_999)
    with pytest.raises(SourceError, match="larger than 9999 bytes"):
        await Source(locate(server.url), transport).fetch()


async def test_redirects_on_the_same_host_are_followed(
    server: ListServer, transport: AiohttpTransport
) -> None:
    server.listed = rows(1)
    server.replies["/a"] = Reply(301, headers={"location": "/b?x=1"})
    server.replies["/b"] = Reply(307, headers={"location": server.url.replace("models.json", "c")})
    server.replies["/c"] = Reply(302, headers={"location": "models.json"})
    start = locate(server.url.replace("models.json", "a"))
    fetched = await Source(start, transport, Secret("Bearer list-key")).fetch()

    assert fetched is not None
    assert json.loads(fetched.body) == rows(1)
    assert [r.headers["authorization"] for r in server.requests] == ["Bearer list-key"] * 4


async def test_a_fourth_redirect_is_not_followed(
    server: ListServer, transport: AiohttpTransport
) -> None:
    server.replies["/models.json"] = Reply(302, headers={"location": "/models.json"})
    with pytest.raises(SourceError, match="source redirects more than 3 times"):
        await Source(locate(server.url), transport).fetch()

    assert len(server.requests) == 4


async def test_a_redirect_to_another_host_is_not_followed(
    server: ListServer, transport: AiohttpTransport
) -> None:
    elsewhere = server.url.replace("127.0.0.1", "localhost") + "?token=canary"
    server.replies["/models.json"] = Reply(302, headers={"location": elsewhere})
    with pytest.raises(SourceError) as caught:
        await Source(locate(server.url), transport, Secret("Bearer canary")).fetch()

    assert str(caught.value) == "source redirects to another host ('localhost')"
    assert len(server.requests) == 1


async def test_the_authorization_is_sent_as_configured(
    server: ListServer, transport: AiohttpTransport
) -> None:
    await Source(locate(server.url), transport, Secret("Token abc")).fetch()

    assert server.requests[0].headers["authorization"] == "Token abc"


async def test_userinfo_is_sent_as_an_authorization(
    server: ListServer, transport: AiohttpTransport
) -> None:
    url = server.url.replace("http://", "http://user:canary@")
    await Source(locate(url), transport).fetch()
    assert server.requests[0].headers["authorization"] == (
        "Basic " + base64.b64encode(b"user:canary").decode()
    )

    await server.stop()
    with pytest.raises(SourceError) as caught:
        await Source(locate(url + "?token=canary"), transport).fetch()
    assert "canary" not in str(caught.value)


async def test_without_credentials_no_authorization_is_sent(
    server: ListServer, transport: AiohttpTransport
) -> None:
    await Source(locate(server.url), transport).fetch()

    assert "authorization" not in server.requests[0].headers


async def test_a_validator_that_cannot_be_sent_back_is_dropped() -> None:
    headers = {"etag": '"é"', "last-modified": "x" * 2000}
    memory = MemoryTransport(lambda _: MemoryResponse(200, headers, [b"[]"]))

    assert await Source(locate("http://h/x"), memory).fetch() == Fetched(b"[]", NO_VALIDATORS)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            UpstreamTruncatedError("The provider's answer broke off."),
            "source unreachable (the source's answer broke off)",
        ),
        (UpstreamUnavailableError("Odd."), "source unreachable (Odd)"),
    ],
)
async def test_a_failing_body_is_no_list(error: UpstreamUnavailableError, reason: str) -> None:
    def respond(_: HttpRequest) -> MemoryResponse:
        return MemoryResponse(200, {}, [b"[", error])

    with pytest.raises(SourceError) as caught:
        await Source(locate("http://h/x"), MemoryTransport(respond)).fetch()
    assert str(caught.value) == reason


async def test_a_file_is_read_by_path_and_by_url(
    tmp_path: Path, transport: AiohttpTransport
) -> None:
    path = tmp_path / "my models.json"
    path.write_bytes(b"[1]")
    for text in (str(path), path.as_uri()):
        assert await Source(locate(text), transport).fetch() == Fetched(b"[1]")


async def test_a_link_to_a_file_is_followed(tmp_path: Path, transport: AiohttpTransport) -> None:
    (tmp_path / "target").write_bytes(b"[]")
    (tmp_path / "link").symlink_to("target")

    assert await Source(locate(str(tmp_path / "link")), transport).fetch() == Fetched(b"[]")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "source unreadable (no such file or directory)"),
        ("directory", "source unreadable (not a regular file)"),
        ("pipe", "source unreadable (not a regular file)"),
        ("large", "source unreadable (larger than 10 bytes)"),
    ],
)
async def test_what_is_no_regular_file_of_that_size_is_not_read(
    tmp_path: Path,
    transport: AiohttpTransport,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    reason: str,
) -> None:
    monkeypatch.setattr(sources, "MAX_BYTES", 10)
    (tmp_path / "directory").mkdir()
    (tmp_path / "large").write_bytes(b" " * 11)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError) as caught:
        await Source(locate(str(tmp_path / kind)), transport).fetch()

    assert str(caught.value) == reason
