"""Is there room for one more call? Asked after the caller is known, before anything is done for it.

Overload is answered at once: a gateway that takes more than it can answer grows until nothing is answered.
Only calls to models count; what reads the list costs nothing to speak of.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from prometheus_client import CollectorRegistry, Gauge

from router.calls import Call, Event, Operation, Stage
from router.config import AdmissionConfig
from router.gate import Gate

COUNTED: Final = frozenset({Operation.CHAT, Operation.EMBEDDINGS})


class Admit:
    """Bounds the calls that are answered at once. Lives as long as the application.

    A call gives its place back when it is settled.
    """

    def __init__(self, config: AdmissionConfig, metrics: CollectorRegistry) -> None:
        self.gate = Gate(
            config.concurrency, config.queue, "The gateway has no room for more calls now."
        )
        waiting = Gauge(
            "trunkline_calls_waiting", "Calls that wait for their turn.", registry=metrics
        )
        waiting.set_function(lambda: self.gate.waiting)

    def follow(self, config: AdmissionConfig) -> None:
        """Go by other limits from now on; who is in stays in."""
        self.gate.follow(config.concurrency, config.queue)

    def __call__(self, following: Stage) -> Stage:
        """Return the stage that lets calls in to `following`."""

        async def queued(call: Call) -> AsyncGenerator[Event, None]:
            await self.gate.enter(call.deadline)
            call.record.on_settled.append(self.gate.leave)
            async with aclosing(following(call)) as events:
                async for event in events:
                    yield event

        def stage(call: Call) -> AsyncGenerator[Event, None]:
            if call.operation not in COUNTED:
                return following(call)
            if not self.gate.enter_now():
                return queued(call)
            call.record.on_settled.append(self.gate.leave)
            return following(call)

        return stage
