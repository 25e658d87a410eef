"""The way from a gRPC call into the pipeline and back; the same for every service."""

import asyncio
import math
import re
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import lru_cache
from time import perf_counter
from typing import Any, Final, TypeVar
from urllib.parse import quote

import grpc

from router.calls import Call, CallRecord, Event, Operation, Stage
from router.errors import TrunklineError
from router.routing.snapshot import Snapshot
from router.rpc import status
from router.values import Secret

Context = grpc.aio.ServicerContext[Any, Any]

T = TypeVar("T")

LAST_WORDS_SECONDS: Final = 0.2
"""How long before a caller's deadline we give up: what failed, and where, is better said than cut off."""

MAX_NAME_CHARS: Final = 64
MAX_LISTED_CHARS: Final = 1024
"""Of a dropped parameter's name, and of all of them in their header."""

_REQUEST_ID = re.compile(r"[\x20-\x7e]{1,128}")

_PLAIN: Final = "/:@!$&'()*+,;=~ "
"""Characters that a header value shows as they are, letters and digits apart; the rest is
percent-encoded."""


class Door:
    """Lets calls in. Lives as long as the application. `snapshot` gives the list's state of the moment."""

    def __init__(self, pipeline: Stage, snapshot: Callable[[], Snapshot]) -> None:
        self._pipeline = pipeline
        self._snapshot = snapshot
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def wait_idle(self) -> None:
        """Wait until no call is under way; watchers do not count, they have no end of their own."""
        await self._idle.wait()

    def call(
        self,
        context: Context,
        operation: Operation,
        *,
        body: Callable[[], bytes] = bytes,
        name: str = "",
        is_stream: bool = False,
    ) -> Call:
        """Make the call that `context` asks for; credential, request id and deadline come from it."""
        now = asyncio.get_running_loop().time()
        given = _given(context)
        snapshot, ahead = self._snapshot(), _ahead_of(context.time_remaining())
        total = snapshot.policy.timeouts.total
        return Call(
            operation=operation,
            request_id=_request_id(given.get("x-request-id")),
            credential=_credential(given.get("authorization")),
            snapshot=snapshot,
            deadline=now + min(total, ahead),
            record=CallRecord(started=perf_counter(), asked_model=name),
            body=body,
            name=name,
            is_stream=is_stream,
            is_strict=given.get("x-trunkline-strict") == "true",
            has_own_deadline=total <= ahead,
            tells_last=given.get("x-trunkline-trailing") == "true",
        )

    async def answers(
        self, context: Context, call: Call, convert: Callable[[Event], T], *, forwards: bool = False
    ) -> AsyncGenerator[T, None]:
        """Run the pipeline and give each event as `convert` makes it; a failure ends the RPC.

        Metadata goes out with the first event. `convert` may raise a `TrunklineError` like any stage.
        """
        is_first = True
        self._watch(context, call)
        try:
            async with aclosing(self._pipeline(call)) as events:
                async for event in events:
                    answer = _converted(call, convert, event)
                    if is_first:
                        is_first = False
                        await context.send_initial_metadata(_metadata(call))
                    yield answer
            if call.record.failure and not forwards:
                # The provider told the failure in a frame of its own; a typed caller reads no such frames.
                raise call.record.failure
        except TrunklineError as exc:
            await status.abort(context, exc, _metadata(call), forwards=forwards)

    async def answer(
        self, context: Context, call: Call, convert: Callable[[Event], T], *, forwards: bool = False
    ) -> T:
        """Run the pipeline of a call that has one answer, and return it; see `answers`."""
        self._watch(context, call)
        try:
            async with aclosing(self._pipeline(call)) as events:
                answer = _converted(call, convert, await anext(events))
                async for _ in events:  # run to its end, so that the call is settled
                    pass
            if call.record.failure and not forwards:
                raise call.record.failure
            if call.tells_last:
                # It leaves with the answer: one write, and one completion to wait for.
                context.set_trailing_metadata(_metadata(call))
            else:
                await context.send_initial_metadata(_metadata(call))
            return answer
        except TrunklineError as exc:
            await status.abort(context, exc, _metadata(call), forwards=forwards)

    def _watch(self, context: Context, call: Call) -> None:
        """Count a call as under way until its last byte has left; watchers have no end of their own."""
        if call.operation is Operation.WATCH_MODELS:
            return
        self._in_flight += 1
        self._idle.clear()
        context.add_done_callback(self._ended)  # type: ignore[arg-type]  # (its stub names no context)

    def _ended(self, context: Context) -> None:
        self._in_flight -= 1
        if not self._in_flight:
            self._idle.set()


def _given(context: Context) -> dict[str, str | bytes]:
    """Return a call's metadata; of several with one name the first."""
    pairs = tuple(context.invocation_metadata() or ())
    given = dict(pairs)
    return given if len(given) == len(pairs) else dict(reversed(pairs))


def _credential(value: object) -> Secret | None:
    return Secret(value) if isinstance(value, str) else None


def _converted(call: Call, convert: Callable[[Event], T], event: Event) -> T:
    try:
        return convert(event)
    except TrunklineError as exc:
        call.record.failure = exc
        raise


def credential_of(context: Context) -> Secret | None:
    """Return the value of the `authorization` metadata; of several the first."""
    for key, value in context.invocation_metadata() or ():
        if key == "authorization" and isinstance(value, str):
            return Secret(value)
    return None


def _ahead_of(remaining: float | None) -> float:
    """Return the seconds that a call may take so that its failure still reaches the caller in time."""
    if remaining is None:
        return math.inf
    return remaining - min(remaining * 0.1, LAST_WORDS_SECONDS)


def _request_id(given: object) -> str:
    if isinstance(given, str) and _REQUEST_ID.fullmatch(given):
        return given
    return f"req_{uuid.uuid4().hex}"


def _metadata(call: Call) -> tuple[tuple[str, str], ...]:
    """Return what the caller is told beside the answer; values are printable ASCII, as metadata must be."""
    record = call.record
    said: list[tuple[str, str]] = [
        ("x-request-id", call.request_id),
        ("x-trunkline-generation", str(call.snapshot.generation)),
    ]
    if record.deployment:
        said += [
            ("x-trunkline-provider", record.deployment.provider.name),
            ("x-trunkline-upstream-model", _shown(record.deployment.upstream_model)),
            ("x-trunkline-attempts", str(record.attempts)),
        ]
    if record.dropped:
        said.append(("x-trunkline-dropped-params", _listed(record.dropped)))
    if record.cost is not None and not call.is_stream:
        said.append(("x-trunkline-cost-usd", f"{record.cost:f}"))
    if record.sent:
        said.append(("server-timing", _server_timing(call)))
    return tuple(said)


@lru_cache(maxsize=1024)
def _shown(name: str) -> str:
    return quote(name, safe=_PLAIN)


def _listed(names: tuple[str, ...]) -> str:
    """Return the names of dropped parameters, which are the caller's own, within the bounds of a header."""
    listed = ""
    for name in names:
        item = quote(name[:MAX_NAME_CHARS], safe=_PLAIN)
        if len(listed) + len(item) > MAX_LISTED_CHARS:
            return f"{listed}, ..."
        listed = f"{listed}, {item}" if listed else item
    return listed


def _server_timing(call: Call) -> str:
    """Return milliseconds until now, and of the provider, as https://www.w3.org/TR/server-timing/ says."""
    record = call.record
    now = perf_counter()
    upstream = ((record.answered or now) - record.sent) * 1000
    return f"total;dur={(now - record.started) * 1000:.1f}, upstream;dur={upstream:.1f}"
