"""A worker: a command's topology in a process of its own, on the ports that its supervisor holds.

The supervisor starts it as `python -m launch.workers.worker <command> <number> <part> <descriptor>`. Ports
and hosts stand in its environment, so that a changed configuration file cannot move them.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace

from launch import logs, serve
from launch.config import Config, load
from launch.seat import Seat
from launch.workers import link
from router.errors import ConfigError
from router.registry import Part


def main(arguments: Sequence[str]) -> int:
    """Serve until a signal, or until the supervisor is gone; return the exit status."""
    command, number, part, descriptor = arguments
    # Until the configuration is watched: it is read afterwards anyway.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        config = load(os.environ)
    except ConfigError as exc:
        sys.stderr.write(f"trunkline: {exc}\n")
        return serve.EXIT_CONFIG
    logs.set_up(config.log, logs.secrets_of(config), worker=int(number))
    # The supervisor has told of them.
    config = replace(config, unknown_variables=())
    return serve.run(_linked(command, config, Part(part), (int(number), int(descriptor))))


def _linked(command: str, config: Config, part: Part, ends: tuple[int, int]) -> serve.Running:
    async def topology(stop: asyncio.Event) -> None:
        async with link.opened(*ends, stop) as linked:
            seat = Seat(part, linked.announce, linked.show)
            await serve.TOPOLOGIES[command](config, seat)(stop)

    return topology


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
