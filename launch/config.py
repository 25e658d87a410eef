"""Configuration from outside: environment first, a YAML file for what is structured.

One rule joins both: the file's key `a: {b: …}` is the variable `TRUNKLINE_A__B`; the variables without
that prefix (`MODEL_LIST_URL`, `UPSTREAM_BASE_URL`, …) have the same name in the file, in lower case.
The environment overrides the file. Every error names the key, the value (secrets masked) and what was
expected. `environ` is a parameter: nothing here reads the process's own.
"""

import difflib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import platformdirs
import yaml

from edge.config import EdgeConfig, EdgeLimits
from launch.settings import PARSERS, PROVIDER_PARSERS, Path_, Setting, base_url, secret
from router.config import (
    AdmissionConfig,
    ModelListConfig,
    Policy,
    ProvidersConfig,
    ProviderSettings,
    RouterConfig,
    Timeouts,
)
from router.errors import ConfigError
from router.providers.presets import PRESETS
from router.routing.providers import variable_name
from router.values import Secret

PREFIX: Final = "TRUNKLINE_"
FILE_VARIABLE: Final = "TRUNKLINE_CONFIG"
KEYS_VARIABLE: Final = "TRUNKLINE_API_KEYS"
"""Blank, it is a mistake that would leave the gateway open; other variables count as unset then."""


FileState = tuple[int, ...] | None
"""What tells one state of a file from another; empty if it is not there, None without a file."""


@dataclass(frozen=True, slots=True)
class LogConfig:
    """How to log. `format` None: `console` on a terminal, else `json`."""

    level: str = "info"
    format: str | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """All that a command may need. `metrics_port` is for a router that runs alone; None: no such port.
    `workers` are the processes that serve the same ports.

    `file` tells the state of the configuration file that was read from any later one.
    """

    router: RouterConfig
    edge: EdgeConfig
    log: LogConfig
    metrics_port: int | None = None
    workers: int = 1
    unknown_variables: tuple[str, ...] = ()
    file: "FileState" = None


_SECRET_ENDINGS = ("api_key", "api_keys", "authorization", "headers")

_MAPPINGS: Final = frozenset({"headers", "fallbacks"})
"""Settings that are mappings themselves: their keys are names of the user's."""

_ORCHESTRATORS: Final = re.compile(
    r"TRUNKLINE(_[A-Z0-9]+)*?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_[A-Z0-9_]+)?)"
)
"""What orchestrators set by the name of a service (TRUNKLINE_PORT=tcp://…): not ours, and no error."""

UNPREFIXED: Final = (
    "MODEL_LIST_URL", "MODEL_LIST_REFRESH_SECONDS", "MODEL_LIST_AUTHORIZATION",
    "UPSTREAM_BASE_URL", "UPSTREAM_API_KEY",
)  # fmt: skip


def file_state(environ: Mapping[str, str]) -> FileState:
    """Return the state of the configuration file that `environ` names."""
    path = environ.get(FILE_VARIABLE, "").strip()
    if not path:
        return None
    try:
        found = Path(path).stat()
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def load(environ: Mapping[str, str]) -> Config:
    """Return the configuration that `environ`, and the file that it names, describe.

    Raises:
        ConfigError: at the first setting that cannot be used.

    """
    raw, state = {}, file_state(environ)
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
        elif _ORCHESTRATORS.fullmatch(setting.name):
            unknown.append(setting.name)
        elif setting.name in environ and (close := _closest(setting.name)):
            raise _unknown(setting).refuse(f"a setting that exists; did you mean {close}?")
        elif setting.name in environ and path[0] not in ("providers", "timeouts", "limits"):
            unknown.append(setting.name)
        else:
            raise _unknown(setting).refuse("a setting that exists")
    named = {name: ProviderSettings(**own) for name, own in providers.items()}
    resolution = ProvidersConfig(
        named=MappingProxyType(named),
        upstream_base_url=values.get(("upstream_base_url",)),
        upstream_api_key=values.get(("upstream_api_key",)),
        preset_keys=_preset_keys(environ),
        preset_base_urls=_preset_base_urls(environ),
    )
    config = _assemble(values, resolution, tuple(sorted(unknown)))
    return replace(config, file=state)


def _unknown(setting: Setting) -> Setting:
    """Return a setting that there is not, with its value unsaid: it may be a key, by a misspelled name."""
    return replace(setting, is_secret=True)


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


class _Loader(yaml.SafeLoader):
    """Refuses a mapping that names a key twice: YAML forbids it, and one of both would be lost in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 (as the base has it)
        names = [key.value for key, _ in node.value if key.tag == "tag:yaml.org,2002:str"]
        for name in names:
            if names.count(name) > 1:
                problem = f"found the key {name!r} twice"
                raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return super().construct_mapping(node, deep)


def _from_file(file: Path) -> dict[Path_, Setting]:
    found: dict[Path_, Setting] = {}
    try:
        # (as safe as safe_load: its loader, which takes no key twice)
        content = yaml.load(file.read_text(encoding="utf-8"), _Loader)  # noqa: S506
        if content is not None:
            _flatten(content, (), f"{file.name}: ", found)
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(FILE_VARIABLE, repr(str(file)), f"a readable file ({exc})") from exc
    except yaml.YAMLError as exc:
        place = getattr(exc, "problem_mark", None)
        where = f" (line {place.line + 1}, column {place.column + 1})" if place else ""
        raise ConfigError(FILE_VARIABLE, repr(str(file)), f"valid YAML{where}") from exc
    except (ValueError, RecursionError) as exc:
        # What looks like a date or a number and is none; an alias of what it stands in.
        raise ConfigError(FILE_VARIABLE, repr(str(file)), f"YAML that can be read ({exc})") from exc
    return found


def _flatten(value: object, path: Path_, origin: str, found: dict[Path_, Setting]) -> None:
    if isinstance(value, dict) and not (path and path[-1] in _MAPPINGS):
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
        name: secret(Setting(name, environ[name], is_secret=True))
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
                told[name] = base_url(Setting(variable, address.format(value)))
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

    def limits_of(kind: type) -> dict[str, Any]:
        names = [each.name for each in fields(kind)]
        return {name: values["limits", name] for name in names if ("limits", name) in values}

    timeouts = Timeouts(**{path[1]: v for path, v in values.items() if path[0] == "timeouts"})
    workers = values.get(("workers",), 1)
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
            policy=Policy(
                timeouts=timeouts,
                **given("retries", "retry_backoff", "balancing", "fallbacks"),
            ),
            admission=AdmissionConfig(**limits_of(AdmissionConfig)),
            reuse_port=workers > 1,
            **given("grpc_host", "grpc_port", "api_keys", "max_body_bytes", "drain_seconds"),
        ),
        edge=EdgeConfig(
            total_timeout=timeouts.total,
            limits=EdgeLimits(**limits_of(EdgeLimits)),
            reuse_port=workers > 1,
            **given("http_host", "http_port", "max_body_bytes", "drain_seconds", "cors_origins"),
            **({"router_target": values[("router",)]} if ("router",) in values else {}),
        ),
        log=LogConfig(**given(level="log_level", format="log_format")),
        workers=workers,
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
