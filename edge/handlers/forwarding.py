"""What the endpoints share that the router answers: metadata, deadline, the unary RPC."""

from edge.handlers.base import BaseHandler
from edge.headers import call_metadata, call_timeout, is_printable, response_headers
from edge.status import HttpFailure, refusal
from trunkline.v1.forward_service_pb2 import ForwardRequest


class ForwardingHandler(BaseHandler):
    """A request that becomes a `Forward` call."""

    timeout: float
    """Seconds for the whole call; known once the headers are found to be right."""

    def find_refusal(self) -> HttpFailure | None:
        try:
            self.timeout = call_timeout(self.request.headers, self.context.config.total_timeout)
        except ValueError as exc:
            return refusal("INVALID_REQUEST", str(exc), param="x-trunkline-timeout")
        return None

    async def forward(self, request: ForwardRequest) -> None:
        """Answers with what the router answers. Raises AioRpcError."""
        call = self.context.forward.Forward(
            request,
            timeout=self.timeout,
            metadata=call_metadata(self.request.headers, self.request_id),
        )
        self.call = call
        response = await call
        self.begin(200, response_headers(await call.initial_metadata()))
        kind = response.content_type
        self.set_header("content-type", kind if is_printable(kind) else "application/json")
        await self.end(response.body)
