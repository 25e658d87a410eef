"""Drives a call to a provider and back: the only loop with effects.

One attempt is: choose a deployment, translate, send, read. The commit rule: frames without generated
content are held back, so that a failure before the first content is a plain failure of the call; with
the first content the answer is committed, and whatever happens later ends the stream.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Final, TypeVar

from router.calls import Batch, Body, Call, Event
from router.config import Timeouts
from router.errors import (
    DeadlineExceededError,
    InvalidRequestError,
    NoDeploymentError,
    PayloadTooLargeError,
    TrunklineError,
    UpstreamAuthError,
    UpstreamError,
)
from router.providers.adapter import Exchange, Frame, StreamDecoder, UnaryExchange
from router.providers.dialects import ADAPTERS, EMBEDDERS
from router.routing.select import in_order, missing_key
from router.transport.seam import HttpResponse, Transport
from router.values import Deployment, Endpoint, Provider, Secret
from router.wire.chat_request import ChatRequest
from router.wire.embedding_request import EmbeddingRequest
from router.wire.http import HttpRequest
from router.wire.mask import Mask

_TOKEN_HEADERS: Final = frozenset({"authorization", "x-amz-security-token"})
"""Where credential chains put what must not come back."""

MAX_HELD_FRAMES: Final = 64
MAX_HELD_BYTES: Final = 256 * 1024
"""What is held back before the first content; a stream that sends more without any is committed."""

MAX_ERROR_BYTES: Final = 1024 * 1024
"""Of a provider's error body; the rest is not read."""

DRAIN_SECONDS: Final = 1.0
"""How long to wait for the end of a body after its end mark, to give the connection back to the pool."""

_SERVED: Final[Mapping[Endpoint, str]] = {
    Endpoint.CHAT: "chat completions",
    Endpoint.EMBEDDINGS: "embeddings",
}

T = TypeVar("T")

Sign = Callable[[Provider, HttpRequest], Awaitable[HttpRequest]]
"""Authorizes a request by the credential chain of its provider's cloud.

Raises `UpstreamAuthError`, naming what was looked for, if the chain gives no credential.
"""

Read = Callable[[HttpResponse], AsyncGenerator[Event, None]]
"""Makes events of the body of a 200."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes: of a request body, and of a whole answer."""

    request: int
    answer: int


@dataclass
class Hold:
    """Frames held back until the first content."""

    is_open: bool = True
    frames: list[Frame] = field(default_factory=list)
    size: int = 0

    def pass_on(self, frames: list[Frame]) -> list[Frame]:
        """Take new frames and return those that may leave now."""
        if not self.is_open:
            return frames
        self.frames += frames
        self.size += sum(len(f.payload) for f in frames)
        is_full = len(self.frames) > MAX_HELD_FRAMES or self.size > MAX_HELD_BYTES
        if is_full or any(f.is_content for f in frames):
            return self.release()
        return []

    def release(self) -> list[Frame]:
        """Commit: return all that was held."""
        self.is_open = False
        held, self.frames = self.frames, []
        return held


class Dispatcher:
    """Answers calls of models by calling providers. Lives as long as the application.

    `clock` gives Unix time in seconds, `random` numbers of [0, 1).
    """

    def __init__(  # noqa: PLR0913 (what dispatch takes from the world, each by name)
        self,
        transport: Transport,
        timeouts: Timeouts,
        limits: Limits,
        *,
        sign: Sign,
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._transport = transport
        self._timeouts = timeouts
        self._limits = limits
        self._sign = sign
        self._clock = clock
        self._random = random

    def chat(self, call: Call) -> AsyncGenerator[Event, None]:
        """Answer a chat call: one `Body`, or `Batch`es. The terminal stage of the pipeline."""
        request = ChatRequest.parse(self._body(call), created=int(self._clock()))
        if request.stream != call.is_stream:
            msg = f"'stream' must be {'true' if call.is_stream else 'false'} for this method."
            raise InvalidRequestError(msg, param="stream")
        deployment = self._choose(call, request.model, Endpoint.CHAT)
        exchange = ADAPTERS[deployment.dialect](request, deployment)
        read = partial(self._stream if call.is_stream else self._whole, call, exchange)
        return self._events(call, exchange, read)

    def embeddings(self, call: Call) -> AsyncGenerator[Event, None]:
        """Answer a call for embeddings with one `Body`. The terminal stage of the pipeline."""
        request = EmbeddingRequest.parse(self._body(call))
        deployment = self._choose(call, request.model, Endpoint.EMBEDDINGS)
        exchange = EMBEDDERS[deployment.dialect](request, deployment)
        return self._events(call, exchange, partial(self._whole, call, exchange))

    async def _events(
        self, call: Call, exchange: UnaryExchange, read: Read
    ) -> AsyncGenerator[Event, None]:
        """Send what `exchange` made and yield what `read` makes of a 200, without our credentials."""
        call.record.dropped = exchange.dropped
        if call.is_strict and exchange.dropped:
            names = ", ".join(exchange.dropped)
            msg = f"The model '{call.record.model}' cannot honour these parameters: {names}."
            raise InvalidRequestError(msg, param=exchange.dropped[0])
        try:
            async with (
                self._send(call, exchange) as response,
                aclosing(self._answer(call, exchange, response, read)) as events,
            ):
                async for event in events:
                    yield _masked(event, call.record.mask)
        except TrunklineError as exc:
            _mask_error(exc, call.record.mask)
            raise
        finally:
            if call.record.failure:
                _mask_error(call.record.failure, call.record.mask)

    def _body(self, call: Call) -> bytes:
        body = call.body()
        if len(body) > self._limits.request:
            msg = f"The request body is larger than {self._limits.request} bytes."
            raise PayloadTooLargeError(msg)
        return body

    def _choose(self, call: Call, name: str, endpoint: Endpoint) -> Deployment:
        call.record.asked_model = name
        if call.snapshot.generation == 0:
            msg = "No model list could be loaded yet."
            raise NoDeploymentError(msg, retry_after=1.0)
        model = call.snapshot.find(name)
        call.record.model = model.id
        serving = [d for d in model.deployments if d.endpoint is endpoint]
        if not serving:
            msg = f"The model '{model.id}' does not serve {_SERVED[endpoint]}."
            raise InvalidRequestError(msg, param="model")
        deployment = in_order(serving, self._random)[0]
        call.record.deployment = deployment
        if variable := missing_key(deployment):
            msg = f"No credential for provider '{deployment.provider.name}': set {variable}."
            raise UpstreamAuthError(msg)
        return deployment

    @asynccontextmanager
    async def _send(self, call: Call, exchange: UnaryExchange) -> AsyncIterator[HttpResponse]:
        record, timeouts = call.record, self._timeouts
        record.sent = perf_counter()
        # A unary answer's head comes when all is generated: only the whole call's deadline bounds it.
        wait = timeouts.first_token if call.is_stream else timeouts.total
        async with AsyncExitStack() as stack:
            http = await self._signed(call, exchange.http, wait)
            record.attempts += 1
            sending = self._transport.send(http, connect_timeout=timeouts.connect)
            response = await _within(
                stack.enter_async_context(sending), _now() + wait, call, "answer"
            )
            record.answered = perf_counter()
            record.upstream_status = response.status
            yield response

    async def _signed(self, call: Call, http: HttpRequest, wait: float) -> HttpRequest:
        """Return the request with all its credentials, and note what must not come back."""
        if call.record.deployment is None:
            return http
        provider = call.record.deployment.provider
        added: dict[str, str] = {}
        if provider.signer and provider.api_key is None:
            unsigned = http.headers
            http = await _within(self._sign(provider, http), _now() + wait, call, "credential")
            added = {k: v for k, v in http.headers.items() if unsigned.get(k) != v}
        tokens = (Secret(added[name].rpartition(" ")[2]) for name in _TOKEN_HEADERS & added.keys())
        call.record.mask = Mask((*provider.secrets, *tokens))
        return http

    async def _answer(
        self, call: Call, exchange: UnaryExchange, response: HttpResponse, read: Read
    ) -> AsyncGenerator[Event, None]:
        is_json = response.headers.get("content-type", "").startswith("application/json")
        if response.status != 200:
            body = await self._words(call, response)
            raise exchange.decode_error(response.status, response.headers, body)
        if call.is_stream and is_json:
            # Not a stream at all, whatever its status says: the words are in the body.
            body = await self._words(call, response)
            raise exchange.decode_error(502, response.headers, body)
        async with aclosing(read(response)) as events:
            async for event in events:
                yield event

    async def _words(self, call: Call, response: HttpResponse) -> bytes:
        """Return the body of a failure, as far as it can be had; masked before anyone cuts it."""
        until, body = _now() + self._timeouts.idle, b""
        # The status is known: what was read of the words before an answer breaks off is better than none.
        with suppress(UpstreamError):
            async with aclosing(response.chunks()) as reads:
                while len(body) < MAX_ERROR_BYTES:
                    data = await _within(anext(reads, b""), until, call, "whole answer")
                    if not data:
                        break
                    body += data
        return call.record.mask.in_bytes(body[:MAX_ERROR_BYTES])

    async def _whole(
        self, call: Call, exchange: UnaryExchange, response: HttpResponse
    ) -> AsyncGenerator[Event, None]:
        reading = response.read(self._limits.answer)
        body = await _within(reading, call.deadline, call, "whole answer")
        completion = exchange.decode_response(body)
        call.record.usage = completion.usage
        call.record.first_content = perf_counter()
        yield Body(completion.body)

    async def _stream(
        self, call: Call, exchange: Exchange, response: HttpResponse
    ) -> AsyncGenerator[Event, None]:
        decoder, hold = exchange.stream_decoder(), Hold()
        until_content = _now() + self._timeouts.first_token
        until_content -= perf_counter() - call.record.sent
        async with aclosing(response.chunks()) as reads:
            is_ended = False
            while not is_ended and not decoder.done and not decoder.failure:
                until = until_content if hold.is_open else _now() + self._timeouts.idle
                data, broke = await _next(reads, until, call)
                is_ended = not data
                frames = hold.pass_on(decoder.feed(data) if data else decoder.finish())
                is_over = decoder.done or is_ended
                if is_over and hold.is_open and not decoder.failure:
                    frames = hold.release()
                call.record.usage = decoder.usage
                call.record.failure = _failure(decoder, broke)
                if frames or (is_over and not hold.is_open):
                    call.record.first_content = call.record.first_content or perf_counter()
                    yield Batch(tuple(f.payload for f in frames), decoder.done)
            if call.record.failure and (hold.is_open or not decoder.is_failure_told):
                raise call.record.failure
            if not is_ended:
                await _drain(reads)


def _failure(decoder: StreamDecoder, broke: UpstreamError | None) -> UpstreamError | None:
    """Return why a stream failed: how its connection broke says more than that it is not complete."""
    if decoder.failure and broke and not decoder.is_failure_told:
        return broke
    return decoder.failure


async def _next(
    reads: AsyncGenerator[bytes, None], until: float, call: Call
) -> tuple[bytes, UpstreamError | None]:
    """Return what has arrived; empty at the end, with what ended it if that was a failure.

    Whether the answer was complete by then is the decoder's to say.
    """
    try:
        return await _within(anext(reads, b""), until, call, "content"), None
    except UpstreamError as exc:
        return b"", exc


async def _drain(reads: AsyncGenerator[bytes, None]) -> None:
    """Read to the body's end, which nearly always is there already; what comes is of no use."""
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while await anext(reads, b""):
                pass
    except (TimeoutError, TrunklineError):
        return


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _within(step: Awaitable[T], until: float, call: Call, what: str) -> T:
    """Await `step` until a time of the loop's clock, or until the call's own deadline."""
    try:
        async with asyncio.timeout_at(min(until, call.deadline)):
            return await step
    except TimeoutError as exc:
        msg = f"The provider sent no {what} in time."
        raise DeadlineExceededError(msg) from exc


def _masked(event: Event, mask: Mask) -> Event:
    """Return `event` without our credentials, should the provider have echoed them."""
    match event:
        case Body(body):
            clean = mask.in_bytes(body)
            return event if clean is body else Body(clean)
        case Batch(chunks, is_done):
            cleaned = tuple(map(mask.in_bytes, chunks))
            return event if cleaned == chunks else Batch(cleaned, is_done)
    return event


def _mask_error(error: TrunklineError, mask: Mask) -> None:
    error.message = mask.in_text(error.message)
    error.param = mask.in_text(error.param) if error.param else None
    error.code = mask.in_text(error.code) if error.code else None
    error.body = mask.in_bytes(error.body)
