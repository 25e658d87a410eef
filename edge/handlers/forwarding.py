"""What the endpoints share that the router answers: metadata, deadline, the unary RPC."""

from edge.handlers.base import DISCARD_BYTES, BaseHandler, EdgeContext, nothing_at
from edge.headers import (
    call_metadata,
    call_timeout,
    find_media_fault,
    is_printable,
    response_headers,
)
from edge.status import HttpFailure, refusal
from trunkline.v1.forward_service_pb2 import ForwardRequest

_TRAILING = ("x-trunkline-trailing", "true")
"""Asks for what is told beside a whole answer in the same write."""


class ForwardingHandler(BaseHandler):
    """A request that becomes a `Forward` call."""

    asks_router_first = True

    timeout: float
    """Seconds for the whole call; known once the headers are found to be right."""

    def find_refusal(self) -> HttpFailure | None:
        try:
            self.timeout = call_timeout(self.request.headers, self.context.config.total_timeout)
        except ValueError as exc:
            return refusal("INVALID_REQUEST", str(exc), param="x-trunkline-timeout")
        return None

    async def refuse_method(self) -> None:
        """Has the router refuse what there is not. Raises AioRpcError."""
        # Without the body: nothing will be done with it.
        await self.forward(ForwardRequest(method=self.request.method, path=self.request.path))

    async def forward(self, request: ForwardRequest) -> None:
        """Answers with what the router answers. Raises AioRpcError."""
        call = self.context.forward.Forward(
            request,
            timeout=self.timeout,
            metadata=(*call_metadata(self.request.headers, self.request_id), _TRAILING),
        )
        self.call = call
        del request  # the body need not lie here for as long as its answer takes
        response = await call
        # A router that does not know what is asked for tells it in front of the answer.
        told = await call.trailing_metadata() or await call.initial_metadata()
        self.begin(200, response_headers(told))
        kind = response.content_type
        self.set_header("content-type", kind if is_printable(kind) else "application/json")
        await self.end(response.body)


class PostingHandler(ForwardingHandler):
    """A request with a body of JSON; answered with one, unless a subclass does otherwise."""

    keeps_body = True

    def initialize(self, context: EdgeContext, route: str, methods: frozenset[str]) -> None:
        super().initialize(context, route, methods)
        self.body_limit = min(context.config.max_body_bytes, context.config.limits.held_bytes)

    def find_refusal(self) -> HttpFailure | None:
        is_wanted = self.request.method in self.methods
        fault = find_media_fault(self.request.headers) if is_wanted else None
        if fault is not None:
            return refusal("UNSUPPORTED_MEDIA_TYPE", fault)
        return super().find_refusal()

    async def answer(self) -> None:
        await self.forward(
            ForwardRequest(method="POST", path=self.request.path, body=self.take_body())
        )


class UnknownHandler(ForwardingHandler):
    """Every path under `/v1/` that no route has."""

    def find_refusal(self) -> HttpFailure | None:
        if self.length > DISCARD_BYTES:
            return nothing_at(self.request)
        return super().find_refusal()

    async def answer(self) -> None:
        await self.refuse_method()
