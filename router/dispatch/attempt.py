"""One request to one deployment: sent, read until its first content, then passed on."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from time import monotonic, perf_counter
from types import TracebackType
from typing import Final, Self, TypeVar

from router.calls import Batch, Body, Call, Event
from router.dispatch.alarm import Alarm
from router.dispatch.hold import Hold
from router.dispatch.world import World
from router.errors import (
    CredentialMissingError,
    DeadlineExceededError,
    FirstTokenTimeoutError,
    IdleTimeoutError,
    InvalidRequestError,
    PayloadTooLargeError,
    TotalTimeoutError,
    TrunklineError,
    UnsupportedRequestError,
    UpstreamError,
)
from router.gate import Gate
from router.providers.adapter import StreamDecoder, UnaryExchange
from router.routing.attempts import Send
from router.routing.health import Ticket
from router.transport.seam import HttpResponse
from router.values import Deployment, Secret
from router.wire.http import HttpRequest
from router.wire.mask import Mask

MAX_ERROR_BYTES: Final = 1024 * 1024
"""Of a provider's error body; the rest is not read."""

WORDS_SECONDS: Final = 2.0
"""How long to wait for a provider's error body, whose status says enough to go on elsewhere."""

DRAIN_SECONDS: Final = 1.0
"""How long to wait for the end of a body after its end mark, to give the connection back to the pool."""

_NO_MASK: Final = Mask(())

_TOKEN_HEADERS: Final = frozenset({"authorization", "x-amz-security-token"})
"""Where credential chains put what must not come back."""

Encode = Callable[[Deployment], UnaryExchange]
"""Translates the call's request for a deployment."""

T = TypeVar("T")


class Attempt:
    """One attempt of a call. Lives within its context, which gives back all that it took.

    `commit` sends the request and gives the first event; until it has, the attempt may fail and another one
    be made. `rest` gives what follows.
    """

    def __init__(self, world: World, call: Call, sent: Send) -> None:
        self._world = world
        self._call = call
        self._sent = sent
        self._deployment = sent.candidate.deployment
        self._timeouts = call.snapshot.policy.timeouts
        self._alarm = Alarm()
        self._gate: Gate | None = None
        self._ticket: Ticket | None = None
        self._sending: AbstractAsyncContextManager[HttpResponse] | None = None
        self._stream: _Stream | None = None
        self._mask = _NO_MASK

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._alarm.stop()
        try:
            if self._sending:
                await self._sending.__aexit__(kind, exc, tb)
        finally:
            if self._ticket:
                self._world.book.ended(self._ticket)
            if self._gate:
                self._gate.leave()

    async def commit(self, encode: Encode) -> Event:
        """Return the first event of the answer to what `encode` makes of the request.

        Raises:
            TrunklineError: if there is none; nothing of this attempt has left yet.

        """
        try:
            event = await self._first(encode)
        except TrunklineError as exc:
            self._failed(exc)
            raise
        self._world.journal.committed(self._sent)
        if self._ticket:
            self._world.journal.changed(self._world.book.committed(self._ticket, monotonic()))
        self._call.record.first_content = perf_counter()
        return _masked(event, self._mask)

    async def rest(self) -> AsyncGenerator[Event, None]:
        """Yield what follows the first event.

        Raises:
            TrunklineError: if the answer breaks off.

        """
        stream = self._stream
        if stream is None:
            return
        try:
            while not stream.is_finished:
                if batch := await stream.read(self._timeouts.idle):
                    yield _masked(batch, self._mask)
            if stream.failure and not stream.is_failure_told:
                raise stream.failure
        except TrunklineError as exc:
            self._failed(exc)
            raise
        if stream.failure:
            self._failed(stream.failure)
            self._call.record.failure = stream.failure
        await stream.drain()

    def _failed(self, exc: TrunklineError) -> None:
        _mask_error(exc, self._mask)
        if self._ticket:
            self._world.journal.changed(self._world.book.failed(self._ticket, exc, monotonic()))
        self._world.journal.failed(self._call, self._sent, exc)

    async def _first(self, encode: Encode) -> Event:
        provider = self._deployment.provider
        if variable := provider.missing_variable:
            msg = f"No credential for provider '{provider.name}': set {variable}."
            raise CredentialMissingError(msg)
        exchange = self._encoded(encode)
        await self._enter()
        response = await self._send(exchange)
        if response.status != 200:
            body = await self._words(response)
            raise exchange.decode_error(response.status, response.headers, body)
        if not self._call.is_stream:
            return await self._whole(exchange, response)
        if response.headers.get("content-type", "").startswith("application/json"):
            # Not a stream at all, whatever its status says: the words are in the body.
            raise exchange.decode_error(502, response.headers, await self._words(response))
        return await self._until_content(exchange, response)

    def _encoded(self, encode: Encode) -> UnaryExchange:
        try:
            exchange = encode(self._deployment)
        except PayloadTooLargeError:
            raise
        except InvalidRequestError as exc:
            raise UnsupportedRequestError(exc.message, param=exc.param, code=exc.code) from exc
        self._call.record.dropped = exchange.dropped
        if self._call.is_strict and exchange.dropped:
            names = ", ".join(exchange.dropped)
            msg = f"The model '{self._call.record.model}' cannot honour these parameters: {names}."
            raise UnsupportedRequestError(msg, param=exchange.dropped[0])
        return exchange

    async def _enter(self) -> None:
        """Wait for room at the deployment, and be counted there."""
        if gate := self._world.gates.of(self._deployment):
            await gate.enter(self._call.deadline)
            self._gate = gate
        self._ticket = self._world.book.began(
            self._deployment, monotonic(), is_stream=self._call.is_stream
        )

    async def _send(self, exchange: UnaryExchange) -> HttpResponse:
        record = self._call.record
        record.sent = perf_counter()
        # A unary answer's head comes when all is generated: only the whole call's deadline bounds it.
        until = self._alarm.now() + (
            self._timeouts.first_token if self._call.is_stream else self._timeouts.total
        )
        http = await self._signed(exchange.http, until)
        record.attempts += 1
        sending = self._world.transport.send(http, connect_timeout=self._timeouts.connect)
        response = await self._within(sending.__aenter__(), until, FirstTokenTimeoutError)
        self._sending = sending
        record.answered = perf_counter()
        record.upstream_status = response.status
        return response

    async def _signed(self, http: HttpRequest, until: float) -> HttpRequest:
        """Return the request with all its credentials, and note what must not come back."""
        provider = self._deployment.provider
        if provider.signer is None or provider.api_key is not None:
            self._mask = self._world.mask(provider.secrets)
            return http
        unsigned = http.headers
        signing = self._world.sign(provider, http)
        http = await self._within(signing, until, FirstTokenTimeoutError)
        added = {k: v for k, v in http.headers.items() if unsigned.get(k) != v}
        tokens = (Secret(added[name].rpartition(" ")[2]) for name in _TOKEN_HEADERS & added.keys())
        self._mask = Mask((*provider.secrets, *tokens))
        return http

    def _within(
        self, step: Awaitable[T], until: float, kind: type[DeadlineExceededError]
    ) -> Awaitable[T]:
        return within(self._alarm, step, until, self._call, kind)

    async def _words(self, response: HttpResponse) -> bytes:
        """Return the body of a failure, as far as it can be had; masked before anyone cuts it."""
        until, body = self._alarm.now() + min(self._timeouts.idle, WORDS_SECONDS), b""
        # The status is known: what was read of the words before an answer breaks off is better than none.
        with suppress(UpstreamError):
            while len(body) < MAX_ERROR_BYTES:
                data = await self._within(response.read_some(), until, IdleTimeoutError)
                if not data:
                    break
                body += data
        return self._mask.in_bytes(body[:MAX_ERROR_BYTES])

    async def _whole(self, exchange: UnaryExchange, response: HttpResponse) -> Body:
        reading = response.read(self._world.limits.answer)
        body = await self._within(reading, self._call.deadline, DeadlineExceededError)
        completion = exchange.decode_response(body)
        self._call.record.usage = completion.usage
        return Body(completion.body)

    async def _until_content(self, exchange: UnaryExchange, response: HttpResponse) -> Batch:
        decoder = exchange.stream_decoder()  # type: ignore[attr-defined]  # (a chat's exchange)
        stream = self._stream = _Stream(decoder, response, self._call, self._alarm)
        until = self._timeouts.first_token - (perf_counter() - self._call.record.sent)
        while True:
            if batch := await stream.read(max(0.0, until), is_first=True):
                return batch
            if stream.failure:
                raise stream.failure
            until = self._timeouts.first_token - (perf_counter() - self._call.record.sent)


class _Stream:
    """A streamed answer on its way through: bytes are read, decoded and held or passed on."""

    def __init__(
        self,
        decoder: StreamDecoder,
        response: HttpResponse,
        call: Call,
        alarm: Alarm,
    ) -> None:
        self._decoder = decoder
        self._response = response
        self._call = call
        self._alarm = alarm
        self._hold = Hold()
        self._is_ended = False
        self.is_finished = False
        self.failure: UpstreamError | None = None

    @property
    def is_failure_told(self) -> bool:
        """Whether the failure stands among the frames in the provider's own words."""
        return self._decoder.is_failure_told

    async def read(self, seconds: float, *, is_first: bool = False) -> Batch | None:
        """Read once; return what may leave now, None if nothing may."""
        call, alarm, decoder, hold = self._call, self._alarm, self._decoder, self._hold
        until = alarm.now() + seconds
        broke: UpstreamError | None = None
        try:
            reading = self._response.read_some()
            data = await alarm.within(reading, min(until, call.deadline))
        except TimeoutError as exc:
            kind = FirstTokenTimeoutError if is_first and hold.is_open else IdleTimeoutError
            data, broke = b"", _late(call, until, kind, exc)
        except UpstreamError as exc:
            # Whether the answer was complete by then is the decoder's to say.
            data, broke = b"", exc
        self._is_ended = not data
        frames = decoder.feed(data) if data else decoder.finish()
        is_over, failure = decoder.done or not data, decoder.failure
        if hold.is_open:
            frames = hold.pass_on(frames)
            if is_over and hold.is_open and not failure:
                frames = hold.release()
        call.record.usage = decoder.usage
        self.is_finished = is_over or failure is not None
        # How the connection broke says more than that the stream is not complete.
        is_worse = failure and broke and not decoder.is_failure_told
        self.failure = broke if is_worse else failure
        if frames or (is_over and not hold.is_open):
            return Batch(tuple([f.payload for f in frames]), decoder.done)
        return None

    async def drain(self) -> None:
        """Read to the body's end, which nearly always is there already; what comes is of no use."""
        if self._is_ended:
            return
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while await self._response.read_some():
                    pass
        except (TimeoutError, TrunklineError):
            return


async def within(
    alarm: Alarm, step: Awaitable[T], until: float, call: Call, kind: type[DeadlineExceededError]
) -> T:
    """Await `step` until a time of the loop's clock, or until the call's own deadline.

    Raises:
        DeadlineExceededError: of `kind` in the first case, else by whose deadline the call has.

    """
    try:
        return await alarm.within(step, min(until, call.deadline))
    except TimeoutError as exc:
        raise _late(call, until, kind, exc) from exc


def _late(
    call: Call, until: float, kind: type[DeadlineExceededError], exc: TimeoutError
) -> DeadlineExceededError:
    """Return the failure of a wait: of `kind`, unless it is the call's own deadline that has passed."""
    if until >= call.deadline:
        kind = TotalTimeoutError if call.has_own_deadline else DeadlineExceededError
    error = kind(_WORDS[kind])
    error.__cause__ = exc
    return error


_WORDS: Final = {
    FirstTokenTimeoutError: "The provider sent no content in time.",
    IdleTimeoutError: "The provider sent nothing for too long.",
    TotalTimeoutError: "The provider sent no whole answer in time.",
    DeadlineExceededError: "The provider sent no whole answer in the time that the call had.",
}


def _masked(event: Event, mask: Mask) -> Event:
    """Return `event` without our credentials, should the provider have echoed them."""
    if isinstance(event, Batch):
        if mask.is_clean(event.chunks):
            return event
        return Batch(tuple(map(mask.in_bytes, event.chunks)), event.is_done)
    if isinstance(event, Body):
        clean = mask.in_bytes(event.body)
        return event if clean is event.body else Body(clean)
    return event


def _mask_error(error: TrunklineError, mask: Mask) -> None:
    error.message = mask.in_text(error.message)
    error.param = mask.in_text(error.param) if error.param else None
    error.code = mask.in_text(error.code) if error.code else None
    error.body = mask.in_bytes(error.body)
