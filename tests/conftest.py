"""What holds for every test: the loop of production, the same examples each time, no unexpected log lines."""

import os

# Tests start processes. gRPC would act between their fork and their start, and a child that is caught there
# never starts; what it does then is for programs that go on in the child.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

import asyncio
import gc
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvloop
from hypothesis import HealthCheck, settings

from tests.support.spread import Spread, rank_of

# A third of the time went into looking for garbage among what stays: modules and fifteen thousand tests.
gc.set_threshold(50_000, 20, 20)

# The same examples on every machine, however slow it is: a run is a verdict on the code alone.
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that the gateway runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Spread:
    return Spread(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: rank_of(item.nodeid))


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_unexpected_logs(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """What a library warns of fails the test; our own lines are structlog's, and tested where they arise."""
    yield
    records = [*caplog.get_records("setup"), *caplog.get_records("call")]
    assert [record for record in records if _is_unexpected(record)] == []


def _is_unexpected(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING and not any(k(record) for k in (_is_cut, _is_shared))


def _is_cut(record: logging.LogRecord) -> bool:
    # grpc's server says so of every call that is cancelled while a message waits to be taken.
    return record.name.startswith("grpc") and "ExecuteBatchError" in record.getMessage()


def _is_shared(record: logging.LogRecord) -> bool:
    # grpc has one completion queue for all event loops of a process: where a test has a loop of its own, now
    # and then one is woken for what another has read, or hands it to one that is closed by then. A gateway
    # has one loop, and so have nearly all tests.
    error = record.exc_info[1] if record.exc_info else None
    is_queue = "PollerCompletionQueue" in record.getMessage()
    return is_queue and isinstance(error, BlockingIOError | RuntimeError)
