"""HTTP handlers: one base, one small handler per endpoint."""

from edge.handlers.base import BaseHandler, EdgeContext, NotFoundHandler
from edge.handlers.chat import ChatHandler
from edge.handlers.embeddings import EmbeddingsHandler
from edge.handlers.explain import ExplainHandler
from edge.handlers.forwarding import UnknownHandler
from edge.handlers.models import ModelsHandler
from edge.handlers.operations import HealthHandler, MetricsHandler, ReadyHandler

__all__ = [
    "BaseHandler",
    "ChatHandler",
    "EdgeContext",
    "EmbeddingsHandler",
    "ExplainHandler",
    "HealthHandler",
    "MetricsHandler",
    "ModelsHandler",
    "NotFoundHandler",
    "ReadyHandler",
    "UnknownHandler",
]
