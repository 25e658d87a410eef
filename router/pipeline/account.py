"""What is said of every call when it has ended: one log line and the metrics.

It settles in `finally`: success, failure and cancellation alike. Nothing of a call's content and no
credential is said; the model's name is the list's, never the caller's spelling of one that is not on it.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from decimal import Decimal
from time import perf_counter

import structlog
from prometheus_client import CollectorRegistry, Gauge

from router.calls import Call, Event, Stage
from router.errors import (
    CallerError,
    DeadlineExceededError,
    InternalError,
    TrunklineError,
    UpstreamError,
    UpstreamRejectedError,
)
from router.pipeline.tally import Kind, Tally

_LOG = structlog.get_logger("trunkline.calls")

MAX_LISTED = 20
"""Of the parameters that a log line names: they are as many as a caller likes."""

MAX_NAME_CHARS = 200
"""Of a model's name as a caller spelled it."""


class Account:
    """Counts and logs calls. Lives as long as the application."""

    def __init__(self, metrics: CollectorRegistry) -> None:
        self._tally = Tally()
        metrics.register(self._tally)
        self._under_way = 0
        in_flight = Gauge("trunkline_calls_in_flight", "Calls under way.", registry=metrics)
        in_flight.set_function(lambda: self._under_way)

    def __call__(self, following: Stage) -> Stage:
        """Return the stage that settles each call of `following`."""

        async def stage(call: Call) -> AsyncGenerator[Event, None]:
            self._under_way += 1
            try:
                async with aclosing(following(call)) as events:
                    async for event in events:
                        yield event
            except TrunklineError as exc:
                call.record.failure = exc
                raise
            except (asyncio.CancelledError, GeneratorExit):
                # Whoever stops reading because of a failure has noted it.
                if (
                    call.record.failure is None
                    and asyncio.get_running_loop().time() >= call.deadline
                ):
                    call.record.failure = DeadlineExceededError("The call's deadline passed.")
                call.record.is_cancelled = call.record.failure is None
                raise
            except Exception as exc:
                _LOG.exception("call_crashed", request_id=call.request_id)
                call.record.failure = InternalError("The gateway failed to answer this request.")
                raise call.record.failure from exc
            finally:
                self._under_way -= 1
                for settle in call.record.on_settled:
                    settle()
                self._settle(call)

        return stage

    def _settle(self, call: Call) -> None:
        record = call.record
        now = perf_counter()
        provider = record.deployment.provider.name if record.deployment else ""
        cell = self._tally.cell(Kind(call.operation, provider, record.model, record.status))
        cell.calls += 1
        cell.durations.add(now - record.started)
        if call.is_stream and record.first_content:
            cell.first_tokens.add(record.first_content - record.started)
        if record.usage:
            cell.count_tokens(record.usage)
        cost = record.cost
        if cost:
            cell.cost += float(cost)
        write = _LOG.warning if _is_news(record.failure) else _LOG.info
        write("call_ended", **_line(call, provider, cost, now))


def _is_news(failure: TrunklineError | None) -> bool:
    """Whether an operator should look: not at what callers, or providers of them, find fault with."""
    return failure is not None and not isinstance(failure, (CallerError, UpstreamRejectedError))


def _own_words(failure: TrunklineError | None) -> str | None:
    """Return what we say of a failure ourselves; a provider's words may repeat what callers said."""
    if failure is None or isinstance(failure, CallerError):
        return None
    if isinstance(failure, UpstreamError) and failure.upstream_status is not None:
        return None
    return failure.message


def _line(call: Call, provider: str, cost: Decimal | None, now: float) -> dict[str, object]:
    """Return the fields of a call's log line; those without a value are left out."""
    record, usage = call.record, call.record.usage
    fields: dict[str, object] = {
        "status": str(record.status),
        "operation": str(call.operation),
        "model": record.model,
        "asked_model": None if record.model else record.asked_model[:MAX_NAME_CHARS],
        "provider": provider,
        "duration_ms": _millis(record.started, now),
        "reason": _own_words(record.failure),
        "request_id": call.request_id,
        "upstream_model": record.deployment.upstream_model if record.deployment else None,
        "upstream_status": record.upstream_status,
        "attempts": record.attempts,
        "generation": call.snapshot.generation,
        "stream": call.is_stream,
        "prompt_tokens": usage and usage.prompt_tokens,
        "completion_tokens": usage and usage.completion_tokens,
        "cost_usd": None if cost is None else f"{cost:f}",
        "dropped_params": [name[:64] for name in record.dropped[:MAX_LISTED]] or None,
        "upstream_ms": _millis(record.sent, record.answered),
        "first_token_ms": _millis(record.started, record.first_content),
    }
    return {key: value for key, value in fields.items() if value is not None and value != ""}


def _millis(start: float, end: float) -> float | None:
    return round((end - start) * 1000, 2) if start and end else None
