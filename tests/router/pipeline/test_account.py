"""Each call is settled once, however it ends: one log line, and the metrics."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from router.calls import Batch, Body, Call, Event
from router.errors import InternalError, UpstreamAuthError
from router.pipeline import Account
from router.values import Usage
from tests.support.calls import DEPLOYMENT, call, collect


def settled(metrics: CollectorRegistry, status: str) -> float | None:
    labels = {"operation": "chat", "provider": "p", "model": "m", "status": status}
    return metrics.get_sample_value("trunkline_requests_total", labels)


async def answering(made: Call) -> AsyncGenerator[Event, None]:
    made.record.model, made.record.deployment = "m", DEPLOYMENT
    made.record.usage = Usage(1000, 500, cached_tokens=10)
    yield Body(b"{}")


async def test_a_success_says_model_provider_tokens_and_cost() -> None:
    metrics = CollectorRegistry()
    with capture_logs() as logs:
        await collect(Account(metrics)(answering), call())

    (line,) = [entry for entry in logs if entry["event"] == "call_ended"]
    assert {k: line[k] for k in ("request_id", "model", "provider", "status", "generation")} == {
        "request_id": "r", "model": "m", "provider": "p", "status": "OK", "generation": 7,
    }  # fmt: skip
    assert (line["prompt_tokens"], line["completion_tokens"]) == (1000, 500)
    assert line["cost_usd"] == "0.002000"
    assert "duration_ms" in line
    assert settled(metrics, "OK") == 1
    by_kind = {"provider": "p", "model": "m", "kind": "prompt"}
    assert metrics.get_sample_value("trunkline_tokens_total", by_kind) == 1000
    by_model = {"provider": "p", "model": "m"}
    assert metrics.get_sample_value("trunkline_cost_usd_total", by_model) == 0.002


async def test_a_failure_says_its_reason_and_is_raised() -> None:
    async def failing(made: Call) -> AsyncGenerator[Event, None]:
        made.record.model, made.record.deployment = "m", DEPLOYMENT
        if made.request_id:
            raise UpstreamAuthError("no")
        yield Body(b"")

    metrics = CollectorRegistry()
    with capture_logs() as logs, pytest.raises(UpstreamAuthError):
        await collect(Account(metrics)(failing), call())

    assert logs[-1]["status"] == "UPSTREAM_AUTH"
    assert settled(metrics, "UPSTREAM_AUTH") == 1


async def test_a_crash_is_logged_with_its_traceback_and_told_without_it() -> None:
    async def crashing(made: Call) -> AsyncGenerator[Event, None]:
        if made.request_id:
            raise RuntimeError("secret detail")
        yield Body(b"")

    with capture_logs() as logs, pytest.raises(InternalError) as caught:
        await collect(Account(CollectorRegistry())(crashing), call())

    assert "secret" not in caught.value.message
    assert [entry["event"] for entry in logs] == ["call_crashed", "call_ended"]
    assert logs[-1]["status"] == "INTERNAL"


@pytest.mark.parametrize("leaves", ["in the generator", "in the reader"])
async def test_a_caller_who_leaves_is_settled_as_cancelled(leaves: str) -> None:
    async def endless(made: Call) -> AsyncGenerator[Event, None]:
        made.record.model, made.record.deployment = "m", DEPLOYMENT
        yield Batch((b"{}",))
        await asyncio.Event().wait()

    metrics = CollectorRegistry()
    made = call(stream=True)
    async with aclosing(Account(metrics)(endless)(made)) as events:
        await anext(events)
        if leaves == "in the generator":
            reading = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading

    assert settled(metrics, "CANCELLED") == 1
    assert metrics.get_sample_value("trunkline_calls_in_flight") == 0
