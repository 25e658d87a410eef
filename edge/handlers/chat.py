"""POST /v1/chat/completions: a body in, a body or a stream out.

A stream's status is written with its first message, not before: until then a failure is an HTTP
failure. After it there is no second answer: a failure is one `data: {"error": …}` frame, and the end
mark is missing. The end mark is written if and only if the router says that the stream is done.

Each write is awaited before the next message is read: a client that stops reading stops the router.
"""

import asyncio

import grpc

from edge import sse
from edge.handlers.base import EdgeContext
from edge.handlers.forwarding import PostingHandler
from edge.headers import call_metadata, response_headers
from edge.peek import wants_stream
from edge.status import HttpFailure
from trunkline.v1.forward_service_pb2 import ForwardStreamRequest, ForwardStreamResponse

_STREAM_HEADERS = (
    ("content-type", "text/event-stream; charset=utf-8"),
    ("cache-control", "no-cache"),
    # nginx and its kin would collect the stream before they pass it on.
    ("x-accel-buffering", "no"),
)

Streaming = grpc.aio.UnaryStreamCall[ForwardStreamRequest, ForwardStreamResponse]


class ChatHandler(PostingHandler):
    """Chat completions, whole or as server-sent events."""

    __slots__ = ("_is_done",)

    def initialize(self, context: EdgeContext, route: str, methods: frozenset[str]) -> None:
        super().initialize(context, route, methods)
        self._is_done = False

    async def answer(self) -> None:
        if wants_stream(self._body):
            await self._stream()
        else:
            await super().answer()

    async def fail(self, failure: HttpFailure) -> None:
        if not self.is_committed:
            await super().fail(failure)
            return
        self._log_failure(failure)
        # What stands behind an end mark is read by nobody.
        await self.end(None if self._is_done else sse.frame(failure.body))

    async def _stream(self) -> None:
        self.call = call = self._begin_stream()
        async for part in call:
            await self._begin_answer(call, self._events(part))
            del part  # the next one may take long
            await self._pass_on(call)
        if not self.is_committed:
            self._commit(await call.initial_metadata())
        await self.end()

    async def _pass_on(self, call: Streaming) -> None:
        """Writes all that follows; waits where the client does not take it."""
        pour = getattr(call, "pour", None)
        if pour is not None:
            # A call within this process gives its parts away as they come: no task is woken for each.
            await pour(self._take)
            return
        async for part in call:
            left = self._take(part)
            del part
            if left is not None:
                await left

    def _take(self, part: ForwardStreamResponse) -> "asyncio.Future[None] | None":
        events = self._events(part)
        # Past Tornado: its way to the connection costs more than the connection.
        return self.connection.send(events) if events else None

    def _events(self, part: ForwardStreamResponse) -> bytes:
        self._is_done = part.done
        return sse.frames(part.chunks) + (sse.DONE if part.done else b"")

    def _begin_stream(self) -> Streaming:
        # The message is held by nobody here: a prompt need not lie in memory for as long as its answer comes.
        message = ForwardStreamRequest()
        # Set in place: a large body is held once.
        request = message.request
        request.method, request.path, request.body = "POST", self.request.path, self.take_body()
        return self.context.forward.ForwardStream(
            message,
            timeout=self.timeout,
            metadata=call_metadata(self.request.headers, self.request_id),
        )

    async def _begin_answer(self, call: Streaming, events: bytes) -> None:
        """Writes the head, and the first events behind it."""
        self._commit(await call.initial_metadata())
        self.write(events)
        await self.flush()
        self._headers.clear()  # nobody reads them again, and a stream lasts

    def _commit(self, metadata: grpc.aio.Metadata) -> None:
        self.begin(200, (*_STREAM_HEADERS, *response_headers(metadata)))
        self.is_committed = True
