"""Google's and Microsoft's libraries against a scripted token endpoint. No credential here opens anything."""

import json
import logging
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from router.errors import UpstreamAuthError
from router.transport.signing import Signers
from router.values import Provider, Signer
from router.wire.http import HttpRequest
from tests.support.upstream import Upstream, reply, upstream

REQUEST = HttpRequest("POST", "https://x.example/y", {"accept": "a"}, b"{}")
VERTEX = Provider("vertex", "https://aiplatform.googleapis.com", signer=Signer.GOOGLE)
AZURE = Provider("azure", "https://me.openai.azure.com", signer=Signer.ENTRA)


def account_file(folder: Path, server: Upstream) -> Path:
    """A service account's file, as Google gives it out, with a key of its own."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = folder / "account.json"
    path.write_text(
        json.dumps(
            {
                "type": "service_account",
                "project_id": "p",
                "private_key_id": "k",
                "private_key": key.decode(),
                "client_email": "robot@p.iam.gserviceaccount.com",
                "client_id": "1",
                "token_uri": f"{server.url}/token",
            }
        )
    )
    return path


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "AZURE_CLIENT_ID", "AZURE_TENANT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


async def test_googles_token_is_fetched_once_and_put_on_the_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = {"access_token": "ya29.fake", "expires_in": 3600, "token_type": "Bearer"}
    async with upstream(reply(answer)) as server:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account_file(tmp_path, server)))
        signers = Signers()
        for _ in range(2):
            signed = await signers.sign(VERTEX, REQUEST)
            assert signed.headers["authorization"] == "Bearer ya29.fake"
    (asked,) = server.requests
    assert b"jwt-bearer" in asked.body


async def test_a_token_whose_end_is_not_stated_serves_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with upstream(reply({"access_token": "ya29.fake"})) as server:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account_file(tmp_path, server)))
        signers = Signers()
        for _ in range(2):
            signed = await signers.sign(VERTEX, REQUEST)
            assert signed.headers["authorization"] == "Bearer ya29.fake"
    assert len(server.requests) == 1


async def test_the_project_that_pays_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = {"access_token": "ya29.fake", "expires_in": 3600, "token_type": "Bearer"}
    async with upstream(reply(answer)) as server:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account_file(tmp_path, server)))
        monkeypatch.setenv("GOOGLE_CLOUD_QUOTA_PROJECT", "payer")
        signed = await Signers().sign(VERTEX, REQUEST)
    assert signed.headers["x-goog-user-project"] == "payer"


async def test_a_token_that_google_refuses_is_our_credentials_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = {"error": "invalid_grant", "error_description": "account-secret is unknown"}
    async with upstream(reply(refusal, status=400)) as server:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account_file(tmp_path, server)))
        with pytest.raises(UpstreamAuthError, match="RefreshError") as caught:
            await Signers().sign(VERTEX, REQUEST)
    assert "account-secret" not in caught.value.message


async def test_without_googles_credentials_the_error_says_what_was_looked_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(UpstreamAuthError, match="GOOGLE_APPLICATION_CREDENTIALS"):
        await Signers().sign(VERTEX, REQUEST)
    caplog.clear()


def identity_answer(expires: float) -> dict[str, Any]:
    return {
        "access_token": "eyJ.fake.token",
        "expires_on": str(int(expires)),
        "resource": "https://cognitiveservices.azure.com",
        "token_type": "Bearer",
    }


async def test_entras_token_is_fetched_once_and_put_on_the_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with upstream(reply(identity_answer(time.time() + 7200))) as server:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{server.url}/identity")
        monkeypatch.setenv("IDENTITY_HEADER", "fake-header")
        monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
        signers = Signers()
        for _ in range(2):
            signed = await signers.sign(AZURE, REQUEST)
            assert signed.headers["authorization"] == "Bearer eyJ.fake.token"
    (asked,) = server.requests
    assert "cognitiveservices.azure.com" in asked.target


async def test_without_entras_credentials_the_error_says_what_was_looked_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    caplog.set_level(logging.CRITICAL, logger="azure")
    with pytest.raises(UpstreamAuthError, match="AZURE_OPENAI_API_KEY"):
        await Signers().sign(AZURE, REQUEST)
