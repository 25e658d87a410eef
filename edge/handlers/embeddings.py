"""POST /v1/embeddings: a body in, a body out."""

from edge.handlers.forwarding import PostingHandler


class EmbeddingsHandler(PostingHandler):
    """Embeddings; never a stream."""
