"""Chains in general: one renewal at a time, bounded, off the event loop, and no secret in an error."""

import asyncio
import subprocess
import sys
import threading

import pytest

from router.errors import UpstreamAuthError
from router.transport.signing.chain import Chain, with_headers
from router.transport.signing.signers import LOOKED_FOR, Load, Signers, scope_of
from router.values import Provider, Signer
from router.wire.http import HttpRequest

REQUEST = HttpRequest("POST", "https://x.example/y", {"accept": "a"}, b"{}")
PROVIDER = Provider("vertex", "https://x.example", signer=Signer.GOOGLE)


class FakeChain:
    """A chain whose credentials last as long as the test says."""

    def __init__(self, lasts: float = 3600, error: Exception | None = None) -> None:
        self.lasts = lasts
        self.error = error
        self.left = 0.0
        self.renewals = 0
        self.threads: set[int] = set()
        self.go = threading.Event()
        self.go.set()

    def seconds_left(self) -> float:
        return self.left

    def renew(self) -> None:
        self.threads.add(threading.get_ident())
        self.go.wait(5)
        self.renewals += 1
        if self.error:
            raise self.error
        self.left = self.lasts

    def signed(self, request: HttpRequest) -> HttpRequest:
        return with_headers(request, {"authorization": f"Bearer t{self.renewals}"})


async def renewed(chain: FakeChain, times: int) -> None:
    while chain.renewals < times:  # noqa: ASYNC110 (the chain works in a thread)
        await asyncio.sleep(0.01)


def loading(chain: FakeChain) -> Load:
    def load(signer: Signer, scope: str) -> Chain:
        return chain

    return load


async def test_a_credential_is_kept_while_it_lasts() -> None:
    chain = FakeChain()
    signers = Signers(loading(chain))
    for _ in range(3):
        signed = await signers.sign(PROVIDER, REQUEST)
        assert signed.headers == {"accept": "a", "authorization": "Bearer t1"}
    assert (signed.method, signed.url, signed.body) == ("POST", REQUEST.url, b"{}")
    assert chain.renewals == 1


async def test_many_callers_share_one_lookup_off_the_event_loop() -> None:
    chain = FakeChain()
    signers = Signers(loading(chain))
    await asyncio.gather(*(signers.sign(PROVIDER, REQUEST) for _ in range(20)))
    assert chain.renewals == 1
    assert threading.get_ident() not in chain.threads


async def test_a_credential_that_ends_soon_serves_while_it_is_renewed() -> None:
    chain = FakeChain(lasts=10)
    signers = Signers(loading(chain))
    await signers.sign(PROVIDER, REQUEST)
    chain.go.clear()
    signed = await signers.sign(PROVIDER, REQUEST)
    assert signed.headers["authorization"] == "Bearer t1"
    chain.go.set()
    await renewed(chain, 2)


async def test_a_renewal_that_fails_spoils_nothing_while_the_old_one_lasts() -> None:
    chain = FakeChain(lasts=10)
    signers = Signers(loading(chain))
    await signers.sign(PROVIDER, REQUEST)
    chain.error = ValueError("no more")
    await signers.sign(PROVIDER, REQUEST)
    await renewed(chain, 2)
    assert (await signers.sign(PROVIDER, REQUEST)).headers["authorization"] == "Bearer t2"
    chain.left = 0
    with pytest.raises(UpstreamAuthError):
        await signers.sign(PROVIDER, REQUEST)


async def test_a_failure_names_what_was_looked_for_and_repeats_nothing() -> None:
    chain = FakeChain(error=ValueError("the secret is s3cret"))
    with pytest.raises(UpstreamAuthError) as caught:
        await Signers(loading(chain)).sign(PROVIDER, REQUEST)
    assert "GOOGLE_APPLICATION_CREDENTIALS" in caught.value.message
    assert "'vertex' (ValueError)" in caught.value.message
    assert "s3cret" not in caught.value.message


async def test_a_failure_is_not_kept() -> None:
    chain = FakeChain(error=ValueError())
    signers = Signers(loading(chain))
    with pytest.raises(UpstreamAuthError):
        await signers.sign(PROVIDER, REQUEST)
    chain.error = None
    assert (await signers.sign(PROVIDER, REQUEST)).headers["authorization"] == "Bearer t2"


async def test_a_lookup_that_hangs_ends_for_the_caller_and_may_yet_succeed() -> None:
    chain = FakeChain()
    chain.go.clear()
    signers = Signers(loading(chain), lookup_seconds=0.05)
    with pytest.raises(UpstreamAuthError, match="none in time"):
        await signers.sign(PROVIDER, REQUEST)
    chain.go.set()
    await renewed(chain, 1)
    assert (await signers.sign(PROVIDER, REQUEST)).headers["authorization"] == "Bearer t1"


async def test_a_caller_that_leaves_does_not_end_the_lookup_of_others() -> None:
    chain = FakeChain()
    chain.go.clear()
    signers = Signers(loading(chain))
    leaving = asyncio.create_task(signers.sign(PROVIDER, REQUEST), name="leaving")
    staying = asyncio.create_task(signers.sign(PROVIDER, REQUEST), name="staying")
    await asyncio.sleep(0.01)
    leaving.cancel()
    await asyncio.sleep(0)
    chain.go.set()
    assert (await staying).headers["authorization"] == "Bearer t1"


def test_every_signer_says_what_it_looks_for() -> None:
    assert set(LOOKED_FOR) == set(Signer)


@pytest.mark.parametrize(
    ("base_url", "scope"),
    [
        ("https://me.openai.azure.com", "https://cognitiveservices.azure.com/.default"),
        ("https://me.openai.azure.us", "https://cognitiveservices.azure.us/.default"),
        ("https://me.openai.azure.cn", "https://cognitiveservices.azure.cn/.default"),
        ("https://proxy.example", "https://cognitiveservices.azure.com/.default"),
    ],
)
def test_a_token_is_for_the_cloud_of_the_address(base_url: str, scope: str) -> None:
    assert scope_of(base_url) == scope


def test_the_clouds_libraries_are_not_loaded_with_the_router() -> None:
    code = (
        "import router.app, sys; "
        "print([m for m in ('botocore', 'google.auth', 'azure', 'msal', 'requests') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
