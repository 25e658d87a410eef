"""Answers calls of models: makes attempts until one has an answer, and passes it on."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Final

import msgspec

from router.calls import Body, Call, CallRecord, Event
from router.dispatch.attempt import Attempt, Encode
from router.dispatch.world import World
from router.errors import (
    InvalidRequestError,
    NoDeploymentError,
    PayloadTooLargeError,
    TrunklineError,
)
from router.providers.dialects import ADAPTERS, EMBEDDERS
from router.routing.attempts import Failed, Send, Steps, Wait, attempts
from router.routing.explain import explanation
from router.routing.route import Ask, Candidate, Route
from router.values import Endpoint
from router.wire.chat_request import ChatRequest
from router.wire.embedding_request import EmbeddingRequest, is_for_embeddings

_SERVED: Final[Mapping[Endpoint, str]] = {
    Endpoint.CHAT: "chat completions",
    Endpoint.EMBEDDINGS: "embeddings",
}


class Dispatcher:
    """Answers calls of models by calling providers. Lives as long as the application."""

    def __init__(self, world: World) -> None:
        self._world = world

    def chat(self, call: Call) -> AsyncGenerator[Event, None]:
        """Answer a chat call: one `Body`, or `Batch`es. A terminal stage of the pipeline."""
        request = ChatRequest.parse(self._body(call), created=int(self._world.clock()))
        if request.stream != call.is_stream:
            msg = f"'stream' must be {'true' if call.is_stream else 'false'} for this method."
            raise InvalidRequestError(msg, param="stream")
        route = self._route(call, request.model, Endpoint.CHAT)
        return self._events(call, route, lambda d: ADAPTERS[d.dialect](request, d))

    def embeddings(self, call: Call) -> AsyncGenerator[Event, None]:
        """Answer a call for embeddings with one `Body`. A terminal stage of the pipeline."""
        request = EmbeddingRequest.parse(self._body(call))
        route = self._route(call, request.model, Endpoint.EMBEDDINGS)
        return self._events(call, route, lambda d: EMBEDDERS[d.dialect](request, d))

    async def explain(self, call: Call) -> AsyncGenerator[Event, None]:
        """Answer where a request would go with one `Body`; nothing is sent. A terminal stage."""
        body = self._body(call)
        if is_for_embeddings(body):
            embedding = EmbeddingRequest.parse(body)
            route = self._route(call, embedding.model, Endpoint.EMBEDDINGS)
            said = explanation(
                route, self._world.book, lambda d: EMBEDDERS[d.dialect](embedding, d)
            )
        else:
            chat = ChatRequest.parse(body, created=int(self._world.clock()))
            route = self._route(replace(call, is_stream=chat.stream), chat.model, Endpoint.CHAT)
            said = explanation(route, self._world.book, lambda d: ADAPTERS[d.dialect](chat, d))
        yield Body(msgspec.json.encode(said))

    def _body(self, call: Call) -> bytes:
        body = call.body()
        if len(body) > self._world.limits.request:
            msg = f"The request body is larger than {self._world.limits.request} bytes."
            raise PayloadTooLargeError(msg)
        return body

    def _route(self, call: Call, name: str, endpoint: Endpoint) -> Route:
        """Return the ways that a call may take.

        Raises:
            NoDeploymentError: if no list is served yet.
            ModelNotFoundError: if the model is not on the list.
            InvalidRequestError: if it does not serve the endpoint.

        """
        call.record.asked_model = name
        if call.snapshot.generation == 0:
            msg = "No model list could be loaded yet."
            raise NoDeploymentError(msg, retry_after=1.0)
        model = call.snapshot.find(name)
        call.record.model = model.id
        if not any(d.endpoint is endpoint for d in model.deployments):
            msg = f"The model '{model.id}' does not serve {_SERVED[endpoint]}."
            raise InvalidRequestError(msg, param="model")
        now = asyncio.get_running_loop().time()
        ask = Ask(model, endpoint, call.is_stream, now)
        return Route(call.snapshot, ask, self._world.book, self._world.random)

    async def _events(
        self, call: Call, route: Route, encode: Encode
    ) -> AsyncGenerator[Event, None]:
        """Make attempts as `attempts` says until one is committed; then yield its answer."""
        loop = asyncio.get_running_loop()

        def is_blocked(candidate: Candidate) -> bool:
            return route.is_blocked(candidate, loop.time())

        steps = attempts(route, self._world.random, is_blocked)
        tried: list[tuple[TrunklineError, CallRecord]] = []
        failed: Failed | None = None
        while True:
            step = _next(call, steps, failed, tried)
            failed = None
            if isinstance(step, Wait):
                await asyncio.sleep(step.seconds)
                continue
            call.record.begin(step.candidate.deployment)
            async with Attempt(self._world, call, step) as attempt:
                try:
                    first = await attempt.commit(encode)
                except TrunklineError as exc:
                    _let_go(exc)
                    tried.append((exc, call.record.kept()))
                    failed = Failed(exc, call.deadline - loop.time())
                    continue
                # Nothing is asked again: what was asked need not lie in memory for as long as a stream lasts.
                del encode, route, steps
                yield first
                if call.is_stream:
                    async with aclosing(attempt.rest()) as events:
                        async for event in events:
                            yield event
                return


def _let_go(exc: BaseException) -> None:
    """Drop the tracebacks of a failure that is kept: their frames hold what was read of the answer."""
    cause: BaseException | None = exc
    while cause is not None:
        cause.__traceback__ = None
        cause = cause.__cause__ or cause.__context__


def _next(
    call: Call,
    steps: Steps,
    failed: Failed | None,
    tried: list[tuple[TrunklineError, CallRecord]],
) -> Send | Wait:
    """Return the next step, or raise the failure to tell, as what happened at the target it is told of."""
    try:
        return steps.send(failed)
    except StopIteration as stop:
        error: TrunklineError = stop.value
    for exc, record in tried:
        if exc is error:
            call.record.as_in(record)
    raise error
