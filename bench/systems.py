"""What is measured: processes that are started, found, and ended by their ids."""

import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.request import urlopen

from bench.asks import EMBEDDING_MODEL, MODEL
from bench.procfs import tree

_PATIENCE: Final = 60.0
"""Seconds until a system must have said where it listens; LiteLLM imports for a while."""

_KEY: Final = "bench-provider-key-" + "x" * 145
"""As long as those of OpenAI: what masks it may cost by its length."""

_BIN: Final = Path(sys.executable).parent

ROOT: Final = Path(__file__).resolve().parent.parent
PEERS: Final = ROOT / ".cache" / "bench"
"""Where `bench.peers` puts what is not ours."""


class StartError(Exception):
    """A system did not start; the message ends with its last words."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run works: the mock's port and a directory for what systems read and write."""

    upstream: int
    directory: Path


@dataclass(frozen=True, slots=True)
class System:
    """A running system; `roots` are the processes to account for, `started` seconds until it could be
    used.
    """

    name: str
    port: int
    roots: tuple[int, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    started: float = 0.0


Start = Callable[[Place], AbstractContextManager[System]]


@dataclass(frozen=True, slots=True)
class Launched:
    """A process and what it said on standard output until it listened."""

    process: subprocess.Popen[bytes]
    log: Path
    said: str = ""

    def port(self, pattern: str = r"http://\S+?:(\d+)") -> int:
        found = re.search(pattern, self.said)
        if not found:
            raise StartError(f"no port in {self.said!r}")
        return int(found[1])


@contextmanager
def launched(
    command: Sequence[str | Path],
    place: Place,
    *,
    until: str = r"http://\S+\n",
    environ: Mapping[str, str] | None = None,
) -> Iterator[Launched]:
    """Start a process, wait until its standard output matches `until`; end it and all it started.

    Raises:
        StartError: if it ends before, or takes too long.

    """
    inherited = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG")}
    log = place.directory / f"{Path(command[0]).name}-{time.monotonic_ns()}.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command,
            cwd=place.directory,
            env={**inherited, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if until else errors,
            stderr=errors,
        )
    try:
        yield Launched(process, log, _listen(process, until, log) if until else "")
    finally:
        end(process)


def _listen(process: subprocess.Popen[bytes], until: str, log: Path) -> str:
    assert process.stdout  # noqa: S101 (it was asked for)
    said, deadline = "", time.monotonic() + _PATIENCE
    while not re.search(until, said):
        left = deadline - time.monotonic()
        is_ready = left > 0 and select.select([process.stdout], [], [], left)[0]
        data = os.read(process.stdout.fileno(), 65536) if is_ready else b""
        if not data:
            raise StartError(f"{process.args!r} did not start: {log.read_text()[-2000:]}")
        said += data.decode()
    return said


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and everything below it, politely first."""
    pids = tree(process.pid) if process.poll() is None else []
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in pids[1:]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    if process.stdout:
        process.stdout.close()


def free_port() -> int:
    """Return a port that was free a moment ago, for those that cannot choose one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: str, it: Launched) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and it.process.poll() is None:
        try:
            with urlopen(url, timeout=5):  # noqa: S310 (an address of ours)
                return
        except OSError:
            time.sleep(0.1)
    raise StartError(f"nothing answers at {url}: {it.log.read_text()[-2000:]}")


@contextmanager
def direct(place: Place) -> Iterator[System]:
    """Nothing in between."""
    yield System("direct", place.upstream)


@contextmanager
def relay(place: Place) -> Iterator[System]:
    """The floor."""
    began = time.monotonic()
    upstream = f"http://127.0.0.1:{place.upstream}"
    with launched([sys.executable, "-m", "bench.relay", upstream], place) as it:
        yield System("relay", it.port(), (it.process.pid,), started=time.monotonic() - began)


def model_rows(count: int = 2, price: float = 0.001) -> list[dict[str, object]]:
    """Return a model list of `count` rows: the two that are asked for behind all others."""
    names = [(f"other-{i}", "chat/completions") for i in range(count - 2)]
    names += [(MODEL, "chat/completions"), (EMBEDDING_MODEL, "embeddings")]
    prices = {"prompt_price_1k": price, "completion_price_1k": 0.002}
    return [{"model_version": name, "handle": f"/bench/{path}", **prices} for name, path in names]


def environ_of(place: Place, models: Path | None, state: str) -> dict[str, str]:
    """Return a gateway's environment: its list, its provider, ports that are free."""
    listed = models or place.directory / "models.json"
    if not listed.exists():
        listed.write_text(json.dumps(model_rows()))
    return {
        "MODEL_LIST_URL": str(listed),
        "TRUNKLINE_PROVIDERS__BENCH__BASE_URL": f"http://127.0.0.1:{place.upstream}/v1",
        "TRUNKLINE_PROVIDERS__BENCH__API_KEY": _KEY,
        "TRUNKLINE_STATE_DIR": str(place.directory / state),
        "TRUNKLINE_HTTP_PORT": "0",
        "TRUNKLINE_GRPC_PORT": "0",
    }


@contextmanager
def trunkline(
    place: Place, models: Path | None = None, environ: Mapping[str, str] | None = None
) -> Iterator[System]:
    """The gateway in one process."""
    began = time.monotonic()
    settings = {**environ_of(place, models, "state-one"), **(environ or {})}
    with launched([_BIN / "trunkline", "serve"], place, until=r"curl .*\n", environ=settings) as it:
        yield System("trunkline", it.port(), (it.process.pid,), started=time.monotonic() - began)


@contextmanager
def two_tier(
    place: Place,
    name: str = "two-tier",
    binaries: Path = _BIN,
    environ: Mapping[str, str] | None = None,
) -> Iterator[System]:
    """The gateway with a router and an edge as processes of their own."""
    began = time.monotonic()
    settings = {**environ_of(place, None, f"state-{name}"), **(environ or {})}
    command = binaries / "trunkline"
    with ExitStack() as stack:
        router = stack.enter_context(
            launched([command, "router"], place, until=r"gRPC .*\n", environ=settings)
        )
        settings["TRUNKLINE_ROUTER"] = f"127.0.0.1:{router.port(r'gRPC .*:([0-9]+)')}"
        edge = stack.enter_context(
            launched([command, "edge"], place, until=r"curl .*\n", environ=settings)
        )
        roots = (router.process.pid, edge.process.pid)
        yield System(name, edge.port(), roots, started=time.monotonic() - began)


_NGINX: Final = """
daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log {directory}/nginx.log;
events {{ worker_connections 16384; }}
http {{
  access_log off; client_max_body_size 64m; client_body_buffer_size 16m;
  client_body_temp_path {directory}/nginx-body; proxy_temp_path {directory}/nginx-proxy;
  fastcgi_temp_path {directory}/nginx-f; uwsgi_temp_path {directory}/nginx-u;
  scgi_temp_path {directory}/nginx-s;
  upstream mock {{ server 127.0.0.1:{upstream}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096; keepalive_requests 1000000;
    location = /health {{ return 200; }}
    location / {{
      proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header connection "";
      proxy_buffering off;
    }}
  }}
}}
"""


def nginx_path() -> str | None:
    """Return where nginx is installed; None if it is not."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@contextmanager
def nginx(place: Place) -> Iterator[System]:
    """A relay in C, where it is installed."""
    port, settings = free_port(), place.directory / "nginx.conf"
    values = {"directory": place.directory, "upstream": place.upstream, "port": port}
    settings.write_text(_NGINX.format(**values))
    command = [nginx_path() or "nginx", "-p", str(place.directory), "-c", str(settings)]
    began = time.monotonic()
    with launched(command, place, until="") as it:
        _wait_for(f"http://127.0.0.1:{port}/health", it)
        yield System("nginx", port, (it.process.pid,), started=time.monotonic() - began)


def _litellm_model(name: str, place: Place) -> dict[str, object]:
    base = f"http://127.0.0.1:{place.upstream}/v1"
    return {
        "model_name": name,
        "litellm_params": {"model": f"openai/{name}", "api_base": base, "api_key": _KEY},
    }


@contextmanager
def litellm(place: Place) -> Iterator[System]:
    """LiteLLM's proxy with one worker and no database."""
    port, settings = free_port(), place.directory / "litellm.yaml"
    models = [_litellm_model(name, place) for name in (MODEL, EMBEDDING_MODEL)]
    # JSON is YAML; nothing is told to anybody, and no list is fetched from the web.
    settings.write_text(
        json.dumps({"model_list": models, "litellm_settings": {"telemetry": False}})
    )
    command: list[str | Path] = [
        PEERS / "litellm" / "bin" / "litellm",
        "--config",
        settings,
        "--host",
        "127.0.0.1",
    ]
    command += ["--port", str(port), "--num_workers", "1", "--telemetry", "False"]
    began = time.monotonic()
    environ = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        # As with the others: whoever is on this machine may call.
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    }
    with launched(command, place, until="", environ=environ) as it:
        _wait_for(f"http://127.0.0.1:{port}/health/liveliness", it)
        yield System("litellm", port, (it.process.pid,), started=time.monotonic() - began)


PORTKEY: Final = PEERS / "portkey" / "node_modules" / "@portkey-ai" / "gateway"


@contextmanager
def portkey(place: Place) -> Iterator[System]:
    """Portkey's gateway; which provider it asks is told by headers of each request."""
    port = free_port()
    command: list[str | Path] = [
        "node",
        PORTKEY / "build" / "start-server.js",
        f"--port={port}",
        "--headless",
    ]
    headers = {
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": f"http://127.0.0.1:{place.upstream}/v1",
    }
    began = time.monotonic()
    with launched(command, place, until="") as it:
        _wait_for(f"http://127.0.0.1:{port}/", it)
        yield System("portkey", port, (it.process.pid,), headers, time.monotonic() - began)
