"""Configuration from outside: environment first, a YAML file for what is structured.

One rule joins both: the file's key `a: {b: …}` is the variable `TRUNKLINE_A__B`; the variables without
that prefix (`MODEL_LIST_URL`, `UPSTREAM_BASE_URL`, …) have the same name in the file, in lower case.
The environment overrides the file. Every error names the key, the value (secrets masked) and what was
expected. `environ` is a parameter: nothing here reads the process's own.
"""

import difflib
import ipaddress
import math
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

import platformdirs
import yaml

from edge.config import EdgeConfig
from router.config import (
    ModelListConfig,
    ProvidersConfig,
    ProviderSettings,
    RouterConfig,
    Timeouts,
)
from router.errors import ConfigError
from router.providers.presets import PRESETS
from router.routing.providers import variable_name
from router.values import Dialect, Secret

PREFIX: Final = "TRUNKLINE_"
FILE_VARIABLE: Final = "TRUNKLINE_CONFIG"
KEYS_VARIABLE: Final = "TRUNKLINE_API_KEYS"
"""Blank, it is a mistake that would leave the gateway open; other variables count as unset then."""

_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s?#@]+")

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9-]+")

_CREDENTIALS: Final = re.compile(r"(?<=//).*@|(?<=\?).*")
"""Where an address may hold them: before its host, and in its query."""

Path_ = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LogConfig:
    """How to log. `format` None: `console` on a terminal, else `json`."""

    level: str = "info"
    format: str | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """All that a command may need. `metrics_port` is for a router that runs alone; None: no such port."""

    router: RouterConfig
    edge: EdgeConfig
    log: LogConfig
    metrics_port: int | None = None
    unknown_variables: tuple[str, ...] = ()


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


def _secret(setting: Setting) -> Secret:
    text = _text(setting)
    if not _is_printable(text):
        raise setting.refuse("printable ASCII without line breaks")
    return Secret(text)


def _secrets(setting: Setting) -> tuple[Secret, ...]:
    values = setting.value if isinstance(setting.value, list) else str(setting.value).split(",")
    names = [Setting(setting.name, value, is_secret=True) for value in values]
    keys = tuple(_secret(item) for item in names if str(item.value).strip())
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


def _base_url(setting: Setting) -> str:
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


def _headers(setting: Setting) -> Mapping[str, str]:
    if not isinstance(setting.value, dict):
        raise setting.refuse("a mapping of header names to values")
    if not all(_HEADER_NAME.fullmatch(str(name)) for name in setting.value):
        raise setting.refuse("header names of letters, digits and hyphens")
    return MappingProxyType({
        str(name).lower(): _secret(Setting(setting.name, str(value), is_secret=True)).reveal()
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


_PORT = _whole(0, 65535)

PARSERS: Final[Mapping[Path_, Callable[[Setting], Any]]] = MappingProxyType({
    ("model_list_url",): _list_source,
    ("model_list_refresh_seconds",): _seconds,
    ("model_list_authorization",): _secret,
    ("http_host",): _text,
    ("http_port",): _PORT,
    ("grpc_host",): _text,
    ("grpc_port",): _PORT,
    ("metrics_port",): _PORT,
    ("router",): _router_target,
    ("state_dir",): lambda setting: Path(_text(setting)).expanduser(),
    ("api_keys",): _secrets,
    ("upstream_base_url",): _base_url,
    ("upstream_api_key",): _secret,
    ("timeouts", "connect"): _seconds,
    ("timeouts", "first_token"): _seconds,
    ("timeouts", "idle"): _seconds,
    ("timeouts", "total"): _seconds,
    ("max_body_bytes",): _whole(1024, 1024**3),
    ("drain_seconds",): _seconds,
    ("cors_origins",): _origins,
    ("log_level",): _one_of("debug", "info", "warning", "error"),
    ("log_format",): _one_of("json", "console"),
})  # fmt: skip
"""Every setting and how it is read; providers, keyed by name, are apart."""

PROVIDER_PARSERS: Final[Mapping[str, Callable[[Setting], Any]]] = MappingProxyType({
    "base_url": _base_url, "api_key": _secret, "dialect": _dialect, "headers": _headers,
})  # fmt: skip

_SECRET_ENDINGS = ("api_key", "api_keys", "authorization", "headers")

RESERVED: Final = frozenset({("retries",)})
"""Settings that have a name, and no effect yet: said, and no error."""

_ORCHESTRATORS: Final = re.compile(
    r"TRUNKLINE(_[A-Z0-9]+)*?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_[A-Z0-9_]+)?)"
)
"""What orchestrators set by the name of a service (TRUNKLINE_PORT=tcp://…): not ours, and no error."""

UNPREFIXED: Final = (
    "MODEL_LIST_URL", "MODEL_LIST_REFRESH_SECONDS", "MODEL_LIST_AUTHORIZATION",
    "UPSTREAM_BASE_URL", "UPSTREAM_API_KEY",
)  # fmt: skip


def load(environ: Mapping[str, str]) -> Config:
    """Return the configuration that `environ`, and the file that it names, describe.

    Raises:
        ConfigError: at the first setting that cannot be used.

    """
    raw = {}
    if file := environ.get(FILE_VARIABLE, "").strip():
        raw.update(_from_file(Path(file)))
    raw.update(_from_environment(environ))
    values: dict[Path_, Any] = {}
    providers: dict[str, dict[str, Any]] = {}
    unknown: list[str] = []
    for path, setting in raw.items():
        if path in PARSERS:
            values[path] = PARSERS[path](setting)
        elif len(path) == 3 and path[0] == "providers" and path[2] in PROVIDER_PARSERS:
            name = variable_name(path[1])
            providers.setdefault(name, {})[path[2]] = PROVIDER_PARSERS[path[2]](setting)
        elif path in RESERVED or _ORCHESTRATORS.fullmatch(setting.name):
            unknown.append(setting.name)
        elif setting.name in environ and (close := _closest(setting.name)):
            raise setting.refuse(f"a setting that exists; did you mean {close}?")
        elif setting.name in environ and path[0] not in ("providers", "timeouts"):
            unknown.append(setting.name)
        else:
            raise setting.refuse("a setting that exists")
    named = {name: ProviderSettings(**fields) for name, fields in providers.items()}
    resolution = ProvidersConfig(
        named=MappingProxyType(named),
        upstream_base_url=values.get(("upstream_base_url",)),
        upstream_api_key=values.get(("upstream_api_key",)),
        preset_keys=_preset_keys(environ),
        preset_base_urls=_preset_base_urls(environ),
    )
    return _assemble(values, resolution, tuple(sorted(unknown)))


def _closest(name: str) -> str:
    """Return the variable that a misspelled one probably means: one slip can leave a gateway open."""
    known = [PREFIX + "__".join(path).upper() for path in PARSERS]
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.85)), "")


def _from_environment(environ: Mapping[str, str]) -> dict[Path_, Setting]:
    found = {}
    for name, value in environ.items():
        if name == FILE_VARIABLE or not value:
            continue
        if not value.strip() and name != KEYS_VARIABLE:
            continue
        if name in UNPREFIXED:
            path: Path_ = (name.lower(),)
        elif name.startswith(PREFIX):
            path = tuple(name.removeprefix(PREFIX).lower().split("__"))
        else:
            continue
        found[path] = Setting(name, value, is_secret=path[-1].endswith(_SECRET_ENDINGS))
    return found


def _from_file(file: Path) -> dict[Path_, Setting]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(FILE_VARIABLE, repr(str(file)), f"a readable file ({exc})") from exc
    except yaml.YAMLError as exc:
        place = getattr(exc, "problem_mark", None)
        where = f" (line {place.line + 1}, column {place.column + 1})" if place else ""
        raise ConfigError(FILE_VARIABLE, repr(str(file)), f"valid YAML{where}") from exc
    if content is None:
        return {}
    found: dict[Path_, Setting] = {}
    _flatten(content, (), f"{file.name}: ", found)
    return found


def _flatten(value: object, path: Path_, origin: str, found: dict[Path_, Setting]) -> None:
    if isinstance(value, dict) and (not path or path[-1] != "headers"):
        for key, inner in value.items():
            _flatten(inner, (*path, str(key).lower()), origin, found)
    elif not path:
        raise ConfigError(FILE_VARIABLE, origin.rstrip(": "), "a mapping of settings")
    elif value is not None:
        name = origin + ".".join(path)
        found[path] = Setting(name, value, is_secret=path[-1].endswith(_SECRET_ENDINGS))


def _preset_keys(environ: Mapping[str, str]) -> Mapping[str, Secret]:
    variables = {preset.key_variable for preset in PRESETS.values() if preset.key_variable}
    return MappingProxyType({
        name: _secret(Setting(name, environ[name], is_secret=True))
        for name in sorted(variables)
        if environ.get(name, "").strip()
    })  # fmt: skip


def _preset_base_urls(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the addresses of presets that variables of the vendors' own tell."""
    told: dict[str, str] = {}
    for name, preset in PRESETS.items():
        for variable, address in preset.base_url_variables.items():
            value = environ.get(variable, "").strip()
            if value:
                told[name] = _base_url(Setting(variable, address.format(value)))
                break
    return MappingProxyType(told)


def _assemble(
    values: Mapping[Path_, Any],
    providers: ProvidersConfig,
    unknown: tuple[str, ...],
) -> Config:
    def given(*names: str, **renamed: str) -> dict[str, Any]:
        wanted = {**{n: n for n in names}, **renamed}
        return {field: values[(n,)] for field, n in wanted.items() if (n,) in values}

    timeouts = Timeouts(**{path[1]: v for path, v in values.items() if path[0] == "timeouts"})
    state_dir = values.get(("state_dir",)) or Path(platformdirs.user_state_dir("trunkline"))
    return Config(
        router=RouterConfig(
            state_dir=state_dir,
            model_list=ModelListConfig(
                **given(
                    source="model_list_url",
                    refresh_seconds="model_list_refresh_seconds",
                    authorization="model_list_authorization",
                )
            ),
            providers=providers,
            timeouts=timeouts,
            **given("grpc_host", "grpc_port", "api_keys", "max_body_bytes", "drain_seconds"),
        ),
        edge=EdgeConfig(
            total_timeout=timeouts.total,
            **given("http_host", "http_port", "max_body_bytes", "drain_seconds", "cors_origins"),
            **({"router_target": values[("router",)]} if ("router",) in values else {}),
        ),
        log=LogConfig(**given(level="log_level", format="log_format")),
        unknown_variables=unknown,
        **given("metrics_port"),
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a listener on `host`."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def require_keys(config: RouterConfig, *hosts: tuple[str, str]) -> None:
    """Refuse to start without keys where others than this machine can call.

    `hosts` are pairs of a variable's name and the host it holds.

    Raises:
        ConfigError: naming both variables.

    """
    for variable, host in hosts:
        if not config.api_keys and not is_loopback(host):
            expected = "a loopback address, or keys for callers in TRUNKLINE_API_KEYS"
            raise ConfigError(variable, repr(host), expected)
