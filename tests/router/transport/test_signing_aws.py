"""AWS's chain: what goes over the wire is what was signed. No credential here opens anything."""

import hashlib
import hmac
import re
from typing import Any
from urllib.parse import quote, urlsplit

import botocore.session
import pytest
from botocore.config import Config

from router.errors import UpstreamAuthError
from router.transport.http import AiohttpTransport
from router.transport.signing import Signers
from router.transport.signing.aws import region_of
from router.values import Provider, Secret, Signer
from router.wire.http import HttpRequest
from tests.support.upstream import Request, reply, upstream

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
KEY = "AKIDEXAMPLE"
TOKEN = "session-token-of-a-test"
BODY = b'{"messages":[{"role":"user","content":[{"text":"na\xc3\xafve"}]}]}'
HEADERS = {"content-type": "application/json", "accept": "application/json"}

PATHS = [
    "/model/anthropic.claude-3-haiku-20240307-v1:0/converse",
    "/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse",
    "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fx/converse-stream",
    "/model/plain/converse?b=2&a=1%20x",
]


@pytest.fixture(autouse=True)
def fake_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")


def provider(base_url: str) -> Provider:
    return Provider("bedrock", base_url, signer=Signer.AWS)


def expected_signature(request: Request, region: str) -> str:
    """The signature by AWS's description of it, from what arrived.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    stated = request.headers["authorization"]
    names = stated.partition("SignedHeaders=")[2].partition(",")[0]
    path, _, query = request.target.partition("?")
    canonical = "\n".join((
        request.method,
        quote(path, safe="/-_.~"),
        "&".join(sorted(query.split("&"))) if query else "",
        *(f"{name}:{request.headers[name]}" for name in names.split(";")),
        "",
        names,
        hashlib.sha256(request.body).hexdigest(),
    ))  # fmt: skip
    date = request.headers["x-amz-date"]
    scope = f"{date[:8]}/{region}/bedrock/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}"
    key = b"AWS4" + SECRET.encode()
    for part in (date[:8], region, "bedrock", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.new(key, text.encode(), "sha256").hexdigest()
    return (
        f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders={names}, Signature={signature}"
    )


async def arrived(path: str, signers: Signers | None = None) -> Request:
    """Sign a request and send it; return it as the other side got it."""
    async with upstream(reply({})) as server:
        request = HttpRequest("POST", server.url + path, HEADERS, BODY)
        signed = await (signers or Signers()).sign(provider(server.url), request)
        transport = AiohttpTransport()
        try:
            async with transport.send(signed, connect_timeout=5) as response:
                await response.read(100)
        finally:
            await transport.close()
        return server.requests[0]


async def test_the_region_may_stand_in_either_variable_and_the_sdks_common_one_counts_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_REGION", "ap-southeast-2")
    got = await arrived(PATHS[0])
    assert got.headers["authorization"] == expected_signature(got, "ap-southeast-2")

    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    got = await arrived(PATHS[0])
    assert got.headers["authorization"] == expected_signature(got, "ap-southeast-2")


@pytest.mark.parametrize("path", PATHS)
async def test_what_arrives_bears_the_signature_that_aws_computes(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    got = await arrived(path)
    assert (got.target, got.body) == (path, BODY)
    assert got.headers["authorization"] == expected_signature(got, "eu-central-1")
    assert {"host", "x-amz-date", "content-type"} <= set(
        re.split("[;=,]", got.headers["authorization"])
    )


async def test_a_sessions_token_is_signed_and_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    got = await arrived(PATHS[0])
    assert got.headers["x-amz-security-token"] == TOKEN
    assert "x-amz-security-token" in got.headers["authorization"]
    assert got.headers["authorization"] == expected_signature(got, "us-east-1")


@pytest.mark.parametrize(
    "model", ["anthropic.claude-3-haiku-20240307-v1:0", "us.amazon.nova-2-lite-v1:0"]
)
async def test_botocores_own_client_would_have_sent_the_same_signature(
    model: str,
) -> None:
    captured: list[Any] = []
    client = botocore.session.Session().create_client(
        "bedrock-runtime", region_name="us-west-2", config=Config(retries={"max_attempts": 0})
    )

    class Halt(Exception):  # noqa: N818 (it is no error: the request was all that was wanted)
        pass

    def halt(request: Any, **_: Any) -> None:
        captured.append(request)
        raise Halt

    client.meta.events.register("before-send", halt)
    with pytest.raises(Halt):
        client.converse(modelId=model, messages=[{"role": "user", "content": [{"text": "Hi"}]}])
    (theirs,) = captured

    # Their headers differ (a user agent, an invocation id); the same ones sign alike.
    names = str(theirs.headers["Authorization"]).partition("SignedHeaders=")[2].partition(",")[0]
    left_to_signer = {"host", "x-amz-date"}
    headers = {n: theirs.headers[n].decode() if isinstance(theirs.headers[n], bytes) else theirs.headers[n]
               for n in names.split(";") if n not in left_to_signer}  # fmt: skip
    mine = await Signers().sign(
        provider("https://bedrock-runtime.us-west-2.amazonaws.com"),
        HttpRequest("POST", theirs.url, headers, theirs.body),
    )
    assert mine.url == theirs.url
    assert urlsplit(mine.url).path.endswith("%3A0/converse")
    their_date = theirs.headers["X-Amz-Date"]
    their_date = their_date.decode() if isinstance(their_date, bytes) else their_date
    received = Request(
        "POST",
        urlsplit(theirs.url).path,
        {**headers, "host": urlsplit(theirs.url).netloc, "x-amz-date": their_date,
         "authorization": f"SignedHeaders={names},"},
        theirs.body,
    )  # fmt: skip
    stated = theirs.headers["Authorization"]
    stated = stated.decode() if isinstance(stated, bytes) else stated
    assert stated == expected_signature(received, "us-west-2")
    assert (
        mine.headers["authorization"].partition("Signature=")[0]
        == (stated.partition("Signature=")[0])
    )


async def test_a_key_in_the_environment_is_found_when_it_comes_later(
    no_credentials: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    signers = Signers()
    request = HttpRequest("POST", "https://bedrock-runtime.us-east-1.amazonaws.com/x", {}, b"{}")
    with pytest.raises(UpstreamAuthError):
        await signers.sign(provider(request.url), request)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert (await signers.sign(provider(request.url), request)).headers["authorization"]


async def test_a_profile_is_found(
    no_credentials: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    text = f"[work]\naws_access_key_id={KEY}\naws_secret_access_key={SECRET}\nregion=ap-south-1\n"
    (tmp_path / "credentials").write_text(text)
    monkeypatch.setenv("AWS_PROFILE", "work")
    got = await arrived(PATHS[0])
    assert got.headers["authorization"] == expected_signature(got, "ap-south-1")


async def test_without_a_credential_the_error_says_what_was_looked_for(
    no_credentials: None,
) -> None:
    url = "https://bedrock-runtime.us-east-1.amazonaws.com"
    with pytest.raises(UpstreamAuthError, match="AWS_ACCESS_KEY_ID") as caught:
        await Signers().sign(provider(url), HttpRequest("POST", url + "/x", {}, b"{}"))
    assert "bedrock" in caught.value.message
    assert "AWS_PROFILE" in caught.value.message


async def test_without_a_region_the_error_names_the_variable() -> None:
    url = "http://127.0.0.1:9"
    with pytest.raises(UpstreamAuthError, match=r"NoRegionError.*AWS_REGION") as caught:
        await Signers().sign(provider(url), HttpRequest("POST", url + "/x", {}, b"{}"))
    assert SECRET not in caught.value.message


async def test_a_large_body_is_signed_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    body = b"x" * 3_000_000
    url = "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse"
    signed = await Signers().sign(provider(url), HttpRequest("POST", url, HEADERS, body))
    headers = {**signed.headers, "host": "bedrock-runtime.us-east-1.amazonaws.com"}
    request = Request("POST", "/model/m/converse", headers, body)
    assert signed.headers["authorization"] == expected_signature(request, "us-east-1")
    assert signed.body is body


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://bedrock-runtime.us-east-1.amazonaws.com/model/x/converse", "us-east-1"),
        ("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("https://vpce-0a1.bedrock-runtime.eu-west-3.vpce.amazonaws.com", "eu-west-3"),
        ("https://bedrock-runtime.ap-southeast-2.api.aws", "ap-southeast-2"),
        ("https://bedrock-runtime.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("http://127.0.0.1:8080", None),
        ("https://gateway.example/us-east-1", None),
    ],
)
def test_an_address_of_bedrock_names_its_region(url: str, region: str | None) -> None:
    assert region_of(url) == region


async def test_a_provider_without_a_chain_is_left_alone() -> None:
    request = HttpRequest("POST", "https://api.example/x", {}, b"{}")
    keyed = Provider("other", "https://api.example", api_key=Secret("k"))
    assert await Signers().sign(keyed, request) is request
