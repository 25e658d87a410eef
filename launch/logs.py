"""Structured logs, one line each, to standard error."""

import logging
import sys
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

import msgspec
import structlog

from launch.config import Config, LogConfig
from launch.lines import STANDARD_ERROR
from router.values import Secret
from router.wire.mask import Mask

_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def _is_news(record: logging.LogRecord) -> bool:
    # grpc's server reports, with a traceback, each call that is cancelled while a message waits to be
    # taken: for us a client that left, which the call's own line says.
    return not (record.name.startswith("grpc") and "ExecuteBatchError" in record.getMessage())


class _Lines:
    """What structlog hands finished lines to."""

    def __init__(self, *_: object) -> None:
        pass

    def msg(self, line: str) -> None:
        STANDARD_ERROR.write(line + "\n")

    debug = info = warning = error = exception = critical = log = msg


def _to_json(render_exception: Any) -> Any:
    """Return the last step of a chain: it makes a line of an event."""

    def to_json(logger: object, method: str, event: Any) -> str:
        if "exc_info" in event:
            event = render_exception(logger, method, event)
        return _ENCODER.encode(event).decode()

    return to_json


_ENCODER: Final = msgspec.json.Encoder(enc_hook=str)
"""Of what JSON has no form for, the text."""


def _stamp(worker: int | None) -> Any:
    """Return what adds to an event how grave it is, when it was and who tells it."""
    told = {} if worker is None else {"worker": worker}

    def stamp(_logger: object, method: str, event: Any) -> Any:
        event["level"] = _NAMES.get(method, method)
        microseconds = time.time_ns() // 1000
        event["timestamp"] = f"{_second(microseconds // 10**6)}.{microseconds % 10**6:06d}Z"
        event.update(told)
        return event

    return stamp


_NAMES: Final = {"exception": "error", "warn": "warning"}
"""Methods of loggers that are not called by their level."""


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


class _Masking:
    """Takes every secret that it knows out of what is logged. One for the process."""

    def __init__(self) -> None:
        self._known: set[Secret] = set()
        self._mask = Mask(())

    def learn(self, secrets: Iterable[Secret]) -> None:
        """Know these secrets too; those of an earlier configuration may still be in use."""
        self._known |= set(secrets)
        self._mask = Mask(self._known)

    def wrap(self, render: Any) -> Any:
        """Return `render`, the last step of a chain, with its result masked."""
        return lambda *event: self._mask.in_text(render(*event))


_MASKING: Final = _Masking()


def learn(config: Config) -> None:
    """Mask every credential of `config` in all that is logged from now on."""
    _MASKING.learn(secrets_of(config))


def secrets_of(config: Config) -> set[Secret]:
    """Return every credential that a configuration holds; of `Bearer x` also the `x`."""
    router, providers = config.router, config.router.providers
    settings = providers.named.values()
    told = {
        *router.api_keys,
        *providers.preset_keys.values(),
        *(setting.api_key for setting in settings),
        *(key for setting in settings for key in setting.api_keys),
        *(Secret(value) for setting in settings for value in setting.headers.values()),
        providers.upstream_api_key,
        router.model_list.authorization,
    }
    keys = {key for key in told if key is not None}
    return keys | {Secret(key.reveal().rpartition(" ")[2]) for key in keys}


def set_up(config: LogConfig, secrets: Iterable[Secret] = (), *, worker: int | None = None) -> None:
    """Send everything that this process logs through one chain; also what libraries log.

    `secrets` are masked wherever they stand. Each line of a worker says which one wrote it.
    """
    chosen = config.format or ("console" if sys.stderr.isatty() else "json")
    shared: list[Any] = [_stamp(worker)]
    # Local variables stay out of tracebacks: they hold what callers say, and credentials.
    plain = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    as_json = [_to_json(structlog.processors.ExceptionRenderer(plain))]
    as_text = [
        structlog.dev.ConsoleRenderer(
            exception_formatter=structlog.dev.plain_traceback, sort_keys=False
        )
    ]
    last: list[Any] = as_json if chosen == "json" else as_text
    _MASKING.learn(secrets)
    last[-1] = _MASKING.wrap(last[-1])
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[config.level]),
        logger_factory=_Lines,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(STANDARD_ERROR)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    handler.addFilter(_is_news)
    # Libraries speak of what we speak of ourselves; only what they warn of is of interest.
    logging.basicConfig(
        level=max(_LEVELS[config.level], logging.WARNING), handlers=[handler], force=True
    )
    # Tornado's access log repeats ours, and says less.
    logging.getLogger("tornado.access").disabled = True
