"""Cohere's v2 chat, spoken to for callers of OpenAI's chat completions.

Primitives::

    Draft      the request under way: the caller's fields, the provider's body, what was dropped
    Family     what a family of models can carry
    Reply      a whole answer as it came

Direction of flow::

    ChatRequest ─▶ encode ─▶ messages                   answer ◀─ decode ◀─ body of a 200
                     ├─────▶ tools                         ▲
                     └─────▶ families                      └───── stream ◀─ its events
                                                        errors ◀─ everything else

`exchange` puts the two together. What Cohere can do and OpenAI's API has no word for is not hidden: the
modules say which extra fields carry it. Embeddings are in `router.providers.embedding`.
"""

from router.providers.cohere.exchange import ChatExchange
from router.values import Deployment
from router.wire.chat_request import ChatRequest

__all__ = ["cohere_exchange"]


def cohere_exchange(request: ChatRequest, deployment: Deployment) -> ChatExchange:
    """Translate `request` for `deployment`; see `Adapter`.

    Raises:
        InvalidRequestError: if Cohere's chat cannot carry the request's content.

    """
    return ChatExchange(request, deployment)
