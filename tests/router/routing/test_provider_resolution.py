"""A provider's address and key: its own setting, then UPSTREAM_*, then the preset, each for itself."""

import pytest

from router.config import ProvidersConfig, ProviderSettings
from router.routing.handle import HandleError
from router.routing.providers import at_location, resolve, variable_name
from router.values import Secret

OWN = Secret("own")
UPSTREAM = Secret("upstream")
PRESET = Secret("preset")


def test_names_become_variables() -> None:
    assert variable_name("my-vllm.v2") == "MY_VLLM_V2"


def test_the_preset_serves_where_nothing_is_set() -> None:
    provider = resolve("openai", ProvidersConfig(preset_keys={"OPENAI_API_KEY": PRESET}))

    assert (provider.base_url, provider.api_key) == ("https://api.openai.com", PRESET)
    assert not provider.whole_handle


def test_upstream_goes_before_the_preset_and_takes_the_whole_handle() -> None:
    config = ProvidersConfig(
        upstream_base_url="http://one/base/",
        upstream_api_key=UPSTREAM,
        preset_keys={"OPENAI_API_KEY": PRESET},
    )
    provider = resolve("openai", config)

    assert (provider.base_url, provider.api_key) == ("http://one/base", UPSTREAM)
    assert provider.whole_handle


def test_the_providers_own_setting_goes_before_all() -> None:
    config = ProvidersConfig(
        named={"OPENAI": ProviderSettings(base_url="http://own", api_key=OWN)},
        upstream_base_url="http://one",
        upstream_api_key=UPSTREAM,
    )
    provider = resolve("openai", config)

    assert (provider.base_url, provider.api_key, provider.whole_handle) == (
        "http://own",
        OWN,
        False,
    )


def test_address_and_key_are_decided_apart() -> None:
    config = ProvidersConfig(upstream_base_url="http://one", preset_keys={"OPENAI_API_KEY": PRESET})

    assert resolve("openai", config).api_key is PRESET


def test_a_provider_without_preset_works_once_it_has_an_address() -> None:
    config = ProvidersConfig(named={"MY_VLLM": ProviderSettings(base_url="http://gpu:8000")})

    assert resolve("my-vllm", config).base_url == "http://gpu:8000"
    assert resolve("my-vllm", config).key_variable is None
    with pytest.raises(HandleError, match="TRUNKLINE_PROVIDERS__OTHER__BASE_URL"):
        resolve("other", config)


def test_the_built_in_provider_stays_built_in() -> None:
    assert (
        resolve("demo", ProvidersConfig(upstream_base_url="http://one")).base_url
        == "demo://builtin"
    )


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("global", "aiplatform.googleapis.com"),
        ("us-east5", "us-east5-aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_vertex_is_called_where_the_paths_location_is(location: str, host: str) -> None:
    vertex = resolve("vertex", ProvidersConfig())
    path = f"/v1/projects/p/locations/{location}/publishers/google/models/m:generateContent"

    assert at_location(vertex, path).base_url == f"https://{host}"
    assert at_location(vertex, "/v1/publishers/google/models/m:generateContent") is vertex


def test_a_configured_address_stays_whatever_the_path_says() -> None:
    own = {"VERTEX": ProviderSettings(base_url="https://vertex.internal")}
    vertex = resolve("vertex", ProvidersConfig(named=own))

    assert at_location(vertex, "/v1/projects/p/locations/us-east5/x") is vertex


def test_an_address_that_a_vendors_own_variable_tells_stands_in_for_the_presets() -> None:
    told = {"bedrock": "https://bedrock-runtime.eu-west-1.amazonaws.com"}
    config = ProvidersConfig(preset_base_urls=told)
    provider = resolve("Bedrock", config)
    assert provider.base_url == told["bedrock"]
    assert provider.signer is not None
    own = ProviderSettings(base_url="https://proxy.example")
    config = ProvidersConfig(named={"BEDROCK": own}, preset_base_urls=told)
    assert resolve("bedrock", config).base_url == "https://proxy.example"


@pytest.mark.parametrize("name", ["azure", "bedrock"])
def test_a_cloud_without_address_is_set_aside(name: str) -> None:
    with pytest.raises(HandleError, match=f"{name.upper()}__BASE_URL"):
        resolve(name, ProvidersConfig())


def test_a_configured_credential_header_needs_no_key_and_no_chain() -> None:
    own = ProviderSettings(base_url="http://host", headers={"authorization": "Bearer own-token"})
    config = ProvidersConfig(named={"OPENAI": own, "VERTEX": own})

    openai, vertex = resolve("openai", config), resolve("vertex", config)
    assert (openai.key_variable, vertex.signer) == (None, None)
    assert Secret("Bearer own-token") in openai.secrets
