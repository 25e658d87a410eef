"""The supervisor's process: `python -m launch.workers <command>`. It takes its turn from the command line."""

import asyncio
import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import structlog

from edge.listening import reserve
from launch import logs
from launch.config import Config, load
from launch.ports import METRICS, OF_COMMAND, cannot_listen
from launch.workers.supervisor import EXIT_CONFIG, EXIT_FORCED, Supervisor
from router.errors import ConfigError

_LOG = structlog.get_logger("trunkline.launch")


def main(arguments: Sequence[str]) -> int:
    """Serve until a signal; return the exit status."""
    (command,) = arguments
    try:
        config = load(os.environ)
        logs.set_up(config.log, logs.secrets_of(config))
        for name in config.unknown_variables:
            _LOG.warning("unknown_variable_ignored", variable=name)
        with reserved(command, config) as places:
            supervisor = Supervisor(command, config, {**os.environ, **places})
            return asyncio.run(supervisor.run(_say))
    except ConfigError as exc:
        sys.stderr.write(f"trunkline: {exc}\n")
        return EXIT_CONFIG
    except KeyboardInterrupt:
        return EXIT_FORCED


@contextmanager
def reserved(command: str, config: Config) -> Iterator[Mapping[str, str]]:
    """Hold the ports of a command; give the variables that tell workers what a changed file must not move.

    Raises:
        ConfigError: if a port cannot be had.

    """
    told = {
        "TRUNKLINE_WORKERS": str(config.workers),
        "TRUNKLINE_STATE_DIR": str(config.router.state_dir),
    }
    with ExitStack() as held:
        for place in OF_COMMAND[command]:
            host, port = place.host(config), place.port(config)
            if port is None:
                continue
            try:
                sockets: list[socket.socket] = reserve(host, port)
            except OSError as exc:
                raise cannot_listen(place, config, exc) from exc
            for sock in sockets:
                held.enter_context(sock)
            told[f"TRUNKLINE_{place.name}_PORT"] = str(sockets[0].getsockname()[1])
            if place is not METRICS:  # whose host is the router's
                told[f"TRUNKLINE_{place.name}_HOST"] = host
        yield told


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
