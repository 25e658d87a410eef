"""Who a handle's provider is: its preset as the configuration changes it.

Precedence, for address and key each: the provider's own setting, then `UPSTREAM_*`, then the preset.
"""

import re
from dataclasses import replace
from typing import Final

from router.config import ProvidersConfig, ProviderSettings
from router.providers.presets import PRESETS, VERTEX_GLOBAL
from router.routing.handle import HandleError
from router.values import Provider, Secret

CREDENTIAL_HEADERS: Final = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key"})
"""Where providers look for credentials."""

BUILT_IN_SCHEME: Final = "demo:"
"""Of addresses that no network is needed for."""

_LOCATION = re.compile(r"/locations/([a-z0-9-]+)/")


def variable_name(provider: str) -> str:
    """Return NAME as it stands in `TRUNKLINE_PROVIDERS__<NAME>__…` for a provider."""
    return re.sub(r"[-.]", "_", provider).upper()


def resolve(name: str, config: ProvidersConfig) -> Provider:
    """Return the provider called `name`.

    Raises:
        HandleError: if it has no base URL.

    """
    preset = PRESETS.get(name.lower())
    own = config.named.get(variable_name(name), ProviderSettings())
    # What is built in is nowhere else: one base for all is not meant for it.
    is_built_in = preset is not None and preset.base_url.startswith(BUILT_IN_SCHEME)
    upstream = None if is_built_in else config.upstream_base_url
    told = config.preset_base_urls.get(name.lower())
    base_url = own.base_url or upstream or told or (preset and preset.base_url)
    if not base_url:
        variable = f"TRUNKLINE_PROVIDERS__{variable_name(name)}__BASE_URL"
        msg = f"provider '{name}' has no base URL: set {variable}"
        raise HandleError(msg)
    api_key, *spares = own_keys(own) or (config.upstream_api_key or _preset_key(name, config),)
    # Who configures the header that carries a credential needs no other.
    is_authorized = not CREDENTIAL_HEADERS.isdisjoint(own.headers)
    return Provider(
        name=name,
        base_url=base_url.rstrip("/"),
        api_key=api_key,
        secrets=tuple(k for k in (api_key, *spares, *map(Secret, own.headers.values())) if k),
        key_variable=preset.key_variable if preset and not is_authorized else None,
        dialect=own.dialect or (preset.dialect if preset else None),
        headers={**(preset.headers if preset else {}), **own.headers},
        volunteers_usage=bool(preset and preset.volunteers_usage),
        whole_handle=own.base_url is None and upstream is not None,
        key_header=preset.key_header if preset else None,
        signer=preset.signer if preset and not is_authorized else None,
        max_concurrency=own.max_concurrency,
        spare_keys=tuple(key for key in spares if key),
    )


def own_keys(settings: ProviderSettings) -> tuple[Secret, ...]:
    """Return the keys that are configured for a provider by name, each once, in the order of their turns."""
    single = (settings.api_key,) if settings.api_key else ()
    return tuple(dict.fromkeys((*single, *settings.api_keys)))


def at_location(provider: Provider, path: str) -> Provider:
    """Return `provider` at the address that serves the location in `path`; one that is configured stays.

    Vertex AI has an address for each region, and others for the multi-regions `us` and `eu`. Source:
    https://cloud.google.com/vertex-ai/generative-ai/docs/learn/locations.
    """
    found = _LOCATION.search(path)
    if found is None or found[1] == "global" or provider.base_url != VERTEX_GLOBAL:
        return provider
    location = found[1]
    host = f"{location}-aiplatform" if "-" in location else f"aiplatform.{location}.rep"
    return replace(provider, base_url=f"https://{host}.googleapis.com")


def _preset_key(name: str, config: ProvidersConfig) -> Secret | None:
    preset = PRESETS.get(name.lower())
    if preset is None or preset.key_variable is None:
        return None
    return config.preset_keys.get(preset.key_variable)
