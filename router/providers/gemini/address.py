"""What a path on Gemini's API or on Vertex AI tells: the model, the platform, and the address of a stream.

`/v1beta/models/MODEL:generateContent` on the Gemini API,
`/v1/projects/P/locations/L/publishers/google/models/MODEL:generateContent` on Vertex AI.
Sources: https://ai.google.dev/api/generate-content,
https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.publishers.models/generateContent.
"""

import re
from typing import Final

_UNARY: Final = ":generateContent"
_STREAMED: Final = ":streamGenerateContent"

_MODEL = re.compile(r"/(?:models|tunedModels)/([^/:?]+)")
_ON_VERTEX = re.compile(r"/publishers/|/endpoints/")

# How the answer is to be framed: for a stream that is ours to say.
_FRAMING = re.compile(r"(?:\$|%24)?alt=")


def model_in(path: str) -> str | None:
    """Return the model that a path names; it decides, since the request's body names none."""
    found = _MODEL.search(path)
    return found[1] if found else None


def is_on_vertex(path: str) -> bool:
    """Whether a path is one of Vertex AI's."""
    return _ON_VERTEX.search(path) is not None


def streamed(url: str) -> str:
    """Return the address of the stream for that of the unary call; any other query is kept."""
    bare, _, query = url.partition("?")
    if bare.endswith(_UNARY):
        bare = bare.removesuffix(_UNARY) + _STREAMED
    kept = [term for term in query.split("&") if term and not _FRAMING.match(term)]
    return f"{bare}?{'&'.join([*kept, 'alt=sse'])}"
