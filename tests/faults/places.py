"""A gateway whose model `m` has several deployments, each at a scripted provider of its own."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.gateway import Gateway, gateway, row, write_list
from tests.support.upstream import Script, Upstream, upstream

HANDLE = "/v1/chat/completions"

KEYS = {"one": "first-key-of-ours", "two": "second-key-of-ours"}


@dataclass
class Places:
    """The gateway, and its providers by name."""

    gateway: Gateway
    at: dict[str, Upstream]

    def counts(self) -> dict[str, int]:
        """How many requests each provider got."""
        return {name: len(provider.requests) for name, provider in self.at.items()}


@asynccontextmanager
async def places(
    tmp_path: Path,
    scripts: dict[str, Script],
    *,
    models: dict[str, list[str]] | None = None,
    config: dict[str, Any] | None = None,
    **environ: str,
) -> AsyncIterator[Places]:
    """Give a gateway whose providers follow `scripts`, by name.

    `models` are the providers of each model, in their order of priority; all of them for `m` unless said.
    `config` goes into the configuration file.
    """
    async with AsyncExitStack() as stack:
        at = {
            name: await stack.enter_async_context(upstream(script))
            for name, script in scripts.items()
        }
        rows = [
            row(model, f"/{name}{HANDLE}", priority=number, upstream_model=f"{model}-at-{name}")
            for model, names in (models or {"m": list(scripts)}).items()
            for number, name in enumerate(names)
        ]
        given: dict[str, Any] = {"retry_backoff": 0.001, **(config or {})}
        own = given.setdefault("providers", {})
        for name, provider in at.items():
            own[name] = {"base_url": provider.url, "api_key": KEYS["one"], **own.get(name, {})}
        file = tmp_path / "trunkline.yaml"
        file.write_text(yaml.safe_dump(given), encoding="utf-8")
        environ = {
            "MODEL_LIST_URL": write_list(tmp_path / "models.json", rows),
            "TRUNKLINE_CONFIG": str(file),
            **environ,
        }
        yield Places(await stack.enter_async_context(gateway(tmp_path, environ)), at)
