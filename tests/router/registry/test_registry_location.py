import base64
from pathlib import Path

import pytest

from router.registry.location import (
    FileLocation,
    LocationError,
    WebLocation,
    locate,
    masked,
    redirected,
)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://h/models.json", "http://h/models.json"),
        ("HTTPS://Host:8443/a%20b?x=1&y=%2F#part", "https://Host:8443/a%20b?x=1&y=%2F"),
        ("http://h", "http://h/"),
        ("http://[::1]:80/x", "http://[::1]:80/x"),
        ("http://user:pass@h/x", "http://h/x"),
    ],
)
def test_an_address_is_taken_as_it_is(text: str, url: str) -> None:
    location = locate(text)

    assert isinstance(location, WebLocation)
    assert location.url == url


def test_userinfo_becomes_an_authorization() -> None:
    location = locate("https://us%40er:p%3Aw@h/x")

    assert isinstance(location, WebLocation)
    assert location.basic is not None
    assert location.basic.reveal() == "Basic " + base64.b64encode(b"us@er:p:w").decode()
    assert "p%3Aw" not in repr(location) + location.shown


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/etc/models.json", "/etc/models.json"),
        ("file:///etc/my%20models.json", "/etc/my models.json"),
        ("file://localhost/etc/models.json", "/etc/models.json"),
        ("models:v1.json", str(Path("models:v1.json").absolute())),
        ("./models.json", str(Path("models.json").absolute())),
    ],
)
def test_a_path_or_file_url_is_a_file(text: str, path: str) -> None:
    assert locate(text) == FileLocation(Path(path))


@pytest.mark.parametrize(
    "text",
    [
        "", "\0", "ftp://h/x", "s3://bucket/x", "http://", "http:///x", "http://h:99999/",
        "http://h:0/", "http://h:x/", "http://h/a b", "http://h/ü", "http://h/\n", "http://[::1/x",
        "file://other/x", "file://",
    ],
)  # fmt: skip
def test_nothing_else_is_a_source(text: str) -> None:
    with pytest.raises(LocationError):
        locate(text)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://h/x", "http://h/x"),
        ("http://user:pw@h/x?token=abc#f", "http://***@h/x?***"),
        ("http://a@b@h/x@y", "http://***@h/x@y"),
        ("http://h?token=abc", "http://h?***"),
    ],
)
def test_credentials_are_masked(url: str, shown: str) -> None:
    assert masked(url) == shown


@pytest.mark.parametrize(
    ("at", "target", "url"),
    [
        ("http://h/a/b", "/c", "http://h/c"),
        ("http://h/a/b", "c?x=%2F", "http://h/a/c?x=%2F"),
        ("http://h/a", "http://h:80/c", "http://h:80/c"),
        ("http://h/a", "https://h/c", "https://h/c"),
        ("http://h/a", "https://H:443/c", "https://H:443/c"),
        ("http://h:8080/a", "http://h:8080/c d", "http://h:8080/c%20d"),
        ("http://h:8443/a", "https://h:8443/c", "https://h:8443/c"),
        ("https://h/a", "//h/c", "https://h/c"),
        ("http://h/a", "http://evil:pw@h/c", "http://h/c"),
    ],
)
def test_a_redirect_stays_on_its_host(at: str, target: str, url: str) -> None:
    location = redirected(WebLocation(at), target)

    assert location == WebLocation(url)


@pytest.mark.parametrize(
    ("at", "target", "says"),
    [
        ("http://h/a", "http://evil.example/a?token=secret", "another host ('evil.example')"),
        ("http://h/a", "//evil.example/a", "another host"),
        ("http://h/a", "http://h.evil.example/a", "another host"),
        ("http://h/a", "http://h@evil.example/a", "another host ('evil.example')"),
        ("http://h/a", r"http://h\@evil.example/a", "redirects to"),
        ("https://h/a", "http://h/a", "from https to http"),
        ("https://h:8443/a", "http://h:8443/a", "from https to http"),
        ("http://h/a", "http://h:8080/a", "another port (8080)"),
        ("http://h:8080/a", "https://h/a", "another port (443)"),
        ("http://h/a", "https://h:8443/a", "another port (8443)"),
        ("http://h:443/a", "http://h/a", "another port (80)"),
        ("http://h/a", "file:///etc/passwd", "not a valid URL"),
        ("http://h/a", "ftp://h/passwd", "not http"),
        ("http://h/a", "http://[::1/a", "redirects to something that is not a valid URL"),
        ("http://h/a", "http://h:x/a", "not a valid URL"),
        ("http://h/a", "\udcff", "not a valid URL"),
    ],
)
def test_a_redirect_elsewhere_is_refused(at: str, target: str, says: str) -> None:
    with pytest.raises(LocationError) as caught:
        redirected(WebLocation(at), target)

    assert says in str(caught.value)
    assert "secret" not in str(caught.value)
