"""AWS Bedrock's Converse API, spoken to for callers of OpenAI's chat completions.

Primitives::

    Draft      the request under way: the caller's fields, the provider's body, what was dropped
    Block      one content block of Converse's, as it goes out: one member that says what it is
    Family     what a family of models can carry on Bedrock

Direction of flow::

    ChatRequest ─▶ encode ─▶ turns ─▶ content          answer ◀─ decode ◀─ body of a 200
                     ├─────▶ tools ──▶ families           ▲
                     └─────▶ inference                    └───── stream ◀─ its binary events
                                                       errors ◀─ everything else

`exchange` puts the two together. The model stands in the path, so the row's handle names it; requests are
signed on their way out (`transport.signing`) unless there is an API key. What Converse can do and OpenAI's
API has no word for goes by AWS's own names: as fields of the request (`guardrailConfig`,
`additionalModelRequestFields`, …), as parts (`{"type": "video", "video": {…}}`) and on the answer.
"""

from router.providers.bedrock.exchange import ConverseExchange
from router.values import Deployment
from router.wire.chat_request import ChatRequest

__all__ = ["bedrock_exchange"]


def bedrock_exchange(request: ChatRequest, deployment: Deployment) -> ConverseExchange:
    """Translate `request` for `deployment`; see `Adapter`.

    Raises:
        InvalidRequestError: if Converse cannot carry the request's content.

    """
    return ConverseExchange(request, deployment)
