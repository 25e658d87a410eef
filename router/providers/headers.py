"""Headers of a request in JSON, and the one that carries the key."""

from router.values import Provider


def headers(provider: Provider, accept: str, key_header: str | None = None) -> dict[str, str]:
    """Return the headers; the provider's configured ones count last.

    The key goes bare into the provider's own header or into `key_header`, the dialect's; as a bearer's where
    there is neither.
    """
    sent = {"content-type": "application/json", "accept": accept}
    bare = provider.key_header or key_header
    if provider.api_key and bare:
        sent[bare.lower()] = provider.api_key.reveal()
    elif provider.api_key:
        sent["authorization"] = f"Bearer {provider.api_key.reveal()}"
    return sent | {name.lower(): value for name, value in provider.headers.items()}
