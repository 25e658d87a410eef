"""Single settings: how each one is read, and what is said of one that cannot be used."""

import ipaddress
import math
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from router.config import Balancing, Fallbacks
from router.errors import ConfigError
from router.values import Dialect, Secret

_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s?#@]+")

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9-]+")

_CREDENTIALS: Final = re.compile(r"(?<=//).*@|(?<=\?).*")
"""Where an address may hold them: before its host, and in its query."""

Path_ = tuple[str, ...]
"""Where a setting stands: its keys from the outermost on."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One value as it came: its name for messages, and whether messages may show it."""

    name: str
    value: object
    is_secret: bool = False

    def refuse(self, expected: str) -> ConfigError:
        """Return the error for this value."""
        shown = "***" if self.is_secret else repr(_CREDENTIALS.sub("***", str(self.value)))
        return ConfigError(self.name, shown, expected)


def _text(setting: Setting) -> str:
    if not isinstance(setting.value, str) or not setting.value.strip():
        raise setting.refuse("a text")
    return setting.value.strip()


def _is_printable(text: str) -> bool:
    return text.isascii() and text.isprintable()


def secret(setting: Setting) -> Secret:
    text = _text(setting)
    if not _is_printable(text):
        raise setting.refuse("printable ASCII without line breaks")
    return Secret(text)


def _secrets(setting: Setting) -> tuple[Secret, ...]:
    values = setting.value if isinstance(setting.value, list) else str(setting.value).split(",")
    if not all(isinstance(value, str) for value in values) or isinstance(setting.value, bool):
        raise setting.refuse("keys as text, comma separated or as a list")
    names = [Setting(setting.name, value, is_secret=True) for value in values]
    keys = tuple(secret(item) for item in names if str(item.value).strip())
    if not keys:
        raise setting.refuse("one or more keys, comma separated")
    return keys


def _texts(setting: Setting) -> tuple[str, ...]:
    values = setting.value if isinstance(setting.value, list) else str(setting.value).split(",")
    return tuple(str(value).strip() for value in values if str(value).strip())


def _origins(setting: Setting) -> tuple[str, ...]:
    origins = _texts(setting)
    if not all(origin == "*" or _ORIGIN.fullmatch(origin) for origin in origins):
        raise setting.refuse(
            "origins like https://host or https://host:port, comma separated, or *"
        )
    return origins


def _number(setting: Setting, low: float, high: float, expected: str) -> float:
    try:
        number = float(str(setting.value))
    except ValueError:
        raise setting.refuse(expected) from None
    if not (math.isfinite(number) and low <= number <= high) or isinstance(setting.value, bool):
        raise setting.refuse(expected)
    return number


def _seconds(setting: Setting) -> float:
    return _number(setting, 0.001, 86_400 * 365, "a number of seconds above 0")


def _whole(low: int, high: int) -> Callable[[Setting], int]:
    expected = f"a whole number from {low} to {high}"

    def parse(setting: Setting) -> int:
        number = _number(setting, low, high, expected)
        if number != int(number):
            raise setting.refuse(expected)
        return int(number)

    return parse


def base_url(setting: Setting) -> str:
    text = _text(setting)
    expected = "an address like https://host/path, without query"
    try:
        url = urlsplit(text)
        has_port_error = url.port is not None and not 0 < url.port < 65536
    except ValueError:
        raise setting.refuse(expected) from None
    if url.scheme not in ("http", "https") or not url.hostname or has_port_error:
        raise setting.refuse(expected)
    if url.query or url.fragment or " " in text or not _is_printable(text):
        raise setting.refuse(expected)
    if url.username is not None:
        raise setting.refuse(
            "an address without user and password; keys have variables of their own"
        )
    return text


def _list_source(setting: Setting) -> str:
    text = _text(setting)
    scheme, separator, _ = text.partition("://")
    if separator and scheme.lower() not in ("http", "https", "file"):
        raise setting.refuse("an http(s):// or file:// address, or a path")
    if separator and scheme.lower() != "file":
        try:
            host = urlsplit(text).hostname
        except ValueError:
            host = None
        if not host or not _is_printable(text):
            raise setting.refuse("an address with a host")
    return text


def _one_of(*words: str) -> Callable[[Setting], str]:
    def parse(setting: Setting) -> str:
        word = str(setting.value).strip().lower()
        if word not in words:
            raise setting.refuse("one of " + ", ".join(words))
        return word

    return parse


def _dialect(setting: Setting) -> Dialect:
    return Dialect(_one_of(*Dialect)(setting))


def _balancing(setting: Setting) -> Balancing:
    return Balancing(_one_of(*Balancing)(setting))


def _headers(setting: Setting) -> Mapping[str, str]:
    if not isinstance(setting.value, dict):
        raise setting.refuse("a mapping of header names to values")
    if not all(_HEADER_NAME.fullmatch(str(name)) for name in setting.value):
        raise setting.refuse("header names of letters, digits and hyphens")
    if not all(isinstance(value, str | int | float) for value in setting.value.values()):
        raise setting.refuse("texts as the values of headers")
    return MappingProxyType({
        str(name).lower(): secret(Setting(setting.name, str(value), is_secret=True)).reveal()
        for name, value in setting.value.items()
    })  # fmt: skip


def _router_target(setting: Setting) -> str:
    """Return the gRPC target that a router's address, a list of them, or a target names.

    gRPC takes a list of addresses only as literals; names of a list are resolved here, once.
    Source of the syntax: https://github.com/grpc/grpc/blob/master/doc/naming.md
    """
    text = _text(setting)
    if text.startswith(("dns:", "ipv4:", "ipv6:", "unix:", "unix-abstract:", "xds:")):
        return text
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    parts = [_host_and_port(setting, entry) for entry in entries]
    if len(parts) == 1:
        return entries[0]
    addresses = [(_resolved(setting, host, port), port) for host, port in parts]
    families = {address.version for address, _ in addresses}
    if len(families) != 1:
        raise setting.refuse("addresses of one family, IPv4 or IPv6")
    if families == {4}:
        return "ipv4:" + ",".join(f"{address}:{port}" for address, port in addresses)
    return "ipv6:" + ",".join(f"[{address}]:{port}" for address, port in addresses)


def _host_and_port(setting: Setting, entry: str) -> tuple[str, int]:
    expected = "host:port, a comma-separated list of them, or a gRPC target like dns:///host:port"
    try:
        parts = urlsplit(f"//{entry}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise setting.refuse(expected) from None
    if not host or not port or parts.path or parts.query or parts.username:
        raise setting.refuse(expected)
    return host, port


def _resolved(
    setting: Setting, host: str, port: int
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as exc:
        raise setting.refuse(f"hosts that can be resolved ({host}: {exc})") from exc
    return ipaddress.ip_address(found[0][4][0])


def _model_names(setting: Setting) -> tuple[str, ...]:
    given = setting.value if isinstance(setting.value, list) else [setting.value]
    names = [name.strip() for name in given if isinstance(name, str)]
    if not names or len(names) < len(given) or not all(names):
        raise setting.refuse("a model or a list of models")
    return tuple(names)


_FALLBACK_KINDS: Final = ("general", "context_window", "content_policy")


def _fallbacks(setting: Setting) -> Mapping[str, Fallbacks]:
    """Read where calls may go on: models by the model asked for, or `*`, and perhaps by kind of failure."""
    if not isinstance(setting.value, dict):
        raise setting.refuse("a mapping of models to the models to go on with")
    return MappingProxyType(dict(_fallback_rows(setting, setting.value)))


def _fallback_rows(setting: Setting, rows: Mapping[Any, Any]) -> Iterator[tuple[str, Fallbacks]]:
    for model, value in rows.items():
        place = f"{setting.name}.{model}"
        kinds = value if isinstance(value, dict) else {"general": value}
        if unknown := sorted(map(str, kinds.keys() - set(_FALLBACK_KINDS))):
            raise Setting(place, unknown[0]).refuse("one of " + ", ".join(_FALLBACK_KINDS))
        named = {k: _model_names(Setting(f"{place}.{k}", v)) for k, v in kinds.items()}
        yield str(model), Fallbacks(**named)


_PORT = _whole(0, 65535)

PARSERS: Final[Mapping[Path_, Callable[[Setting], Any]]] = MappingProxyType({
    ("model_list_url",): _list_source,
    ("model_list_refresh_seconds",): _seconds,
    ("model_list_authorization",): secret,
    ("http_host",): _text,
    ("http_port",): _PORT,
    ("grpc_host",): _text,
    ("grpc_port",): _PORT,
    ("metrics_port",): _PORT,
    ("router",): _router_target,
    ("workers",): _whole(1, 1024),
    ("state_dir",): lambda setting: Path(_text(setting)).expanduser(),
    ("api_keys",): _secrets,
    ("upstream_base_url",): base_url,
    ("upstream_api_key",): secret,
    ("timeouts", "connect"): _seconds,
    ("timeouts", "first_token"): _seconds,
    ("timeouts", "idle"): _seconds,
    ("timeouts", "total"): _seconds,
    ("max_body_bytes",): _whole(1024, 1024**3),
    ("drain_seconds",): _seconds,
    ("retries",): _whole(0, 10),
    ("retry_backoff",): _seconds,
    ("balancing",): _balancing,
    ("fallbacks",): _fallbacks,
    ("limits", "requests"): _whole(1, 10**6),
    ("limits", "connections"): _whole(1, 10**6),
    ("limits", "held_bytes"): _whole(1024, 2**50),
    ("limits", "concurrency"): _whole(1, 1_000_000),
    ("limits", "queue"): _whole(0, 1_000_000),
    ("limits", "deployment_queue"): _whole(0, 1_000_000),
    ("cors_origins",): _origins,
    ("log_level",): _one_of("debug", "info", "warning", "error"),
    ("log_format",): _one_of("json", "console"),
})  # fmt: skip
"""Every setting and how it is read; providers, keyed by name, are apart."""

PROVIDER_PARSERS: Final[Mapping[str, Callable[[Setting], Any]]] = MappingProxyType({
    "base_url": base_url, "api_key": secret, "api_keys": _secrets, "dialect": _dialect, "headers": _headers,
    "max_concurrency": _whole(1, 1_000_000),
})  # fmt: skip
