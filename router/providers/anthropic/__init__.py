"""Anthropic's Messages API, spoken to for callers of OpenAI's chat completions.

Primitives::

    Draft      the request under way: the caller's fields, the provider's body, what was dropped
    Block      one content block of Anthropic's, as it goes out
    Family     what a family of models can carry
    Names      names of tools that the provider takes, and the caller's own for them

Direction of flow::

    ChatRequest ─▶ encode ─▶ turns ─▶ content          answer ◀─ decode ◀─ body of a 200
                     ├─────▶ tools                        ▲
                     └─────▶ thinking ─▶ families         └───── stream ◀─ its events
                                                       errors ◀─ everything else

`exchange` puts the two together. What Anthropic can do and OpenAI's API has no word for is not hidden:
the modules say which extra fields carry it. Embeddings and other endpoints are not here.
"""

from router.providers.anthropic.exchange import MessagesExchange
from router.values import Deployment
from router.wire.chat_request import ChatRequest

__all__ = ["anthropic_exchange"]


def anthropic_exchange(request: ChatRequest, deployment: Deployment) -> MessagesExchange:
    """Translate `request` for `deployment`; see `Adapter`.

    Raises:
        InvalidRequestError: if Anthropic's Messages cannot carry the request's content.

    """
    return MessagesExchange(request, deployment)
