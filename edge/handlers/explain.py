"""POST /v1/route:explain: a request in, where it would go out."""

from edge.handlers.forwarding import PostingHandler


class ExplainHandler(PostingHandler):
    """Explains routing; nothing is sent to any provider."""
