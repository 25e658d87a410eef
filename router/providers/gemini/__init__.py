"""Gemini's generateContent, spoken to for callers of OpenAI's chat completions; on Vertex AI likewise.

Primitives::

    Draft      the request under way: the caller's fields, the provider's body, what was dropped
    Part       one part of a content of Gemini's, as it goes out
    Family     what a family of models can carry
    Reader     the parts of one candidate, as they come, turned into deltas of OpenAI's

Direction of flow::

    ChatRequest ─▶ encode ─▶ turns ─▶ content, replay    answer ◀── decode ◀── body of a 200
                     ├─────▶ tools                          ▲          ▼
                     └─────▶ generation ─▶ families         │       reader ─▶ partial
                                                            │          ▲
                                                            └────── stream ◀── its chunks
                                                         errors ◀── everything else

`exchange` puts the two together. A whole answer is read as a stream of one chunk, so the two never
differ. What Gemini can do and OpenAI's API has no word for is not hidden: the modules say which extra
fields carry it. Embeddings and other endpoints are not here.
"""

from router.providers.gemini.exchange import GenerateExchange
from router.values import Deployment
from router.wire.chat_request import ChatRequest

__all__ = ["gemini_exchange"]


def gemini_exchange(request: ChatRequest, deployment: Deployment) -> GenerateExchange:
    """Translate `request` for `deployment`; see `Adapter`.

    Raises:
        InvalidRequestError: if Gemini's generateContent cannot carry the request's content.

    """
    return GenerateExchange(request, deployment)
